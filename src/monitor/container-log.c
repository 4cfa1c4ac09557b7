#include "monitor/container-log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ENTRIES_PER_WRITE = 64, STAMP_SIZE = 31 };

static void put_digits(char *at, unsigned width, unsigned long value)
{
	while (width-- > 0) {
		at[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

void container_log_calendar(time_t seconds, char text[19])
{
	long days = seconds / 86400, rest = seconds % 86400;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	/* Years that start in March put the leap day at the end, and 400 of them always have 146097
	 * days. */
	long shifted = days + 719468;
	long era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned day_of_era = (unsigned)(shifted - era * 146097);
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */
	unsigned day = day_of_year - (153 * month + 2) / 5 + 1;
	unsigned long year = (unsigned long)(era * 400) + year_of_era + (month >= 10);

	memcpy(text, "0000-00-00T00:00:00", 19);
	put_digits(text, 4, year);
	put_digits(text + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(text + 8, 2, day);
	put_digits(text + 11, 2, (unsigned long)rest / 3600);
	put_digits(text + 14, 2, (unsigned long)rest / 60 % 60);
	put_digits(text + 17, 2, (unsigned long)rest % 60);
}

static void stamp_now(struct container_log *log)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != log->stamp_second || !log->stamp[0]) {
		container_log_calendar(now.tv_sec, log->stamp);
		log->stamp_second = now.tv_sec;
	}
	log->stamp[19] = '.';
	put_digits(log->stamp + 20, 9, (unsigned long)now.tv_nsec);
	memcpy(log->stamp + 29, "Z ", 2);
}

/* "PATH.INDEX", or PATH itself for 0. Returns false if it does not fit. */
static bool put_name(char name[PATH_MAX], const char *path, unsigned index)
{
	size_t size = strlen(path);
	char digits[10];
	int count = 0;

	if (size + sizeof(digits) + 2 > PATH_MAX)
		return false;
	memcpy(name, path, size + 1);
	if (index == 0)
		return true;
	for (unsigned rest = index; rest > 0; rest /= 10)
		digits[count++] = (char)('0' + rest % 10);
	name[size++] = '.';
	while (count > 0)
		name[size++] = digits[--count];
	name[size] = '\0';
	return true;
}

static bool is_being_read(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return is_held;
}

/* Make room for a new file at PATH. */
static bool put_aside(const struct container_log *log, bool may_drop_read)
{
	unsigned files = log->max_files ? log->max_files : 2;
	char from[PATH_MAX], to[PATH_MAX];

	if (files == 1)
		return unlink(log->path) == 0;
	if (!put_name(to, log->path, files - 1) || (!may_drop_read && is_being_read(to)))
		return false;
	for (unsigned index = files - 1; index > 0; index--) {
		if (!put_name(from, log->path, index - 1) ||
		    (rename(from, to) < 0 && (errno != ENOENT || index == 1)))
			return false;
		memcpy(to, from, sizeof(to));
	}
	return true;
}

/* Begin a new file if these entries would make this one too large. They all go to
 * one file. If that fails the old one grows on: rather too large a log than a lost line. */
static void rotate(struct container_log *log, const struct iovec *parts, int count)
{
	struct stat status;
	uint64_t size = 0;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (fstat(log->fd, &status) < 0 || status.st_size == 0)
		return;
	size += (uint64_t)status.st_size;
	bool is_patient = size < CONTAINER_LOG_PATIENCE_BYTES ||
			  size / CONTAINER_LOG_PATIENCE < log->max_bytes;
	if (size <= log->max_bytes || !put_aside(log, !is_patient))
		return;
	int fd = open(log->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
		      status.st_mode & 0777);
	if (fd < 0) {
		char aside[PATH_MAX];
		if (log->max_files != 1 && put_name(aside, log->path, 1))
			(void)rename(aside, log->path); /* it grows on */
		return;
	}
	close(log->fd);
	log->fd = fd;
	log->is_torn = false;
}

static void write_all(struct container_log *log, struct iovec *parts, int count)
{
	bool has_written = false;

	while (count > 0) {
		ssize_t n = writev(log->fd, parts, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log->is_torn |= has_written;
			return;
		}
		has_written = true;
		for (; count > 0 && (size_t)n >= parts->iov_len; parts++, count--)
			n -= (ssize_t)parts->iov_len;
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
}

void container_log_add(struct container_log *log, enum container_stream stream, const char *data,
		       size_t size)
{
	static const char *const kinds[2][2] = { { "stdout P ", "stdout F " },
						 { "stderr P ", "stderr F " } };
	struct iovec parts[3 * ENTRIES_PER_WRITE + 2];
	const char *end = data + size;

	if (log->fd < 0 || size == 0)
		return;
	stamp_now(log);
	while (data < end) {
		int count = 0;

		if (log->is_torn) {
			parts[count++] = (struct iovec){ (char *)"\n", 1 };
			log->is_torn = false;
		}
		for (int i = 0; i < ENTRIES_PER_WRITE && data < end; i++) {
			const char *newline = memchr(data, '\n', (size_t)(end - data));
			const char *next = newline ? newline + 1 : end;

			parts[count++] = (struct iovec){ log->stamp, STAMP_SIZE };
			parts[count++] =
				(struct iovec){ (char *)kinds[stream][newline != NULL], 9 };
			parts[count++] = (struct iovec){ (char *)data, (size_t)(next - data) };
			data = next;
		}
		if (data == end && end[-1] != '\n')
			parts[count++] = (struct iovec){ (char *)"\n", 1 };
		if (log->max_bytes && log->path)
			rotate(log, parts, count);
		write_all(log, parts, count);
	}
}
