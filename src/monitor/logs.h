/* Reading containers' logs, from files or the journal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* One container. Borrowed. */
struct logs_source {
	const char *path; /* of its log, see container-log.h; NULL: it is in the journal */
	const char
		*run_dir; /* for following: its directory under RUNROOT, NULL if it does not run */
	const char *prefix;	/* in front of each line, with a space; NULL for none */
	const char *journal_id; /* there, under this full ID */
	const char *color;	/* the terminal\'s sequence that begins each line; NULL for none */
};

enum logs_flags {
	LOGS_TIMESTAMPS = 1 << 0,
	LOGS_FOLLOW = 1 << 1, /* until every container has ended, and will not be started again */
};

struct logs_options {
	enum logs_flags flags;
	int64_t tail;			/* the last so many lines of each container; < 0: all */
	int64_t since_nsec, until_nsec; /* since 1970; 0: no bound. Both include their moment */
	int stdout_fd, stderr_fd;	/* where the container's stdout and stderr go */
};

/* Write the logs out. Lines of several containers come in the order of their times. What a single
 * container has written is given byte for byte (prompts without a newline too); of several only
 * whole lines are. -ENOENT where there is no log may be branched on; -EPIPE when the output is
 * closed. Of several containers one without a log has said nothing. */
int logs_read(const struct logs_source *sources, size_t count, const struct logs_options *options,
	      struct err *err);
