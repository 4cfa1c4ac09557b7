/* Nothing is synced and no transaction is made: an event on the way of a start may cost some microseconds only. What keeps
 * it whole is this.
 *
 * Appending is one write(2) with O_APPEND, so concurrent writers do not mix. A write can still be cut off: by a full disk,
 * by SIGKILL between two pages, by a power cut. Therefore each piece begins with a line break, too: a torn line is ended by
 * whoever comes next, and readers pass over empty lines and over those that are none.
 *
 * A writer holds a shared lock of the file (flock) while it writes, and has seen under the lock that the file still has
 * its name. Who renames it holds the exclusive lock. So when a reader sees a new `log`, everything that will ever be in the
 * file before is there: it reads that to the end, then goes on. Numbers in the first lines tell whether the new one is the
 * next, so a reader that was left behind finds `log.1`, or knows what it has missed.
 *
 * A file gets its name by link(2), with its first line in it; of two who do that at once one fails, and uses the other's.
 * So nothing is ever replaced that somebody has written to, and who is killed between the two steps of renaming leaves a
 * missing `log`, which the next writer makes. */
#include "store/event-log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"

#define LOG		"log"
#define LOG_BEFORE	"log.1"
#define HEADER_START	"{\"log\":"
#define HEADER_FORMAT	HEADER_START "%" PRIu64 "}\n"
#define HEADER_MAX	64
#define APPEND_ATTEMPTS 100

static int open_directory(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		int r = file_make_dirs(AT_FDCWD, path, 0700, err);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_errno(err, "open '%s'", path) : fd;
}

/* The number in the first line; 0 if it is not one of our files. */
static uint64_t number_of(int fd)
{
	char line[HEADER_MAX + 1];
	const char *at = line + strlen(HEADER_START);
	int64_t number;

	ssize_t n = pread(fd, line, HEADER_MAX, 0);
	line[n > 0 ? n : 0] = '\0';
	if (strncmp(line, HEADER_START, strlen(HEADER_START)) != 0 ||
	    number_take(&at, 1, INT64_MAX, &number) < 0 || *at != '}')
		return 0;
	return (uint64_t)number;
}

static int open_log(int dir_fd, const char *name, int flags)
{
	return openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
}

/* A `log` where there is none. */
static int make_log(int dir_fd, struct err *err)
{
	char name[32], line[HEADER_MAX];

	autoclose int before_fd = open_log(dir_fd, LOG_BEFORE, O_RDONLY);
	uint64_t number = before_fd < 0 ? 1 : (number_of(before_fd) ?: 1) + 1;
	snprintf(name, sizeof(name), "new-%d", (int)getpid());
	(void)unlinkat(dir_fd, name, 0); /* of one with our number that was killed */
	autoclose int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, "create an event log");
	int size = snprintf(line, sizeof(line), HEADER_FORMAT, number);
	int r = fd_write_all(fd, line, (size_t)size);
	if (r < 0) {
		errno = -r;
		r = err_errno(err, "write the event log");
	} else if (linkat(dir_fd, name, dir_fd, LOG, 0) < 0 && errno != EEXIST) {
		r = err_errno(err, "name the event log");
	}
	(void)unlinkat(dir_fd, name, 0);
	return r;
}

/* Is this the file that has the name now? */
static bool is_current(int dir_fd, int fd)
{
	struct stat named, ours;

	return fstatat(dir_fd, LOG, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &ours) == 0 &&
	       named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

static int lock(int fd, int how)
{
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Who cannot do it now leaves it to the next. */
static void rotate(int dir_fd, int fd)
{
	struct err ignored; /* the next writer makes the file, or tells why not */

	/* Not to wait for another that is stopped in the middle of its writing. */
	if (lock(fd, LOCK_EX | LOCK_NB) < 0 || !is_current(dir_fd, fd))
		return;
	if (renameat(dir_fd, LOG, dir_fd, LOG_BEFORE) == 0)
		(void)make_log(dir_fd, &ignored);
}

/* -EAGAIN: it was renamed just now. */
static int append(int dir_fd, int fd, const struct strbuf *piece, int64_t max_bytes,
		  struct err *err)
{
	int r = lock(fd, LOCK_SH);

	if (r < 0) {
		errno = -r;
		return err_errno(err, "lock the event log");
	}
	if (!is_current(dir_fd, fd))
		return -EAGAIN;
	ssize_t n = write(fd, piece->data, piece->size);
	if (n < 0)
		return err_errno(err, "write the event log");
	if ((size_t)n < piece->size) /* the rest would be a line of its own */
		return err_set(err, ENOSPC, "write the event log: %s", strerror(ENOSPC));
	if (lseek(fd, 0, SEEK_CUR) >= max_bytes)
		rotate(dir_fd, fd);
	return 0;
}

int event_log_append(const char *directory, const char *lines, size_t size, int64_t max_bytes,
		     struct err *err)
{
	autostrbuf struct strbuf piece = STRBUF_EMPTY;

	if (size > EVENT_LOG_LINE_MAX)
		return err_set(err, EFBIG, "an event of %zu bytes is too large", size);
	autoclose int dir_fd = open_directory(directory, err);
	if (dir_fd < 0)
		return dir_fd;
	strbuf_reserve(&piece, size + 1);
	strbuf_addc(&piece, '\n');
	strbuf_add(&piece, lines, size);
	for (int attempt = 0; attempt < APPEND_ATTEMPTS; attempt++) {
		autoclose int fd = open_log(dir_fd, LOG, O_RDWR | O_APPEND);
		int r = fd < 0 && errno != ENOENT ? err_errno(err, "open the event log")
			: fd < 0		  ? make_log(dir_fd, err)
						  : append(dir_fd, fd, &piece, max_bytes, err);
		if (r != -EAGAIN && (fd >= 0 || r < 0))
			return r;
	}
	return err_set(err, EBUSY, "the event log is renamed all the time");
}

/* --- reading */

struct event_reader {
	char *directory;
	int dir_fd, watch_fd; /* the latter -1: does not follow */
	int fd;		      /* -1: no file yet */
	uint64_t number;      /* of the file */
	uint64_t missed;
	off_t read_to;	 /* of the file is in the buffer, or was */
	off_t news_from; /* lines that end before are old */
	struct strbuf buffer;
	size_t taken;	   /* of the buffer */
	bool is_oversized; /* what comes is the rest of a line that is too long */
};

/* That the directory goes is heard of from the one it is in: as long as we have files of it open, it says nothing itself. */
static int start_watching(struct event_reader *reader, struct err *err)
{
	autofree char *parent = xstrndup(
		reader->directory, (size_t)(strrchr(reader->directory, '/') - reader->directory));

	reader->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (reader->watch_fd < 0 ||
	    inotify_add_watch(reader->watch_fd, reader->directory,
			      IN_MODIFY | IN_CREATE | IN_MOVE | IN_ONLYDIR) < 0 ||
	    inotify_add_watch(reader->watch_fd, parent, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
		return err_errno(err, "watch '%s'", reader->directory);
	return 0;
}

/* Go to another file; takes the descriptor. */
static void go_to(struct event_reader *reader, int fd, uint64_t number)
{
	fd_close(&reader->fd);
	reader->fd = fd;
	if (reader->number && number > reader->number + 1)
		reader->missed += number - reader->number - 1;
	reader->number = number;
	reader->read_to = reader->news_from = 0;
	reader->is_oversized = false;
	reader->taken = 0;
	strbuf_reset(&reader->buffer); /* a torn line at the end of the one before */
}

/* The oldest file that is newer than ours: -1 if there is none. Whose first line was lost in a power cut has the number that
 * follows from the other's. */
static int open_next(const struct event_reader *reader, uint64_t *ret_number)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		autoclose int before_fd = open_log(reader->dir_fd, LOG_BEFORE, O_RDONLY);
		autoclose int fd = open_log(reader->dir_fd, LOG, O_RDONLY);
		uint64_t before = before_fd < 0 ? 0 : number_of(before_fd);
		uint64_t number = fd < 0 ? 0 : number_of(fd) ?: before + 1;

		if (before_fd >= 0 && !before)
			before = number ? number - 1 : 1;
		/* Renamed between the two openings: look again. */
		if (number > before + 1 && attempt < 2 && (before_fd >= 0 || number > 1))
			continue;
		*ret_number = before > reader->number ? before : number;
		if (before > reader->number)
			return take_fd(&before_fd);
		return number > reader->number ? take_fd(&fd) : -1;
	}
	return -1;
}

/* Bytes read, 0 at the end of the file. */
static ssize_t read_more(struct event_reader *reader, struct err *err)
{
	char chunk[16384];

	if (reader->fd < 0)
		return 0;
	ssize_t n = pread(reader->fd, chunk, sizeof(chunk), reader->read_to);
	if (n < 0)
		return err_errno(err, "read the event log");
	if (reader->taken) {
		size_t left = reader->buffer.size - reader->taken;
		memmove(reader->buffer.data, reader->buffer.data + reader->taken, left);
		reader->buffer.size = left;
		reader->taken = 0;
	}
	strbuf_add(&reader->buffer, chunk, (size_t)n);
	reader->read_to += n;
	return n;
}

/* Go on where this file has ended. Returns whether there may be more to read. */
static int advance(struct event_reader *reader, struct err *err)
{
	uint64_t number;

	autoclose int fd = open_next(reader, &number);
	if (fd < 0)
		return 0;
	/* That there is a next one means that this one is complete, which it may not have been when we came to its end. */
	ssize_t n = read_more(reader, err);
	if (n != 0)
		return n < 0 ? (int)n : 1;
	go_to(reader, take_fd(&fd), number);
	return 1;
}

/* To the end of the newest file. */
static void skip_old(struct event_reader *reader)
{
	uint64_t number;
	struct stat st;
	int fd;

	while ((fd = open_next(reader, &number)) >= 0)
		go_to(reader, fd, number);
	if (reader->fd < 0 || fstat(reader->fd, &st) < 0)
		return;
	reader->news_from = st.st_size;
	/* A line that is being written now is news: so begin in front of it. */
	if (st.st_size > EVENT_LOG_LINE_MAX) {
		reader->read_to = st.st_size - EVENT_LOG_LINE_MAX;
		reader->is_oversized = true; /* its first line is torn by us */
	}
}

int event_reader_open(const char *directory, enum event_reader_flags flags,
		      struct event_reader **ret_reader, struct err *err)
{
	autoevent_reader struct event_reader *reader = xcalloc(1, sizeof(*reader));

	reader->directory = xstrdup(directory);
	reader->fd = reader->watch_fd = -1;
	reader->dir_fd = open_directory(directory, err);
	if (reader->dir_fd < 0)
		return reader->dir_fd;
	/* Before the first look, or what comes in between would not wake us. */
	int r = flags & EVENT_READER_FOLLOW ? start_watching(reader, err) : 0;
	if (r < 0)
		return r;
	if (flags & EVENT_READER_NEWS)
		skip_old(reader);
	*ret_reader = take_ptr(&reader);
	return 0;
}

void event_reader_close(struct event_reader *reader)
{
	if (!reader)
		return;
	fd_close(&reader->fd);
	fd_close(&reader->watch_fd);
	fd_close(&reader->dir_fd);
	strbuf_clear(&reader->buffer);
	free(reader->directory);
	free(reader);
}

/* A line that is in the buffer: 1, 0 if there is no whole one. */
static int take_line(struct event_reader *reader, const char **ret_line, size_t *ret_size)
{
	for (;;) {
		const char *start = strbuf_text(&reader->buffer) + reader->taken;
		size_t left = reader->buffer.size - reader->taken;
		const char *end = left ? memchr(start, '\n', left) : NULL;

		if (!end && left > EVENT_LOG_LINE_MAX) {
			reader->taken = reader->buffer.size;
			reader->is_oversized = true;
		}
		if (!end)
			return 0;
		size_t size = (size_t)(end - start);
		reader->taken += size + 1;
		off_t end_at = reader->read_to - (off_t)(reader->buffer.size - reader->taken);
		bool is_whole = !reader->is_oversized;
		reader->is_oversized = false;
		if (!is_whole || end_at <= reader->news_from || size < 2 || start[0] != '{' ||
		    end[-1] != '}' || strncmp(start, HEADER_START, strlen(HEADER_START)) == 0)
			continue;
		*ret_line = start;
		*ret_size = size;
		return 1;
	}
}

int event_reader_next(struct event_reader *reader, const char **ret_line, size_t *ret_size,
		      struct err *err)
{
	for (;;) {
		if (take_line(reader, ret_line, ret_size) > 0)
			return 1;
		ssize_t n = read_more(reader, err);
		if (n == 0)
			n = advance(reader, err);
		if (n <= 0)
			return (int)n;
	}
}

int event_reader_fd(const struct event_reader *reader)
{
	return reader->watch_fd;
}

int event_reader_heard(struct event_reader *reader, struct err *err)
{
	_Alignas(struct inotify_event) char news[4096];
	struct stat st;
	ssize_t n;

	while ((n = read(reader->watch_fd, news, sizeof(news))) > 0)
		; /* which one it was does not matter */
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return err_errno(err, "watch '%s'", reader->directory);
	if (fstat(reader->dir_fd, &st) == 0 && st.st_nlink == 0)
		return err_set(err, ENOENT, "the event log '%s' was removed", reader->directory);
	return 0;
}

uint64_t event_reader_missed(const struct event_reader *reader)
{
	return reader->missed;
}
