/* A tree has thousands of headers and small files, and a few large ones. So the small things are
 * collected in a buffer, and the data of large files goes from file to descriptor inside the
 * kernel: copy_file_range(2) between files, which may share the blocks, sendfile(2) into pipes and
 * sockets. */
#include "store/tar.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define BUFFER_SIZE (256 << 10)
#define SMALL_BYTES (64 << 10) /* below, a copy through the buffer costs less than a system call */
#define CHUNK_BYTES (64 << 20)

struct tar_fd_sink {
	int fd;
	bool is_file;	/* until copy_file_range() did not want to */
	bool is_copied; /* sendfile() does not want to either */
	size_t size;
	char data[BUFFER_SIZE];
};

static int write_out(struct tar_fd_sink *sink, const void *data, size_t size, struct err *err)
{
	int r = fd_write_all(sink->fd, data, size);

	if (r < 0) {
		errno = -r;
		return err_errno(err, "write tar archive");
	}
	return 0;
}

int tar_fd_sink_flush(struct tar_fd_sink *sink, struct err *err)
{
	int r = write_out(sink, sink->data, sink->size, err);

	sink->size = 0;
	return r;
}

static int sink_write(void *arg, const void *data, size_t size, struct err *err)
{
	struct tar_fd_sink *sink = arg;

	if (size > BUFFER_SIZE - sink->size) {
		int r = tar_fd_sink_flush(sink, err);
		if (r < 0)
			return r;
	}
	if (size > BUFFER_SIZE)
		return write_out(sink, data, size, err);
	memcpy(sink->data + sink->size, data, size);
	sink->size += size;
	return 0;
}

/* Into the buffer, which saves the writer's. */
static ssize_t collect(struct tar_fd_sink *sink, int fd, off_t offset, size_t size, struct err *err)
{
	ssize_t n;

	if (size > BUFFER_SIZE - sink->size) {
		int r = tar_fd_sink_flush(sink, err);
		if (r < 0)
			return r;
	}
	do
		n = pread(fd, sink->data + sink->size, size, offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "read file");
	sink->size += (size_t)n;
	return n;
}

static bool is_not_for_us(int code)
{
	return code == EINVAL || code == EXDEV || code == ENOSYS || code == EOPNOTSUPP ||
	       code == EBADF || code == EPERM || code == EIO;
}

static ssize_t sink_copy(void *arg, int fd, uint64_t offset, uint64_t size, struct err *err)
{
	struct tar_fd_sink *sink = arg;
	off_t from = (off_t)offset;
	size_t wanted = size < CHUNK_BYTES ? (size_t)size : CHUNK_BYTES;

	if (size < SMALL_BYTES)
		return collect(sink, fd, from, wanted, err);
	if (sink->is_copied)
		return -EOPNOTSUPP;
	int r = tar_fd_sink_flush(sink, err);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = sink->is_file ? copy_file_range(fd, &from, sink->fd, NULL, wanted, 0)
					  : sendfile(sink->fd, fd, &from, wanted);
		if (n > 0 || (n == 0 && !sink->is_file))
			return n;
		if (n < 0 && errno == EINTR)
			continue;
		/* Zero may also mean a file system whose files copy_file_range() cannot read. */
		if (n < 0 && !is_not_for_us(errno))
			return err_errno(err, "write tar archive");
		if (!sink->is_file) {
			sink->is_copied = true;
			return -EOPNOTSUPP;
		}
		sink->is_file = false;
	}
}

struct tar_fd_sink *tar_fd_sink_new(int fd, struct tar_sink *ret_sink)
{
	struct tar_fd_sink *sink = xmalloc(sizeof(*sink));
	struct stat st;

	sink->fd = fd;
	sink->size = 0;
	sink->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	sink->is_copied = false;
	*ret_sink = (struct tar_sink){ .write = sink_write, .copy = sink_copy, .arg = sink };
	return sink;
}

void tar_fd_sink_free(struct tar_fd_sink *sink)
{
	free(sink);
}
