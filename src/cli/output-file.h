/* A file that a command writes for --output: made aside, and in its place when it is whole, so that a failure leaves the old
 * one. What is no file, such as /dev/null or a pipe, is written to as it is. */
#pragma once

struct err;

struct output_file {
	int fd;
	char *aside, *path; /* NULL: nothing to rename */
};

#define OUTPUT_FILE_EMPTY ((struct output_file){ .fd = -1 })

/* `path` NULL: standard output. */
int output_file_open(struct output_file *file, const char *path, struct err *err);
/* `result` of the writing, which is returned; >= 0: the file is whole. */
int output_file_close(struct output_file *file, int result, struct err *err);
