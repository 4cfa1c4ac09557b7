/* Containers: their records, and what is true of them now.
 *
 * The row in the database says what a container shall be and how it last ended; whether it runs is
 * asked of the kernel by way of the run directory. container_find() and container_list() already
 * put both together: a row that says "running" while nothing runs any more is reported as exited,
 * and container_cleanup() makes it so.
 *
 * A start first makes the run directory, then lets the row say "running", and ends with the pid
 * file; all the while it has the container's lock. So a row that says "running" without a pid file
 * is a start that is going on if somebody has the lock, and one that was killed if nobody has: then
 * the container is what it was before. Without a run directory it is from before a reboot. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/container-spec.h"
#include "engine/run-directory.h"

struct engine;
struct err;

#define CONTAINER_ID_DIGITS 64

enum container_state {
	CONTAINER_CREATED,     /* never started */
	CONTAINER_STARTING,    /* a command is at it in this moment; never in a row */
	CONTAINER_INITIALIZED, /* made but for its command, which waits; never in a row */
	CONTAINER_RUNNING,
	CONTAINER_EXITED,
	CONTAINER_RESTARTING, /* it ended, and its monitor waits to start it again */
	CONTAINER_STATE_COUNT,
};

struct container {
	char *id; /* CONTAINER_ID_DIGITS hex digits */
	char *name;
	char *image_id, *image_name; /* NULL with --rootfs */
	char *command;		     /* argv in one line, for people */
	char *ports;	 /* as in struct container_spec, one a line; "" for none; those of
					the container whose network it shares */
	char *labels;	 /* JSON object, NULL for none */
	char *spec_text; /* JSON, NULL when not asked for */
	char *head_layer, *upper_move; /* see container-own-layers.h; mostly NULL both */
	int64_t created_nsec, started_nsec, finished_nsec; /* since the epoch, 0: not yet */
	enum container_state state;
	int exit_code;
	int64_t restart_count; /* since the user has started it */
	bool oom_killed, auto_remove;
	bool stopped_by_user; /* where that matters, see container_starts_on_boot() */
	bool needs_cleanup;   /* it ended, and what it used is still to be put away */
	int lock_fd;	      /* see CREATE_TO_START; else -1 */
	struct run_status run;
};

enum container_details {
	CONTAINER_WITH_SPEC = 1 << 0, /* spec_text too */
	CONTAINER_IS_LOCKED = 1 << 1, /* the caller has its lock: it is nobody else who starts it */
};

/* Is there a process of it, whether its command runs or is yet to be started? */
static inline bool container_is_alive(const struct container *container)
{
	return container->state == CONTAINER_RUNNING || container->state == CONTAINER_INITIALIZED;
}

/* Does it neither run, nor is about to? */
static inline bool container_is_over(const struct container *container)
{
	return container->state == CONTAINER_EXITED || container->state == CONTAINER_CREATED;
}

const char *container_state_name(enum container_state state);
/* It waits for its next start by its policy, or that is going on. */
bool container_is_restarting(const struct container *container);
/* The word for people and filters, where a paused container is not called running, and one that is being started by its
 * policy is not called otherwise than while it waits for that. */
const char *container_status_name(const struct container *container);

/* By name, ID or a prefix of the ID that only one has. -ENOENT: "no such container"; -ENOTUNIQ:
 * several. */
int container_find(struct engine *engine, const char *name, enum container_details details,
		   struct container **ret_container, struct err *err);
/* The one that was made last. -ENOENT if there is none. */
int container_find_latest(struct engine *engine, enum container_details details,
			  struct container **ret_container, struct err *err);
void container_free(struct container *container);

/* All of them, oldest first; the array and its members are owned by the caller,
 * container_list_free() releases both. */
int container_list(struct engine *engine, enum container_details details,
		   struct container ***ret_list, size_t *ret_count, struct err *err);
void container_list_free(struct container **list, size_t count);

/* The spec of a container that was found with CONTAINER_WITH_SPEC. */
int container_spec_of(const struct container *container, struct container_spec **ret_spec,
		      struct err *err);

enum create_flags {
	/* It is to be started by the caller at once: it is born locked and being started, so that
	 * nobody sees it in between, and when the caller is killed everybody sees that. The lock is
	 * in container->lock_fd, and container_start() takes it. */
	CREATE_TO_START = 1 << 0,
};

/* Make the record (state created) and its directory. `name` NULL: one is made up. -EEXIST: the name
 * is taken, the message names the container that has it. The container is found again with its
 * spec, which the ID ranges of --userns auto are put into. */
int container_create(struct engine *engine, struct container_spec *spec, const char *name,
		     enum create_flags flags, struct container **ret_container, struct err *err);

/* Another name; -EEXIST if it is taken, -EINVAL if it is none. */
int container_rename(struct engine *engine, const struct container *container, const char *name,
		     struct err *err);

/* Another spec, for the next start. The caller has the lock. */
int container_set_spec(struct engine *engine, const char *id, const struct container_spec *spec,
		       struct err *err);

/* One at a time may start, clean up or remove a container; the lock goes with the descriptor.
 * -ENOENT: the container was removed meanwhile. */
int container_lock(struct engine *engine, const char *id, int *ret_fd, struct err *err);

/* See to it that nobody starts or ends the container while we look: a lock as long as *ret_fd is open,
 * -1 where there is no directory to lock. Returns false if somebody is at it. */
bool container_keep_still(const struct engine *engine, const char *id, int *ret_fd);

/* Ask the kernel again. */
void container_refresh(struct engine *engine, struct container *container,
		       enum container_details details);

/* If somebody is starting it, wait until that is over, and find it again. -ENOENT: it is gone. */
int container_settle(struct engine *engine, struct container *container, struct err *err);

/* Find it again, with its spec, in place. The caller has the lock. */
int container_find_again(struct engine *engine, struct container *container, struct err *err);

/* The lock, and then the container as it is under it, with its spec: others may have started, ended or removed it since
 * the caller has learned of it. The lock goes with *ret_lock_fd. -ENOENT: it was removed meanwhile. */
int container_find_locked(struct engine *engine, const char *id, struct container **ret_container,
			  int *ret_lock_fd, struct err *err);
/* The same for one that was found before, in place. */
int container_lock_found(struct engine *engine, struct container *container, int *ret_lock_fd,
			 struct err *err);

/* Rows, for the rest of this folder. How it ended the last time stays in the row while it runs, and
 * counts again if the start comes to nothing. */
int container_set_running(struct engine *engine, const char *id, int64_t started_nsec,
			  int64_t restart_count, struct err *err);
/* The policy is about to start it again: who looks meanwhile sees a start that is going on. */
int container_set_starting_again(struct engine *engine, const char *id, int exit_code,
				 bool oom_killed, int64_t finished_nsec, struct err *err);
int container_set_exited(struct engine *engine, const char *id, int exit_code, bool oom_killed,
			 int64_t finished_nsec, struct err *err);
int container_set_stopped_by_user(struct engine *engine, const char *id, struct err *err);
int container_set_created(struct engine *engine, const char *id, struct err *err);
/* -EBUSY: others need it. */
int container_delete_row(struct engine *engine, const char *id, struct err *err);
/* Volumes that it alone was given without a name. */
int container_anonymous_volumes(struct engine *engine, const char *id, struct strlist *names,
				struct err *err);
char *container_directory(const struct engine *engine, const char *id);
char *container_run_directory(const struct engine *engine, const char *id);

static inline void container_free_auto(struct container **at)
{
	container_free(*at);
}
#define autocontainer __attribute__((cleanup(container_free_auto)))
