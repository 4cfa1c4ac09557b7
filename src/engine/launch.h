/* What the start of a container and that of one more process in it have in common. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct container_spec;
struct engine;
struct oci_runtime_config;
struct seccomp_filter;

/* The standard streams of a process without a terminal: [0] to read, [1] to write, -1 where there is none. */
struct launch_pipes {
	int stdin_fds[2], stdout_fds[2], stderr_fds[2];
};

#define LAUNCH_PIPES_NONE ((struct launch_pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } })

/* Descriptors that are open on failure are the caller's, who is about to end. */
int launch_pipes_open(struct launch_pipes *pipes, bool with_stdin, struct err *err);

/* The compiled filter of the container's profile, out of the cache. Left as it is for a container without one. */
int launch_load_filter(struct engine *engine, const struct container_spec *spec, uint64_t bounding,
		       struct seccomp_filter *filter, struct err *err);

#define LAUNCH_CLEANUP_WORDS 14 /* room for two more */

/* What a monitor becomes when nobody else cleans up: an argument vector of borrowed words, NULL at its end. Returns how
 * many there are. */
size_t launch_cleanup_words(const struct engine *engine, const char *id,
			    const char *words[LAUNCH_CLEANUP_WORDS]);

/* All filters of the configuration: that one, with the agent that answers where it notifies, and the one that records. */
int launch_load_filters(struct engine *engine, const struct container_spec *spec,
			struct oci_runtime_config *config, struct err *err);

/* What a launcher tells the command, in the memory that they share. */
struct launch_report {
	bool is_made;  /* false: it was killed before it could say anything */
	int exit_code; /* 0: it runs */
	pid_t pid;     /* of what was launched */
	struct err err;
};

/* Run `body` in a child process that works on our memory while we stand still, until it executes another program or
 * ends, and hear what came of it. It is born in the control group `cgroup_fd`, see vfork_into(). Returns the launcher's
 * number when `report` says that all is well: it has to be waited for only if it ends by itself. Else its error, and
 * it has been waited for. */
pid_t launch_and_hear(int (*body)(void *arg), void *arg, int cgroup_fd,
		      struct launch_report *report, struct err *err);

/* The body's first step: signals that the command holds, see attach_hold_signals(), are not held in the processes that
 * come of the launcher. */
void launch_open_signals(void);
