/* Starting a container: from its record to a running process with a monitor beside it. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct container;
struct restart_connections;
struct engine;
struct err;

enum start_flags {
	START_IS_RESTART = 1 << 1,  /* the caller has stopped it for this: events say so */
	START_HOLD = 1 << 2,	    /* all but its command, which waits for the next start */
	START_WITH_CLIENT = 1 << 0, /* the caller stays with it: see start_result.client_fd */
};

struct start_result {
	pid_t pid;
	int client_fd;	  /* connection to the monitor, for attach_run(); the caller's. -1 without
			  START_WITH_CLIENT */
	sigset_t signals; /* with START_WITH_CLIENT: see attach_hold_signals(), they are held */
};

/* Everything is made anew from the record: plan, network, cgroup. On failure nothing runs, nothing
 * of this start is left, and *ret_exit_code is 125, 126 or 127 as a shell is told. -EALREADY if it
 * runs, -EINVAL with START_HOLD if it is made already. */
int container_start(struct engine *engine, struct container *container, enum start_flags flags,
		    struct start_result *ret_result, int *ret_exit_code, struct err *err);

/* The same after its end, by its restart policy and for the monitor of the last run: its lock is held and it waits to be
 * started again. */
int container_start_again(struct engine *engine, struct container *container, uint32_t delay_msec,
			  const struct restart_connections *connections, struct err *err);
