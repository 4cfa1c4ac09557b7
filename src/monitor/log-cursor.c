/* Files of a log move: PATH becomes PATH.1, that PATH.2, and the last one is dropped. A file is known by its inode, so
 * the one that follows it is found by where it is now. Order matters twice. That there is a following file shows that
 * nothing is added to ours any more, but what was added before we knew has still to be read: so ours is read to its end
 * once more. And while we look, files may move on: so what was found is believed only if ours is still where it was
 * before. A shared lock on the file that is read keeps it, and with it all that follow, from being dropped. */
#include "monitor/log-cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "monitor/journal-read.h"

enum {
	HEADER_SIZE = 40, /* "STAMP stdout F " */
	FILES_LIMIT = 10000,
	HOLES = 2, /* names in a row that may be free: a file is being renamed while we look */
	FIND_ATTEMPTS = 1000,
};

void log_stamp_format(int64_t nsec, char text[LOG_STAMP_SIZE + 1])
{
	time_t seconds = (time_t)(nsec / 1000000000);
	struct tm calendar;
	size_t size;

	gmtime_r(&seconds, &calendar);
	size = strftime(text, LOG_STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &calendar);
	snprintf(text + size, LOG_STAMP_SIZE + 1 - size, ".%09dZ", (int)(nsec % 1000000000));
}

/* Whether these bytes begin an entry; `size` counts to its newline. */
static bool entry_parse(const char *line, size_t size, struct log_entry *ret_entry)
{
	if (size < HEADER_SIZE || line[10] != 'T' || line[LOG_STAMP_SIZE - 1] != 'Z' ||
	    line[LOG_STAMP_SIZE] != ' ' || line[HEADER_SIZE - 3] != ' ' ||
	    line[HEADER_SIZE - 1] != ' ')
		return false;
	bool is_error = memcmp(line + LOG_STAMP_SIZE + 1, "stderr", 6) == 0;
	if (!is_error && memcmp(line + LOG_STAMP_SIZE + 1, "stdout", 6) != 0)
		return false;
	*ret_entry = (struct log_entry){ .stamp = line,
					 .stream = is_error,
					 .is_whole = line[HEADER_SIZE - 2] == 'F',
					 .data = line + HEADER_SIZE,
					 .size = size - HEADER_SIZE };
	return true;
}

/* ---- files ---- */

static char *file_name(const char *path, unsigned index)
{
	return index ? xasprintf("%s.%u", path, index) : xstrdup(path);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Open a file of the log and keep it from being dropped. */
static int file_open(const char *path, unsigned index)
{
	autofree char *name = file_name(path, index);

	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)flock(fd, LOCK_SH); /* where files have no locks it may be dropped, no more */
	return fd;
}

/* Where a file of the log is now. */
static bool file_index(const char *path, const struct stat *file, unsigned *ret_index)
{
	for (unsigned index = 0, holes = 0; index < FILES_LIMIT && holes <= HOLES; index++) {
		autofree char *name = file_name(path, index);
		struct stat there;

		if (stat(name, &there) < 0) {
			holes++;
		} else if (is_same(&there, file)) {
			*ret_index = index;
			return true;
		}
	}
	return false;
}

/* The oldest file there is. */
static int open_oldest(const char *path)
{
	int fd = file_open(path, 0);

	for (unsigned index = 1, holes = 0; index < FILES_LIMIT && holes <= HOLES; index++) {
		int older = file_open(path, index);
		if (older < 0) {
			holes++;
			continue;
		}
		fd_close(&fd);
		fd = older;
	}
	return fd;
}

/* Find the file that follows the one being read, if nothing is added to that any more. */
static void find_next(struct log_cursor *cursor)
{
	struct stat here;
	unsigned index, again, attempts = 0;

	if (fstat(cursor->fd, &here) < 0)
		return;
	for (;;) {
		if (!file_index(cursor->path, &here, &index)) {
			struct stat there;
			autoclose int fd = open_oldest(cursor->path);
			if (fd < 0 || fstat(fd, &there) < 0 || is_same(&here, &there))
				return;
			cursor->has_lost = true;
			cursor->next_fd = take_fd(&fd);
			return;
		}
		if (index == 0)
			return;
		/* A free name is one that is about to be taken, unless somebody was killed just then. */
		unsigned next = index - 1;
		autoclose int fd = file_open(cursor->path, next);
		while (fd < 0 && next > 0 && ++attempts > FIND_ATTEMPTS)
			fd = file_open(cursor->path, --next);
		if (fd < 0 && next == 0)
			return;
		if (fd < 0)
			continue;
		if (file_index(cursor->path, &here, &again) && again == index) {
			cursor->next_fd = take_fd(&fd);
			return;
		}
	}
}

/* At the end of a file. Returns whether there may be more to read. */
static bool go_on(struct log_cursor *cursor)
{
	struct stat here;

	if (cursor->next_fd >= 0) {
		fd_close(&cursor->fd);
		cursor->fd = take_fd(&cursor->next_fd);
		/* An entry that a full disk has torn has its end nowhere. */
		cursor->buffer.size = cursor->at = 0;
		return true;
	}
	if (!(cursor->flags & LOG_CURSOR_FOLLOW) &&
	    (fstat(cursor->fd, &here) < 0 ||
	     (here.st_ino == cursor->last_inode && here.st_dev == cursor->last_device)))
		return false;
	find_next(cursor);
	return cursor->next_fd >= 0;
}

/* Where the last `*lines` lines of the file begin; *lines becomes how many more an older file has
 * to give. The file is read backwards, block by block. A line is counted where it ends, so the end
 * of the line before the first wanted one is what is looked for. *is_last: the file's last entry is also the log's. */
static int find_tail(int fd, int64_t *lines, bool *is_last, off_t *ret_at, struct err *err)
{
	autofree char *block = xmalloc(LOG_BLOCK_SIZE + HEADER_SIZE);
	struct stat status;

	if (fstat(fd, &status) < 0)
		return err_errno(err, "read log");
	*ret_at = 0;
	off_t next =
		status.st_size; /* where the entry after the newline that is looked at begins */
	if (next == 0)
		return 0;
	for (off_t end = status.st_size; end > 0;) {
		off_t begin = end > LOG_BLOCK_SIZE ? end - LOG_BLOCK_SIZE : 0;
		ssize_t n = pread(fd, block, (size_t)(end - begin) + HEADER_SIZE, begin);

		if (n < end - begin)
			return err_errno(err, "read log");
		/* Entries that begin in this block, from the last to the first. */
		for (off_t at = end - 1; at >= begin - (begin == 0); at--) {
			struct log_entry entry;
			off_t start = at + 1;

			if (at >= 0 && block[at - begin] != '\n')
				continue;
			size_t has = (size_t)(begin + n - start);
			if (start >= status.st_size ||
			    !entry_parse(block + (start - begin),
					 has < HEADER_SIZE ? has : HEADER_SIZE, &entry))
				continue;
			if (entry.is_whole || *is_last) {
				if (*lines == 0) {
					*ret_at = next;
					return 1;
				}
				--*lines;
			}
			*is_last = false;
			next = start;
		}
		end = begin;
	}
	return 0;
}

/* From the newest file back to the one where the tail begins. */
static int open_tail(struct log_cursor *cursor, int64_t lines, struct err *err)
{
	bool is_last = true;
	struct stat here, older_here;
	off_t at = 0;

	int r = find_tail(cursor->fd, &lines, &is_last, &at, err);
	for (unsigned index = 1, holes = 0; r == 0 && index < FILES_LIMIT && holes <= HOLES;
	     index++) {
		off_t older_at = 0;
		autoclose int older = file_open(cursor->path, index);
		if (older < 0) {
			holes++;
			continue;
		}
		if (fstat(cursor->fd, &here) < 0 || fstat(older, &older_here) < 0)
			return err_errno(err, "read log '%s'", cursor->path);
		if (is_same(&here, &older_here))
			continue; /* it has moved here meanwhile */
		r = find_tail(older, &lines, &is_last, &older_at, err);
		/* The tail may begin with the newer file exactly. */
		if (r < 0 ||
		    (r == 1 && fstat(older, &older_here) == 0 && older_at == older_here.st_size))
			break;
		fd_close(&cursor->fd);
		cursor->fd = take_fd(&older);
		at = older_at;
	}
	if (r < 0)
		return err_wrap(err, "log '%s'", cursor->path);
	if (lseek(cursor->fd, at, SEEK_SET) < 0)
		return err_errno(err, "read log '%s'", cursor->path);
	return 0;
}

int log_cursor_open(struct log_cursor *cursor, const char *path, int64_t tail,
		    enum log_cursor_flags flags, struct err *err)
{
	struct stat status;

	*cursor = LOG_CURSOR_EMPTY;
	cursor->path = path;
	cursor->flags = flags;
	cursor->fd = file_open(path, 0);
	if (cursor->fd < 0 || fstat(cursor->fd, &status) < 0)
		return err_errno(err, "open log '%s'", path);
	cursor->last_device = status.st_dev;
	cursor->last_inode = status.st_ino;
	if (tail >= 0)
		return open_tail(cursor, tail, err);
	fd_close(&cursor->fd);
	cursor->fd = open_oldest(path);
	return cursor->fd < 0 ? err_errno(err, "open log '%s'", path) : 0;
}

int log_cursor_open_journal(struct log_cursor *cursor, const char *id, int64_t tail,
			    enum log_cursor_flags flags, struct err *err)
{
	*cursor = LOG_CURSOR_EMPTY;
	cursor->flags = flags;
	return journal_reader_start(id, tail, flags & LOG_CURSOR_FOLLOW, &cursor->fd,
				    &cursor->journalctl, err);
}

/* ---- entries ---- */

/* What is in the buffer from `at` on. Returns whether it holds an entry, which may still turn out to be none of ours. */
static bool take_entry(struct log_cursor *cursor, const char *data, size_t size, struct err *err,
		       int *ret_error)
{
	struct journal_entry entry;

	if (cursor->path) {
		const char *newline = size ? memchr(data, '\n', size) : NULL;
		if (!newline)
			return false;
		cursor->at += (size_t)(newline - data) + 1;
		/* What is no entry was torn by a full disk. */
		cursor->has_entry = entry_parse(data, (size_t)(newline - data), &cursor->entry);
		return true;
	}
	ssize_t taken = journal_entry_parse(data, size, &entry);
	if (taken < 0)
		*ret_error = err_set(err, EBADMSG,
				     "read the journal: journalctl said what it should not");
	if (taken <= 0)
		return false;
	cursor->at += (size_t)taken;
	cursor->has_entry = entry.has_message;
	log_stamp_format(entry.usec * 1000, cursor->journal_stamp);
	cursor->entry = (struct log_entry){ .stamp = cursor->journal_stamp,
					    .stream = entry.priority <= 3,
					    .is_whole = !entry.is_partial,
					    .data = entry.message,
					    .size = entry.size };
	return true;
}

int log_cursor_advance(struct log_cursor *cursor, struct err *err)
{
	int r = 0;

	cursor->has_entry = false;
	while (cursor->fd >= 0) {
		const char *start = strbuf_text(&cursor->buffer) + cursor->at;
		size_t left = cursor->buffer.size - cursor->at;

		if (take_entry(cursor, start, left, err, &r)) {
			if (cursor->has_entry)
				return 0;
			continue;
		}
		if (r < 0)
			return r;
		if (left > LOG_ENTRY_LIMIT && cursor->path)
			left = 0;
		if (left)
			memmove(cursor->buffer.data, start, left);
		cursor->buffer.size = left;
		cursor->at = 0;
		strbuf_reserve(&cursor->buffer, LOG_BLOCK_SIZE);
		ssize_t n = read(cursor->fd, cursor->buffer.data + left, LOG_BLOCK_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return err_errno(err, "read log '%s'", cursor->path ?: "of the journal");
		if (n == 0 && !cursor->path) {
			fd_close(&cursor->fd);
			return journal_reader_end(&cursor->journalctl, err);
		}
		if (n == 0 && !go_on(cursor))
			return 0;
		cursor->buffer.size += (size_t)n;
	}
	return 0;
}

void log_cursor_clear(struct log_cursor *cursor)
{
	fd_close(&cursor->fd);
	fd_close(&cursor->next_fd);
	journal_reader_stop(&cursor->journalctl);
	strbuf_clear(&cursor->buffer);
}
