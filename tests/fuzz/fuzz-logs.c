/* What a container writes, through the log and back: every byte, and as the last lines a tail of
 * the same. And files that are no logs at all. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "monitor/container-log.h"
#include "monitor/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 20 };

/* Returns the size of what came out. */
static size_t read_back(int log_fd, int64_t tail, char *out)
{
	char path[64];
	int out_fd = memfd_create("out", MFD_CLOEXEC);
	struct logs_source source = { path, NULL, NULL };
	struct logs_options options = { .tail = tail, .stdout_fd = out_fd, .stderr_fd = -1 };
	struct err err = { 0 };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd);
	int r = logs_read(&source, 1, &options, &err);
	assert(r == 0);
	ssize_t n = pread(out_fd, out, LIMIT, 0);
	assert(n >= 0);
	close(out_fd);
	return (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char whole[LIMIT], part[LIMIT];

	if (size < 2 || size > LIMIT / 64)
		return 0;
	size_t step = (size_t)data[0] * 16 + 1;
	int64_t lines = data[1] & 15;
	data += 2;
	size -= 2;

	struct container_log log = { .fd = memfd_create("log", MFD_CLOEXEC) };
	for (size_t at = 0; at < size; at += step)
		container_log_add(&log, CONTAINER_STDOUT, (const char *)data + at,
				  size - at < step ? size - at : step);
	size_t whole_size = read_back(log.fd, -1, whole);
	assert(whole_size == size && memcmp(whole, data, size) == 0);
	size_t part_size = read_back(log.fd, lines, part), start = size - part_size;
	assert(part_size <= size && memcmp(part, data + start, part_size) == 0);
	assert(start == 0 || lines == 0 || data[start - 1] == '\n');
	int64_t got = part_size && part[part_size - 1] != '\n';
	for (size_t i = 0; i < part_size; i++)
		got += part[i] == '\n';
	assert(got <= lines && (got == lines || start == 0));
	close(log.fd);

	int fd = memfd_create("no log", MFD_CLOEXEC);
	if (write(fd, data, size) == (ssize_t)size) {
		read_back(fd, -1, whole);
		read_back(fd, lines, part);
	}
	close(fd);
	return 0;
}
