/* Whole files and trees, relative to a directory descriptor. AT_FDCWD works wherever a dir_fd is
 * asked for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/strbuf.h"

struct err;

/* Append the whole file to `buf`; more than `limit` bytes is EFBIG. -ENOENT may be branched on. */
int file_read(int dir_fd, const char *path, struct strbuf *buf, size_t limit, struct err *err);

enum file_write_flags {
	FILE_WRITE_SYNC =
		1 << 0, /* fsync the file before the rename: for what must survive power loss */
	FILE_WRITE_IN_PLACE =
		1 << 1, /* without the step aside: nobody reads it before it is used */
};

/* Replace the file in one step: written aside as ".tmp-…" in the same directory, then renamed.
 * Readers see the old or the new content. */
int file_write(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
	       enum file_write_flags flags, struct err *err);

/* Make the directory and its missing parents; an existing directory is success. */
int file_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err);

/* Open a regular file for reading where names may be exchanged while we look: nothing else is opened even for a moment, as
 * opening a device or a pipe may do something already. Links are not followed. `self_fd` is of "/proc/self/fd".
 * -ENXIO if it is something else; what vanished is -ENOENT. */
int file_open_regular(int self_fd, int dir_fd, const char *name, int flags);

/* Remove a file or a whole tree without following links or leaving the file system it is on.
 * Absence is success. Directories that refuse to be read are opened up first. */
int file_remove_tree(int dir_fd, const char *path, struct err *err);

/* "DIR/NAME", owned by the caller. */
char *path_join(const char *directory, const char *name);
