/* The command prepares everything that can be prepared (directories, files, plan, filter), then starts the launcher.
 * The launcher makes the container, so that it is its parent, and becomes the monitor by execve(2). So the monitor is
 * tiny although it was made by all this code, and nobody is re-parented.
 *
 *	command                        launcher
 *	prepare, cgroup ─────────────→ runtime_spawn
 *	   │ (stands still)            network while the child mounts
 *	   │                           runtime_ready, pid file, runtime_exec
 *	read the report ←───────────── execve davit-monitor
 *	attach or leave
 *
 * Whoever of the two is killed, the other one notices: by the report that is missing, or by the socket between them. */
#include "engine/container-start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/timing.h"
#include "engine/container-end.h"
#include "engine/container-mount.h"
#include "engine/container-own-layers.h"
#include "engine/container-restart.h"
#include "engine/container-spec.h"
#include "engine/container-start-internal.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/held-start.h"
#include "monitor/attach.h"
#include "monitor/launch.h"
#include "monitor/restart.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"

static void start_clear(struct start *start)
{
	container_spec_free(start->spec);
	oci_runtime_config_free(start->config);
	identity_clear(&start->identity);
	container_map_clear(&start->map);
	container_files_clear(&start->files);
	container_network_clear(&start->network);
	shared_namespaces_clear(&start->shared);
	container_cgroup_clear(&start->cgroup);
	free(start->directory);
	free(start->run_dir);
	free(start->init_path);
	free(start->hostname);
	strlist_clear(&start->journal_fields);
	fd_close(&start->journal_fd);
	fd_close(&start->made.user_fd);
	fd_close(&start->made.network_fd);
	fd_close(&start->client_fds[0]);
	fd_close(&start->client_fds[1]);
}

/* Start the launcher and hear how it went. */
static int run_launcher(struct start *start, pid_t *ret_pid, int *ret_exit_code, struct err *err)
{
	pid_t pid = launch_and_hear(start_launcher, start, start->cgroup.monitors_fd,
				    &start->report, err);

	fd_close(&start->client_fds[1]);
	if (pid < 0) {
		*ret_exit_code = start->report.exit_code ?: RUNTIME_FAILED;
		return pid == -ECHILD
			       ? err_wrap(err, "start container '%s'", start->container->name)
			       : pid;
	}
	*ret_pid = start->report.pid;
	return 0;
}

/* As if it had never been started. */
static void put_row_back(const struct start *start, bool was_created)
{
	struct err ignored; /* the row tells how a run ended that went on, until the next one */

	if (was_created)
		(void)container_set_created(start->engine, start->container->id, &ignored);
	else
		(void)container_set_exited(
			start->engine, start->container->id, start->container->exit_code,
			start->container->oom_killed, start->container->finished_nsec, &ignored);
}

/* Undo what the command itself prepared. */
static void forget_start(struct start *start, bool was_created)
{
	struct err ignored; /* the failure of the start is the one to tell; what stays is cleaned up
			       by the next command */

	/* The control group is ours to remove, and all else where the launcher was killed. */
	if (start->spec)
		(void)container_release(start->engine, start->container, start->spec, &ignored);
	put_row_back(start, was_created);
	(void)file_remove_tree(AT_FDCWD, start->run_dir, &ignored);
}

/* The lock is held; since the caller has found it, others may have started, ended or removed it.
 * Whatever is left of its last run has to go before the next: an old exit file would tell of the new
 * run that it is over. */
static int look_again(struct engine *engine, struct container *container, struct err *err)
{
	for (;;) {
		int r = container_find_again(engine, container, err);
		if (r < 0)
			return r;
		if (container->state == CONTAINER_RUNNING)
			return err_set(err, EALREADY, "container %s is already running",
				       container->name);
		if (container->state == CONTAINER_INITIALIZED)
			return 0;
		if (container->state == CONTAINER_RESTARTING)
			r = container_end_restarts_locked(engine, container, err);
		else if (container->needs_cleanup)
			r = container_cleanup_locked(engine, container, err);
		else
			break;
		if (r < 0)
			return r;
	}
	container_forget_mount(engine, container->id);
	return container_finish_move(engine, container, err);
}

/* From here on everybody sees that it is being started; see container.h for the order. */
static int announce(struct start *start, struct err *err)
{
	struct timespec now;

	int r = file_make_dirs(AT_FDCWD, start->run_dir, 0700, err);
	clock_gettime(CLOCK_REALTIME, &now);
	return r < 0 ? r
		     : container_set_running(start->engine, start->container->id,
					     now.tv_sec * INT64_C(1000000000) + now.tv_nsec,
					     start->restart_count, err);
}

/* What takes the kernel longest is begun first, as far as the record tells that it will be needed. */
static void expect_namespaces(const struct start *start)
{
	const char *network = start->spec->network_mode ?: "none";

	if (start->spec->userns_mode)
		return;
	engine_expect_userns(start->engine);
	if (strcmp(network, "none") == 0 || strcmp(network, "bridge") == 0)
		engine_expect_netns(start->engine);
}

/* The lock is held and nothing of an earlier run is left. */
static int start_locked(struct start *start, enum start_flags flags,
			struct start_result *ret_result, int *ret_exit_code, struct err *err)
{
	struct engine *engine = start->engine;
	struct container *container = start->container;
	bool was_created = container->state == CONTAINER_CREATED;

	if (!was_created)
		container_forget_restart_error(engine, container->id);

	*ret_exit_code = RUNTIME_FAILED;
	start->directory = container_directory(engine, container->id);
	start->run_dir = container_run_directory(engine, container->id);
	int r = container_spec_of(container, &start->spec, err);
	if (r == 0 && !start->is_announced) {
		expect_namespaces(start);
		r = announce(start, err);
	}
	if (r == 0 && (flags & START_WITH_CLIENT))
		r = monitor_socketpair(start->client_fds, err);
	timing_mark("record");
	if (r == 0)
		r = start_prepare(start, ret_exit_code, err);
	bool is_held = r == 0 && (flags & START_WITH_CLIENT);
	if (is_held)
		attach_hold_signals(&ret_result->signals);
	if (r == 0)
		r = run_launcher(start, &ret_result->pid, ret_exit_code, err);
	if (r < 0 && is_held)
		attach_release_signals(&ret_result->signals);
	if (r < 0) {
		forget_start(start, was_created);
	} else {
		ret_result->client_fd = take_fd(&start->client_fds[0]);
		if (start->is_held)
			put_row_back(start, was_created);
		/* who sends signals needs its process */
		container_refresh(engine, container, CONTAINER_IS_LOCKED);
	}
	engine_forget_namespaces(engine);
	start_clear(start);
	return r;
}

/* The lock is held, and all of it is made but its command. */
static int go_on(struct start *start, enum start_flags flags, struct start_result *ret_result,
		 int *ret_exit_code, struct err *err)
{
	if (flags & START_HOLD)
		return err_set(err, EINVAL,
			       "container %s is initialized already; start it with 'davit start "
			       "%s'",
			       start->container->name, start->container->name);
	start->directory = container_directory(start->engine, start->container->id);
	start->run_dir = container_run_directory(start->engine, start->container->id);
	ret_result->client_fd = -1;
	int r = container_spec_of(start->container, &start->spec, err);
	if (r == 0)
		r = held_start_go_on(start, flags & START_WITH_CLIENT, ret_result, ret_exit_code,
				     err);
	if (r == 0)
		container_refresh(start->engine, start->container, CONTAINER_IS_LOCKED);
	start_clear(start);
	return r;
}

int container_start(struct engine *engine, struct container *container, enum start_flags flags,
		    struct start_result *ret_result, int *ret_exit_code, struct err *err)
{
	struct start start = START_EMPTY;
	autoclose int lock_fd = -1;

	start.engine = engine;
	start.container = container;
	start.restart_delay_msec = RESTART_DELAY_MSEC;
	start.is_restart = flags & START_IS_RESTART;
	start.is_held = flags & START_HOLD;
	*ret_exit_code = RUNTIME_FAILED;
	if (container->lock_fd >= 0) { /* made for this start: nobody else has touched it */
		lock_fd = take_fd(&container->lock_fd);
		start.is_announced = true;
		return start_locked(&start, flags, ret_result, ret_exit_code, err);
	}
	int r = container_lock(engine, container->id, &lock_fd, err);
	if (r == 0)
		r = look_again(engine, container, err);
	if (r == 0 && container->state == CONTAINER_INITIALIZED)
		return go_on(&start, flags, ret_result, ret_exit_code, err);
	return r < 0 ? r : start_locked(&start, flags, ret_result, ret_exit_code, err);
}

int container_start_again(struct engine *engine, struct container *container, uint32_t delay_msec,
			  const struct restart_connections *connections, struct err *err)
{
	struct start start = START_EMPTY;

	start.engine = engine;
	start.container = container;
	start.restart_count = container->restart_count + 1;
	start.restart_delay_msec = delay_msec;
	start.connections = connections;
	start.is_restart = true;
	int r = container_put_away_locked(engine, container, err);
	if (r < 0)
		return r;
	container_forget_mount(engine, container->id);
	/* Ours is closed when the launcher has its own. */
	if (connections->client_fd >= 0)
		start.client_fds[1] = fcntl(connections->client_fd, F_DUPFD_CLOEXEC, 3);
	return start_locked(&start, 0, &(struct start_result){ 0 }, &(int){ 0 }, err);
}
