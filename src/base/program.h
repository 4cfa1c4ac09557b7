/* Run another program to its end, with input from memory and its output into memory. Its messages go where ours go. */
#pragma once

#include <stddef.h>

#include "base/strbuf.h"

struct err;

struct program {
	const char *const *argv; /* argv[0] is looked for in PATH unless it has a slash */
	char *const *environment;
	const void *input;
	size_t input_size;
	size_t output_limit; /* bytes; with more it is killed, and that is -EFBIG */
};

/* What it prints is appended to `output`. Returns its exit status, 128 if a signal has ended it; -ENOENT if there is no such
 * program, or if it ends with 127, which tells the same of a program it would start itself. */
int program_run(const struct program *program, struct strbuf *output, struct err *err);
