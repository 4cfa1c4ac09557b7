/* The end of a container: signals, waiting, putting away what it used, removing it. Stopping it: container-stop.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/container-restart.h"

struct container;
struct container_spec;
struct engine;
struct err;
struct strlist;

/* Each of these waits for a start that is going on, and then means the container that is there. */

/* The init as a descriptor, checked to be the one that was written down. -ESRCH if it is gone. */
int container_open_init(struct engine *engine, const struct container *container, int *ret_fd,
			struct err *err);

/* Send a signal to the container's init. -ESRCH if it does not run. A signal that asks it to end also ends the restarts
 * by its policy, for the reason `why`, and is enough to end one that waits for such a restart. */
int container_kill(struct engine *engine, struct container *container, int signal,
		   enum restart_end why, struct err *err);

/* Wait until it has ended, will not be started again, and is put away. *ret_exit_code is as a shell shows it, -1 if nobody knows. */
int container_wait(struct engine *engine, const struct container *container, int *ret_exit_code,
		   struct err *err);

/* Put away what a container that ended has used: cgroup, ports, run directory; write down how it
 * ended; remove it if it was made so (--rm). Doing it twice, or at the same time as somebody else,
 * is fine. Does nothing when it runs. */
int container_cleanup(struct engine *engine, const char *id, struct err *err);

/* The same, but directories that nobody knows any more, and that their owner can remove without
 * further ado, are not removed: they are added to `left`, in the order in which they have to go. */
int container_cleanup_but(struct engine *engine, const char *id, struct strlist *left,
			  struct err *err);

/* The same for one who holds its lock and has found it since. */
int container_cleanup_locked(struct engine *engine, const struct container *container,
			     struct err *err);

/* The same for one that is to be started again: it stays, also with --rm. Its lock is held, its init has ended. */
int container_put_away_locked(struct engine *engine, const struct container *container,
			      struct err *err);

/* Let go of what the kernel still holds for it: control group, addresses, ports. Its lock is held, its
 * init has ended, its run directory is still there. */
int container_release(struct engine *engine, const struct container *container,
		      const struct container_spec *spec, struct err *err);

enum remove_flags {
	REMOVE_FORCE = 1 << 0,	    /* stop it first */
	REMOVE_VOLUMES = 1 << 1,    /* its anonymous volumes too */
	REMOVE_DEPENDENTS = 1 << 2, /* first those that need it */
};

/* -EBUSY if it runs and REMOVE_FORCE is not given. -EEXIST if others need it. One that somebody starts meanwhile is stopped
 * like one that ran before. */
int container_remove(struct engine *engine, const struct container *container,
		     enum remove_flags flags, int64_t timeout_sec, struct err *err);
