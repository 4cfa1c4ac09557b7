/* Descriptors of the caller that the command in a container is to have, too: --preserve-fds and --preserve-fd. */
#pragma once

#include <stdint.h>

#include "cli/options.h"

struct engine;
struct err;

struct preserve_args {
	int64_t count;
	struct strlist numbers;
};

/* Rows whose offsets count from struct preserve_args. */
extern const struct option_spec preserve_option_specs[];

/* To be called before anything of ours is opened, which could take the numbers. Returns how many from 3 on are
 * preserved, or negative: one is not open, or cannot be handed on. */
int preserve_args_claim(const struct preserve_args *args, struct err *err);
