/* A full disk, told with what to do about it. */
#pragma once

#include <stdbool.h>

struct err;

enum space_place {
	SPACE_STORE,	 /* images, containers, volumes: whatever is below davit's root directory */
	SPACE_ELSEWHERE, /* where the user has asked for */
};

/* No space, or more than a quota allows. `code` is a positive errno. */
bool space_is_short(int code);

/* Set what a failed write means: for ENOSPC and EDQUOT with the remedy, else strerror(code). Returns -code. */
int space_error(enum space_place place, int code, struct err *err);

/* Put the remedy behind an error that is one of space and has none yet. Returns -err->code. */
int space_remedy(enum space_place place, struct err *err);
