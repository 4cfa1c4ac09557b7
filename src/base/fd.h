/* File descriptors: ownership, and reads and writes that finish. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/strbuf.h"

struct err;

void fd_close(int *fd); /* closes what is >= 0, sets -1, keeps errno */
#define autoclose __attribute__((cleanup(fd_close)))

/* Hand ownership on: the variable becomes -1 and its old value is the result. */
static inline int take_fd(int *fd)
{
	int value = *fd;
	*fd = -1;
	return value;
}

/* Write all of it, whatever EINTR and short writes do. Returns 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size);

/* Read until end of file, at most `limit` bytes; one more is -EFBIG. Returns 0 or -errno. */
int fd_read_all(int fd, struct strbuf *buf, size_t limit);

/* Read up to `size` bytes, stopping only at end of file. Returns bytes read or -errno. */
ssize_t fd_read_full(int fd, void *data, size_t size);
