/* Log reading. Each source is a cursor over its files, older one first, that yields one entry at a
 * time; entries are merged by time and written to the stream they came from.
 *
 * Following waits on inotify for the directories of the logs and the run directories, and on the
 * monitors' pidfds. The monitor writes the exit file after the last entry, so once that file is
 * seen (or the monitor is gone) one more reading to the end has everything. Rotation renames the
 * log and makes a new one: at the end of a file whose name leads elsewhere by now, the cursor goes
 * on with the new file. */
#include "monitor/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "monitor/protocol.h"
#include "monitor/restart.h"

enum {
	STAMP_SIZE = 30,  /* "2016-10-06T00:17:09.669794202Z" */
	HEADER_SIZE = 40, /* "STAMP stdout F " */
	BLOCK_SIZE = 65536,
	ENTRY_LIMIT = 1 << 20, /* longer ones are not ours */
};

/* Borrowed from the cursor's buffer until it moves on. */
struct entry {
	const char *stamp; /* STAMP_SIZE bytes */
	int stream;	   /* 0 stdout, 1 stderr */
	bool is_whole;	   /* ends its line */
	const char *data;
	size_t size;
};

struct cursor {
	const struct logs_source *source;
	int fd, run_dir_fd, monitor_fd; /* the latter two while it is followed */
	bool has_entry;
	bool is_over; /* the container has ended: the end of the file is the end */
	struct entry entry;
	struct strbuf buffer;
	size_t at; /* of the next entry in `buffer` */
	bool is_inside_line[2];
	struct strbuf joined[2]; /* pieces of a line, where only whole lines are written */
	char joined_stamp[2][STAMP_SIZE];
};

struct logs {
	const struct logs_options *options;
	char since[STAMP_SIZE + 1], until[STAMP_SIZE + 1];
	struct cursor *cursors;
	size_t count;
	struct strbuf out;
	int out_stream; /* which stream `out` is for */
	bool is_past_until;
};

static void stamp_format(int64_t nsec, char text[STAMP_SIZE + 1])
{
	time_t seconds = (time_t)(nsec / 1000000000);
	struct tm calendar;
	size_t size;

	gmtime_r(&seconds, &calendar);
	size = strftime(text, STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &calendar);
	snprintf(text + size, STAMP_SIZE + 1 - size, ".%09dZ", (int)(nsec % 1000000000));
}

/* Whether these bytes begin an entry; `size` counts to its newline. */
static bool entry_parse(const char *line, size_t size, struct entry *ret_entry)
{
	if (size < HEADER_SIZE || line[10] != 'T' || line[STAMP_SIZE - 1] != 'Z' ||
	    line[STAMP_SIZE] != ' ' || line[HEADER_SIZE - 3] != ' ' || line[HEADER_SIZE - 1] != ' ')
		return false;
	bool is_error = memcmp(line + STAMP_SIZE + 1, "stderr", 6) == 0;
	if (!is_error && memcmp(line + STAMP_SIZE + 1, "stdout", 6) != 0)
		return false;
	*ret_entry = (struct entry){ .stamp = line,
				     .stream = is_error,
				     .is_whole = line[HEADER_SIZE - 2] == 'F',
				     .data = line + HEADER_SIZE,
				     .size = size - HEADER_SIZE };
	return true;
}

/* ---- output ---- */

static int out_flush(struct logs *logs, struct err *err)
{
	int fd = logs->out_stream ? logs->options->stderr_fd : logs->options->stdout_fd;
	const char *at = strbuf_text(&logs->out);
	size_t size = logs->out.size;

	while (size > 0) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, -1);
		else if (n < 0 && errno != EINTR)
			return err_errno(err, "write log");
		if (n < 0)
			continue;
		at += n;
		size -= (size_t)n;
	}
	strbuf_reset(&logs->out);
	return 0;
}

/* Both streams are mostly the same terminal, so they must not overtake each other. */
static int out_select(struct logs *logs, int stream, struct err *err)
{
	if (stream == logs->out_stream && logs->out.size < BLOCK_SIZE)
		return 0;
	int r = out_flush(logs, err);
	logs->out_stream = stream;
	return r;
}

static void out_line_start(struct logs *logs, const struct cursor *cursor, const char *stamp)
{
	if (cursor->source->prefix) {
		strbuf_adds(&logs->out, cursor->source->prefix);
		strbuf_addc(&logs->out, ' ');
	}
	if (logs->options->flags & LOGS_TIMESTAMPS) {
		strbuf_add(&logs->out, stamp, STAMP_SIZE);
		strbuf_addc(&logs->out, ' ');
	}
}

static int out_entry(struct logs *logs, struct cursor *cursor, struct err *err)
{
	const struct entry *entry = &cursor->entry;
	int stream = entry->stream;

	if (*logs->since && memcmp(entry->stamp, logs->since, STAMP_SIZE) < 0)
		return 0;
	if (*logs->until && memcmp(entry->stamp, logs->until, STAMP_SIZE) > 0) {
		logs->is_past_until = true;
		return 0;
	}
	if ((stream ? logs->options->stderr_fd : logs->options->stdout_fd) < 0)
		return 0;
	if (logs->count > 1 && !entry->is_whole && cursor->joined[stream].size < ENTRY_LIMIT) {
		if (cursor->joined[stream].size == 0)
			memcpy(cursor->joined_stamp[stream], entry->stamp, STAMP_SIZE);
		strbuf_add(&cursor->joined[stream], entry->data, entry->size);
		return 0;
	}
	int r = out_select(logs, stream, err);
	if (r < 0)
		return r;
	if (!cursor->is_inside_line[stream])
		out_line_start(logs, cursor,
			       cursor->joined[stream].size ? cursor->joined_stamp[stream]
							   : entry->stamp);
	strbuf_add(&logs->out, strbuf_text(&cursor->joined[stream]), cursor->joined[stream].size);
	strbuf_reset(&cursor->joined[stream]);
	strbuf_add(&logs->out, entry->data, entry->size);
	if (entry->is_whole)
		strbuf_addc(&logs->out, '\n');
	cursor->is_inside_line[stream] = !entry->is_whole;
	return 0;
}

/* ---- cursors ---- */

static int open_older(const struct cursor *cursor)
{
	autofree char *older = xasprintf("%s.1", cursor->source->path);

	return open(older, O_RDONLY | O_CLOEXEC);
}

/* Go on with the file that has the log's name now, if it is another one. Returns whether it is. */
static bool cursor_next_file(struct cursor *cursor)
{
	struct stat here, there;

	if (fstat(cursor->fd, &here) < 0 || stat(cursor->source->path, &there) < 0 ||
	    (here.st_ino == there.st_ino && here.st_dev == there.st_dev))
		return false;
	int fd = open(cursor->source->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	fd_close(&cursor->fd);
	cursor->fd = fd;
	return true;
}

/* Read the next entry, if there is a complete one, into cursor->entry. */
static int cursor_advance(struct cursor *cursor, struct err *err)
{
	cursor->has_entry = false;
	for (;;) {
		const char *start = strbuf_text(&cursor->buffer) + cursor->at;
		size_t left = cursor->buffer.size - cursor->at;
		const char *newline = left ? memchr(start, '\n', left) : NULL;

		if (newline) {
			cursor->at += (size_t)(newline - start) + 1;
			/* What is no entry was torn by a full disk. */
			if (!entry_parse(start, (size_t)(newline - start), &cursor->entry))
				continue;
			cursor->has_entry = true;
			return 0;
		}
		if (left > ENTRY_LIMIT)
			left = 0;
		if (left)
			memmove(cursor->buffer.data, start, left);
		cursor->buffer.size = left;
		cursor->at = 0;
		strbuf_reserve(&cursor->buffer, BLOCK_SIZE);
		ssize_t n = read(cursor->fd, cursor->buffer.data + left, BLOCK_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "read log '%s'", cursor->source->path);
		if (n == 0 && !cursor_next_file(cursor))
			return 0;
		cursor->buffer.size += (size_t)n;
	}
}

/* Where the last `*lines` lines of the file begin; *lines becomes how many more an older file has
 * to give. The file is read backwards, block by block. A line is counted where it ends, so the end
 * of the line before the first wanted one is what is looked for. */
static int find_tail(int fd, int64_t *lines, off_t *ret_at, struct err *err)
{
	autofree char *block = xmalloc(BLOCK_SIZE + HEADER_SIZE);
	struct stat status;
	bool is_last = true;

	if (fstat(fd, &status) < 0)
		return err_errno(err, "read log");
	*ret_at = 0;
	off_t next =
		status.st_size; /* where the entry after the newline that is looked at begins */
	if (next == 0)
		return 0;
	for (off_t end = status.st_size; end > 0;) {
		off_t begin = end > BLOCK_SIZE ? end - BLOCK_SIZE : 0;
		ssize_t n = pread(fd, block, (size_t)(end - begin) + HEADER_SIZE, begin);

		if (n < end - begin)
			return err_errno(err, "read log");
		/* Entries that begin in this block, from the last to the first. */
		for (off_t at = end - 1; at >= begin - (begin == 0); at--) {
			struct entry entry;
			off_t start = at + 1;

			if (at >= 0 && block[at - begin] != '\n')
				continue;
			size_t has = (size_t)(begin + n - start);
			if (start >= status.st_size ||
			    !entry_parse(block + (start - begin),
					 has < HEADER_SIZE ? has : HEADER_SIZE, &entry))
				continue;
			if (entry.is_whole || is_last) {
				if (*lines == 0) {
					*ret_at = next;
					return 0;
				}
				--*lines;
			}
			is_last = false;
			next = start;
		}
		end = begin;
	}
	return 0;
}

/* Open the log at the first entry that is wanted. */
static int cursor_open(struct cursor *cursor, int64_t tail, struct err *err)
{
	autoclose int fd = open(cursor->source->path, O_RDONLY | O_CLOEXEC);
	int older_fd = -1, r = 0;
	off_t at = 0;

	if (fd < 0)
		return err_errno(err, "open log '%s'", cursor->source->path);
	if (tail >= 0) {
		r = find_tail(fd, &tail, &at, err);
		if (r == 0 && at == 0 && tail > 0 && (older_fd = open_older(cursor)) >= 0)
			r = find_tail(older_fd, &tail, &at, err);
	} else {
		older_fd = open_older(cursor);
	}
	cursor->fd = older_fd >= 0 ? older_fd : take_fd(&fd);
	if (r == 0 && lseek(cursor->fd, at, SEEK_SET) < 0)
		r = err_errno(err, "read log '%s'", cursor->source->path);
	return r;
}

static void cursor_clear(struct cursor *cursor)
{
	fd_close(&cursor->fd);
	fd_close(&cursor->run_dir_fd);
	fd_close(&cursor->monitor_fd);
	strbuf_clear(&cursor->buffer);
	strbuf_clear(&cursor->joined[0]);
	strbuf_clear(&cursor->joined[1]);
}

/* ---- following ---- */

/* A pidfd of the monitor that the run directory names, or -1. */
static int open_monitor(int run_dir_fd)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY, stat_text = STRBUF_EMPTY;
	struct err ignored = { 0 };
	int64_t fields[4], actual; /* init, its start time, monitor, its start time */
	char path[64];

	if (file_read(run_dir_fd, MONITOR_FILE_PID, &text, 256, &ignored) < 0)
		return -1;
	const char *at = strbuf_text(&text);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		at += strspn(at, " ");
		if (number_take(&at, 0, INT64_MAX, &fields[i]) < 0)
			return -1;
	}
	if (fields[2] <= 0 || fields[2] > INT32_MAX)
		return -1;
	autoclose int fd = (int)syscall(SYS_pidfd_open, (pid_t)fields[2], 0);
	if (fd < 0)
		return -1;
	/* The number may be another process by now: the start time tells. It is field 22; the
	 * command, which may hold anything, ends at the last parenthesis. */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)fields[2]);
	if (file_read(AT_FDCWD, path, &stat_text, 4096, &ignored) < 0)
		return -1;
	at = strrchr(strbuf_text(&stat_text), ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	/* Ended, though nobody has reaped it. */
	if (!at || poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0) != 0)
		return -1;
	at++;
	if (number_take(&at, 0, INT64_MAX, &actual) < 0 || actual != fields[3])
		return -1;
	return take_fd(&fd);
}

/* As waitpid(2) gave it to the monitor. */
static int exit_status(int run_dir_fd)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored = { 0 };
	const char *at;
	int64_t status;

	if (file_read(run_dir_fd, MONITOR_FILE_EXIT, &text, 256, &ignored) < 0)
		return 0;
	at = strbuf_text(&text);
	return number_take(&at, 0, INT32_MAX, &status) < 0 ? 0 : (int)status;
}

/* Begin to follow the run that the run directory is about now. Returns whether there is one. */
static bool run_open(struct cursor *cursor, int inotify_fd)
{
	char path[64];

	fd_close(&cursor->run_dir_fd);
	fd_close(&cursor->monitor_fd);
	if (!cursor->source->run_dir)
		return false;
	cursor->run_dir_fd = open(cursor->source->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cursor->run_dir_fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/.", cursor->run_dir_fd);
	(void)inotify_add_watch(inotify_fd, path,
				IN_MOVED_TO | IN_CREATE |
					IN_DELETE); /* ENOENT: it has just ended */
	cursor->monitor_fd = open_monitor(cursor->run_dir_fd);
	return cursor->monitor_fd >= 0;
}

/* Nothing comes any more: it has ended, and is not about to be started again. `is_monitor_gone` is what poll(2) says
 * of its monitor, or of what that has become to start the container again. */
static bool run_is_over(struct cursor *cursor, bool is_monitor_gone, int inotify_fd)
{
	struct restart restart;

	if (is_monitor_gone && !run_open(cursor, inotify_fd))
		return true;
	return faccessat(cursor->run_dir_fd, MONITOR_FILE_EXIT, F_OK, 0) == 0 &&
	       (restart_read(cursor->run_dir_fd, &restart) < 0 ||
		!restart_applies(&restart, exit_status(cursor->run_dir_fd)));
}

static int watch(int inotify_fd, const struct cursor *cursor, struct err *err)
{
	autofree char *copy = xstrdup(cursor->source->path);

	if (inotify_add_watch(inotify_fd, dirname(copy), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_errno(err, "watch log '%s'", cursor->source->path);
	return 0;
}

/* Write everything that is there, in the order of time. */
static int write_available(struct logs *logs, struct err *err)
{
	for (;;) {
		struct cursor *first = NULL;
		int r;

		for (size_t i = 0; i < logs->count; i++) {
			struct cursor *cursor = &logs->cursors[i];

			if (!cursor->has_entry && (r = cursor_advance(cursor, err)) < 0)
				return r;
			if (cursor->has_entry &&
			    (!first ||
			     memcmp(cursor->entry.stamp, first->entry.stamp, STAMP_SIZE) < 0))
				first = cursor;
		}
		if (!first)
			return out_flush(logs, err);
		if ((r = out_entry(logs, first, err)) < 0)
			return r;
		first->has_entry = false;
	}
}

/* The milliseconds until `until`, at least 0; -1 without one. */
static int until_timeout(const struct logs *logs)
{
	struct timespec now;

	if (!logs->options->until_nsec)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t left = logs->options->until_nsec - (now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	if (left <= 0)
		return 0;
	left = left / 1000000 + 1;
	return left < INT_MAX ? (int)left : INT_MAX;
}

static int follow(struct logs *logs, struct err *err)
{
	autoclose int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	autofree struct pollfd *polls = xcalloc(logs->count + 2, sizeof(*polls));
	char events[4096] __attribute__((aligned(8)));
	int r;

	if (inotify_fd < 0)
		return err_errno(err,
				 "follow log; more inotify instances are allowed by the sysctl "
				 "fs.inotify.max_user_instances");
	for (size_t i = 0; i < logs->count; i++) {
		struct cursor *cursor = &logs->cursors[i];

		if (!cursor->source->run_dir)
			continue;
		r = watch(inotify_fd, cursor, err);
		if (r < 0)
			return r;
		(void)run_open(cursor, inotify_fd); /* without a monitor it is over */
	}
	for (;;) {
		bool is_over = true;

		/* First see who has ended, then read: what it wrote before is there by then. */
		for (size_t i = 0; i < logs->count; i++) {
			struct cursor *cursor = &logs->cursors[i];

			if (!cursor->is_over)
				cursor->is_over = run_is_over(
					cursor, cursor->monitor_fd < 0 || polls[i].revents,
					inotify_fd);
			is_over &= cursor->is_over;
		}
		if ((r = write_available(logs, err)) < 0)
			return r;
		int timeout_msec = until_timeout(logs);
		if (is_over || logs->is_past_until || timeout_msec == 0)
			return 0;

		for (size_t i = 0; i < logs->count; i++)
			polls[i] = (struct pollfd){ logs->cursors[i].is_over
							    ? -1
							    : logs->cursors[i].monitor_fd,
						    POLLIN, 0 };
		polls[logs->count] = (struct pollfd){ inotify_fd, POLLIN, 0 };
		/* A reader that leaves ends us even if the container says nothing more. */
		polls[logs->count + 1] = (struct pollfd){ logs->options->stdout_fd, 0, 0 };
		poll(polls, logs->count + 2, timeout_msec);
		if (polls[logs->count + 1].revents & POLLERR)
			return err_set(err, EPIPE, "write log: nobody reads it any more");
		while (read(inotify_fd, events, sizeof(events)) > 0)
			;
	}
}

int logs_read(const struct logs_source *sources, size_t count, const struct logs_options *options,
	      struct err *err)
{
	struct logs logs = { .options = options, .count = count };
	int r = 0;

	logs.cursors = xcalloc(count ? count : 1, sizeof(*logs.cursors));
	if (options->since_nsec)
		stamp_format(options->since_nsec, logs.since);
	if (options->until_nsec)
		stamp_format(options->until_nsec, logs.until);
	for (size_t i = 0; i < count; i++)
		logs.cursors[i] = (struct cursor){
			.source = &sources[i], .fd = -1, .run_dir_fd = -1, .monitor_fd = -1
		};
	for (size_t i = 0; i < count && r == 0; i++)
		r = cursor_open(&logs.cursors[i], options->tail, err);
	if (r == 0)
		r = options->flags & LOGS_FOLLOW ? follow(&logs, err) : write_available(&logs, err);

	/* The last line of a container among several may lack its end. */
	for (size_t i = 0; i < 2 * count && r == 0; i++) {
		struct cursor *cursor = &logs.cursors[i / 2];
		int stream = i % 2;

		if (cursor->joined[stream].size == 0)
			continue;
		cursor->entry = (struct entry){ .stamp = cursor->joined_stamp[stream],
						.stream = stream,
						.is_whole = true,
						.data = "" };
		r = out_entry(&logs, cursor, err);
		if (r == 0)
			r = out_flush(&logs, err);
	}
	for (size_t i = 0; i < count; i++)
		cursor_clear(&logs.cursors[i]);
	free(logs.cursors);
	strbuf_clear(&logs.out);
	return r;
}
