/* The event log: one line for each deed, in ROOT/events.
 *
 * Any number of processes append, any number read and follow; nobody keeps it open for long. It is two files, `log` and
 * the one before it, `log.1`: when `log` has grown to its limit it becomes `log.1`. Each begins with a line that
 * numbers it, by which a reader knows what follows what. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;

#define EVENT_LOG_LINE_MAX (64 * 1024) /* longer ones are refused, and passed over by readers */

/* Append lines, each of which ends with a line break, as one piece. `directory` is ROOT/events, made when it is
 * missing. */
int event_log_append(const char *directory, const char *lines, size_t size, int64_t max_bytes,
		     struct err *err);

struct event_reader;

enum event_reader_flags {
	EVENT_READER_FOLLOW = 1 << 0, /* event_reader_fd() will tell of more */
	EVENT_READER_NEWS = 1 << 1,   /* only lines that are written from now on */
};
int event_reader_open(const char *directory, enum event_reader_flags flags,
		      struct event_reader **ret_reader, struct err *err);
void event_reader_close(struct event_reader *reader);

static inline void event_reader_close_auto(struct event_reader **at)
{
	event_reader_close(*at);
}
#define autoevent_reader __attribute__((cleanup(event_reader_close_auto)))

/* The next line, without its end; borrowed until the next call. 1, or 0 when there is none yet. Lines that a killed
 * writer or a power cut has torn are passed over. */
int event_reader_next(struct event_reader *reader, const char **ret_line, size_t *ret_size,
		      struct err *err);

/* To poll for reading while there is no next line; -1 without EVENT_READER_FOLLOW. */
int event_reader_fd(const struct event_reader *reader);
/* It became readable: ask for the next line again. -ENOENT: the log was removed, as by a reset. */
int event_reader_heard(struct event_reader *reader, struct err *err);

/* How many files were replaced twice before this reader came to them, so that their lines are lost for it. */
uint64_t event_reader_missed(const struct event_reader *reader);
