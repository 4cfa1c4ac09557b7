#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
		*fd = -1;
	}
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, struct strbuf *buf, size_t limit)
{
	for (size_t total = 0;;) {
		strbuf_reserve(buf, 16384);
		ssize_t n = read(fd, buf->data + buf->size, buf->capacity - buf->size - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		buf->size += (size_t)n;
		buf->data[buf->size] = '\0';
		total += (size_t)n;
		if (total > limit)
			return -EFBIG;
		if (n == 0)
			return 0;
	}
}

ssize_t fd_read_full(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}
