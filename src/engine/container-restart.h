/* Restart policies: what follows when a container has ended.
 *
 * At each start the policy of the record becomes a file in the run directory (monitor/restart.h), unless it holds no
 * longer. The monitor acts on the file: it waits, and has container_restart() called. Commands that end a container for
 * the user's sake take the file away first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container;
struct container_spec;
struct engine;
struct err;

/* Read --restart: "no", "never", "always", "unless-stopped", "on-failure[:RETRIES]". *ret_policy is static and NULL
 * for none; *ret_retries 0 means any number. */
int restart_policy_parse(const char *text, const char **ret_policy, int64_t *ret_retries,
			 struct err *err);

/* Put --restart into a spec. -EINVAL too if it does not go with the rest of it: --rm, the log driver. */
int restart_policy_apply(const char *text, struct container_spec *spec, struct err *err);

/* Why a container is to end for good. */
enum restart_end {
	RESTART_END_STOPPED, /* it stays so over the next boot, where its policy is "unless-stopped" */
	RESTART_END_UNTIL_BOOT, /* the machine goes down, and the container with it; or it is not healthy */
};

/* For a start: write the file if the policy holds for the end of this run. `count` starts by the policy came
 * before it. */
int container_write_restart(const char *run_dir, const struct container_spec *spec, int64_t count,
			    uint32_t delay_msec, struct err *err);

/* The policy of a container that runs, or waits to be started again, has changed. One that waits and is not to be started
 * any more has ended. The lock is held. */
int container_change_restart_locked(struct engine *engine, struct container *container,
				    const struct container_spec *spec, struct err *err);

/* Whatever its policy is, a start follows the end of this run. */
int container_want_restart(struct engine *engine, const struct container *container,
			   struct err *err);

/* Is it to be started with the machine? With "always" whatever has become of it, with "unless-stopped" if it was not the
 * user who has ended it; if it was ever started. */
bool container_starts_on_boot(const struct container *container, const struct container_spec *spec);

/* The user wants it to end, or to stay as it is: whatever its end will be, no start follows. One that only waits to be
 * started again is cleaned up and has ended then. Returns the enum container_state that it was found in; where nothing
 * runs nor waits, CONTAINER_EXITED, also if it was removed meanwhile. */
int container_end_restarts(struct engine *engine, const char *id, enum restart_end why,
			   struct err *err);
/* The same for one who holds its lock and has found it since. */
int container_end_restarts_locked(struct engine *engine, struct container *container,
				  struct err *err);

/* What the monitor of the last run hands on to that of the next. */
struct restart_connections {
	int client_fd; /* of the command in the foreground, -1: none */
	const int *late_fds;
	size_t late_count;
};

/* Start a container again that waits for it; clean it up where it does not any more. */
int container_restart(struct engine *engine, const char *id,
		      const struct restart_connections *connections, struct err *err);

/* Why the last start by policy has failed, which ended the policy; NULL or "" if none has. Owned by the caller. */
char *container_restart_error(const struct engine *engine, const char *id);
void container_forget_restart_error(const struct engine *engine, const char *id);
