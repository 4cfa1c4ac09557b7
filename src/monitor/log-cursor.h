/* A cursor over what one container has written, entry by entry: over the files of container-log.h, oldest first, or
 * over what journalctl(1) tells. For logs.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

struct err;

enum {
	LOG_STAMP_SIZE = 30, /* "2016-10-06T00:17:09.669794202Z" */
	LOG_BLOCK_SIZE = 65536,
	LOG_ENTRY_LIMIT = 1 << 20, /* longer ones are not ours */
};

/* Borrowed from the cursor until it moves on. */
struct log_entry {
	const char *stamp; /* LOG_STAMP_SIZE bytes */
	int stream;	   /* 0 stdout, 1 stderr */
	bool is_whole;	   /* ends its line */
	const char *data;
	size_t size;
};

enum log_cursor_flags {
	LOG_CURSOR_FOLLOW =
		1
		<< 0, /* go on with what will be written; else to the end of what is there at first */
};

struct log_cursor {
	bool has_entry;
	struct log_entry entry;
	bool has_lost; /* files were dropped before they could be read */
	/* The rest is its own. */
	const char *path; /* NULL: the journal */
	enum log_cursor_flags flags;
	int fd, next_fd;   /* being read, and the file that follows it; the latter mostly -1 */
	dev_t last_device; /* of the file to stop at without FOLLOW */
	ino_t last_inode;
	pid_t journalctl;
	char journal_stamp[LOG_STAMP_SIZE + 1];
	struct strbuf buffer;
	size_t at; /* of the next entry in `buffer` */
};

#define LOG_CURSOR_EMPTY                                                                           \
	((struct log_cursor){ .fd = -1, .next_fd = -1, .journalctl = -1, .buffer = STRBUF_EMPTY })

/* Open it at the last `tail` lines, at the first entry if that is negative. `path` is borrowed. -ENOENT: there is no
 * log yet. */
int log_cursor_open(struct log_cursor *cursor, const char *path, int64_t tail,
		    enum log_cursor_flags flags, struct err *err);

/* The same for the container with this full ID in the journal, where `tail` counts entries. No log yet is an empty
 * one here. */
int log_cursor_open_journal(struct log_cursor *cursor, const char *id, int64_t tail,
			    enum log_cursor_flags flags, struct err *err);

/* Go to the next entry; has_entry tells if there is one by now. */
int log_cursor_advance(struct log_cursor *cursor, struct err *err);

void log_cursor_clear(struct log_cursor *cursor);

void log_stamp_format(int64_t nsec, char text[LOG_STAMP_SIZE + 1]);
