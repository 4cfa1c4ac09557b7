/* Log reading. Each source is a cursor over its files, older one first, that yields one entry at a
 * time; entries are merged by time and written to the stream they came from.
 *
 * Following waits on inotify for the directories of the logs and the run directories, and on the
 * monitors' pidfds. The monitor writes the exit file after the last entry, so once that file is
 * seen (or the monitor is gone) one more reading to the end has everything. The journal tells no
 * such thing: there the end is when nothing has come for a moment. */
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
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "monitor/log-cursor.h"
#include "monitor/protocol.h"
#include "monitor/restart.h"

enum { JOURNAL_QUIET_MSEC = 500 };

struct cursor {
	const struct logs_source *source;
	struct log_cursor log;
	int run_dir_fd, monitor_fd; /* while it is followed */
	bool is_over;		    /* the container has ended: the end of the log is the end */
	bool is_inside_line[2];
	struct strbuf joined[2]; /* pieces of a line, where only whole lines are written */
	char joined_stamp[2][LOG_STAMP_SIZE];
};

struct logs {
	const struct logs_options *options;
	char since[LOG_STAMP_SIZE + 1], until[LOG_STAMP_SIZE + 1];
	struct cursor *cursors;
	size_t count;
	struct strbuf out;
	int out_stream; /* which stream `out` is for */
	bool is_past_until;
};

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
	if (stream == logs->out_stream && logs->out.size < LOG_BLOCK_SIZE)
		return 0;
	int r = out_flush(logs, err);
	logs->out_stream = stream;
	return r;
}

static void out_line_start(struct logs *logs, const struct cursor *cursor, const char *stamp)
{
	if (cursor->source->color)
		strbuf_adds(&logs->out, cursor->source->color);
	if (cursor->source->prefix) {
		strbuf_adds(&logs->out, cursor->source->prefix);
		strbuf_addc(&logs->out, ' ');
	}
	if (logs->options->flags & LOGS_TIMESTAMPS) {
		strbuf_add(&logs->out, stamp, LOG_STAMP_SIZE);
		strbuf_addc(&logs->out, ' ');
	}
}

static int out_entry(struct logs *logs, struct cursor *cursor, struct err *err)
{
	const struct log_entry *entry = &cursor->log.entry;
	int stream = entry->stream;

	if (*logs->since && memcmp(entry->stamp, logs->since, LOG_STAMP_SIZE) < 0)
		return 0;
	if (*logs->until && memcmp(entry->stamp, logs->until, LOG_STAMP_SIZE) > 0) {
		logs->is_past_until = true;
		return 0;
	}
	if ((stream ? logs->options->stderr_fd : logs->options->stdout_fd) < 0)
		return 0;
	if (logs->count > 1 && !entry->is_whole && cursor->joined[stream].size < LOG_ENTRY_LIMIT) {
		if (cursor->joined[stream].size == 0)
			memcpy(cursor->joined_stamp[stream], entry->stamp, LOG_STAMP_SIZE);
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
	if (entry->is_whole && cursor->source->color)
		strbuf_adds(&logs->out, "\033[0m");
	if (entry->is_whole)
		strbuf_addc(&logs->out, '\n');
	cursor->is_inside_line[stream] = !entry->is_whole;
	return 0;
}

static int cursor_open(struct cursor *cursor, const struct logs_options *options, struct err *err)
{
	const struct logs_source *source = cursor->source;
	enum log_cursor_flags flags =
		options->flags & LOGS_FOLLOW && source->run_dir ? LOG_CURSOR_FOLLOW : 0;

	return source->path ? log_cursor_open(&cursor->log, source->path, options->tail, flags, err)
			    : log_cursor_open_journal(&cursor->log, source->journal_id,
						      options->tail, flags, err);
}

static void cursor_clear(struct cursor *cursor)
{
	log_cursor_clear(&cursor->log);
	fd_close(&cursor->run_dir_fd);
	fd_close(&cursor->monitor_fd);
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

			if (!cursor->log.has_entry &&
			    (r = log_cursor_advance(&cursor->log, err)) < 0)
				return r;
			if (cursor->log.has_entry &&
			    (!first || memcmp(cursor->log.entry.stamp, first->log.entry.stamp,
					      LOG_STAMP_SIZE) < 0))
				first = cursor;
		}
		if (!first)
			return out_flush(logs, err);
		if ((r = out_entry(logs, first, err)) < 0)
			return r;
		first->log.has_entry = false;
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
	autofree struct pollfd *polls = xcalloc(2 * logs->count + 2, sizeof(*polls));
	struct pollfd *journals = polls + logs->count + 2;
	char events[4096] __attribute__((aligned(8)));
	bool was_quiet = false; /* nothing came after all had ended */
	int r;

	if (inotify_fd < 0)
		return err_errno(err,
				 "follow log; more inotify instances are allowed by the sysctl "
				 "fs.inotify.max_user_instances");
	for (size_t i = 0; i < logs->count; i++) {
		struct cursor *cursor = &logs->cursors[i];

		if (!cursor->source->run_dir)
			continue;
		r = cursor->source->path ? watch(inotify_fd, cursor, err) : 0;
		if (r < 0)
			return r;
		(void)run_open(cursor, inotify_fd); /* without a monitor it is over */
	}
	for (;;) {
		bool is_over = true, has_journal = false;

		/* First see who has ended, then read: what it wrote before is there by then. */
		for (size_t i = 0; i < logs->count; i++) {
			struct cursor *cursor = &logs->cursors[i];

			if (!cursor->is_over)
				cursor->is_over = run_is_over(
					cursor, cursor->monitor_fd < 0 || polls[i].revents,
					inotify_fd);
			is_over &= cursor->is_over;
			has_journal |= cursor->log.journalctl > 0;
		}
		if ((r = write_available(logs, err)) < 0)
			return r;
		int timeout_msec = until_timeout(logs);
		if ((is_over && (!has_journal || was_quiet)) || logs->is_past_until ||
		    timeout_msec == 0)
			return 0;
		if (is_over)
			timeout_msec = JOURNAL_QUIET_MSEC;

		for (size_t i = 0; i < logs->count; i++)
			polls[i] = (struct pollfd){ logs->cursors[i].is_over
							    ? -1
							    : logs->cursors[i].monitor_fd,
						    POLLIN, 0 };
		for (size_t i = 0; i < logs->count; i++)
			journals[i] = (struct pollfd){ logs->cursors[i].log.journalctl > 0
							       ? logs->cursors[i].log.fd
							       : -1,
						       POLLIN, 0 };
		polls[logs->count] = (struct pollfd){ inotify_fd, POLLIN, 0 };
		/* A reader that leaves ends us even if the container says nothing more. */
		polls[logs->count + 1] = (struct pollfd){ logs->options->stdout_fd, 0, 0 };
		was_quiet = poll(polls, 2 * logs->count + 2, timeout_msec) == 0 && is_over;
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
		log_stamp_format(options->since_nsec, logs.since);
	if (options->until_nsec)
		log_stamp_format(options->until_nsec, logs.until);
	for (size_t i = 0; i < count; i++)
		logs.cursors[i] = (struct cursor){ .source = &sources[i],
						   .log = LOG_CURSOR_EMPTY,
						   .run_dir_fd = -1,
						   .monitor_fd = -1 };
	for (size_t i = 0; i < count && r == 0; i++) {
		r = cursor_open(&logs.cursors[i], options, err);
		if (r == -ENOENT && count > 1)
			r = 0;
	}
	if (r == 0)
		r = options->flags & LOGS_FOLLOW ? follow(&logs, err) : write_available(&logs, err);

	/* The last line of a container among several may lack its end. */
	for (size_t i = 0; i < 2 * count && r == 0; i++) {
		struct cursor *cursor = &logs.cursors[i / 2];
		int stream = i % 2;

		if (cursor->joined[stream].size == 0)
			continue;
		cursor->log.entry = (struct log_entry){ .stamp = cursor->joined_stamp[stream],
							.stream = stream,
							.is_whole = true,
							.data = "" };
		r = out_entry(&logs, cursor, err);
		if (r == 0)
			r = out_flush(&logs, err);
	}
	for (size_t i = 0; i < count; i++)
		if (logs.cursors[i].log.has_lost)
			log_warn("lines are missing in log '%s': it was rotated away while it was "
				 "read",
				 sources[i].path);
	for (size_t i = 0; i < count; i++)
		cursor_clear(&logs.cursors[i]);
	free(logs.cursors);
	strbuf_clear(&logs.out);
	return r;
}
