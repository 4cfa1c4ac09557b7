/* Is what the database says there, and is what is there in the database? `davit system check`.
 *
 * Whatever commands do that are killed half-way is put right by the next ones, the check among them, which does not tell
 * of it. This is for the rest: a file system that
 * was repaired, a disk that was full or lied, somebody who has removed directories by hand. Each object is looked at for
 * itself, so one that is damaged does not hide others. Things that a command is busy with are left alone. */
#pragma once

#include <stddef.h>

struct engine;
struct err;

enum check_flags {
	CHECK_QUICK = 1 << 0, /* names and sizes only: no content is read */
	CHECK_REPAIR =
		1 << 1, /* put right what can be without removing images, containers or volumes */
	CHECK_FORCE = 1 << 2, /* remove images, containers and secrets that are past repair, too */
};

struct check_result {
	size_t found, repaired;
};

/* `tell` hears of each damage: the object, what is wrong, and what was done about it or why it could not be; NULL: nothing
 * was tried. */
int engine_check(struct engine *engine, enum check_flags flags,
		 void (*tell)(void *arg, const char *object, const char *damage,
			      const char *outcome),
		 void *arg, struct check_result *ret_result, struct err *err);
