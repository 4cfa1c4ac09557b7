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
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-cgroup.h"
#include "engine/container-dependencies.h"
#include "engine/container-end.h"
#include "engine/container-files.h"
#include "engine/container-map.h"
#include "engine/container-network.h"
#include "engine/container-restart.h"
#include "engine/container-users.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "engine/identity.h"
#include "engine/launch.h"
#include "engine/log-driver.h"
#include "engine/plan.h"
#include "engine/shared-namespaces.h"
#include "engine/shared-userns.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/seccomp.h"
#include "monitor/attach.h"
#include "monitor/journal.h"
#include "monitor/launch.h"
#include "monitor/restart.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"
#include "store/store.h"

/* All that the launcher needs, made before it starts. */
struct start {
	struct engine *engine;
	struct container *container;
	struct container_spec *spec;
	struct oci_runtime_config *config;
	struct identity identity;
	struct container_map map;
	struct container_files files;
	struct container_network network;
	struct container_cgroup cgroup;
	struct shared_namespaces shared;
	char *directory, *run_dir, *init_path, *hostname;
	int userns_fd;	   /* to join, -1: make one */
	int client_fds[2]; /* command's end, monitor's end */
	int journal_fd;
	struct strlist journal_fields;
	int64_t restart_count;
	uint32_t restart_delay_msec;
	const struct restart_connections *connections; /* of the run before, NULL: none */
	bool is_announced; /* its row says already that it is being started */
	struct launch_report report;
};

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
	fd_close(&start->userns_fd);
	fd_close(&start->client_fds[0]);
	fd_close(&start->client_fds[1]);
}

/* The files that are mounted into it, too, have to belong to the container's root. */
static int map_files(struct start *start, struct err *err)
{
	static const char *const files[] = { "hostname", ".containerenv", "hosts", "resolv.conf" };
	autostrlist struct strlist paths = STRLIST_EMPTY;

	if (!start->map.is_own)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofree char *path = path_join(start->run_dir, files[i]);
		struct stat st;
		/* One with two names is another container's too, whose root it belongs to. */
		if (stat(path, &st) == 0 && st.st_nlink == 1)
			strlist_take(&paths, take_ptr(&path));
	}
	if (start->identity.passwd_line)
		strlist_take(&paths, path_join(start->run_dir, "passwd"));
	if (start->identity.group_line)
		strlist_take(&paths, path_join(start->run_dir, "group"));
	return container_files_map(start->engine, start->spec, &start->map, start->directory,
				   &paths, &start->files, err);
}

/* /run/.containerenv tells programs that they run in a container; for privileged ones it also tells
 * in which. */
static int write_container_env(struct start *start, struct err *err)
{
	const struct container *container = start->container;
	autofree char *text = xstrdup("");

	if (start->spec->privileged) {
		free(text);
		text = xasprintf("engine=\"davit\"\nname=\"%s\"\nid=\"%s\"\nimage=\"%s\"\nimageid="
				 "\"%s\"\nrootless=%d\n",
				 container->name, container->id, start->spec->image_name ?: "",
				 start->spec->image_id ?: "", start->engine->is_rootless);
	}
	autofree char *path = path_join(start->run_dir, ".containerenv");
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_IN_PLACE, err);
}

static int open_join_namespace(struct engine *engine, const struct userns_map *map)
{
	pid_t pid = engine_join_pid_of(engine, map);

	if (pid <= 0)
		return -1;
	autofree char *path = xasprintf("/proc/%d/ns/user", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int prepare_log(struct start *start, struct err *err)
{
	const char *name = start->container->name;

	if (log_driver_is(start->spec, "passthrough") &&
	    (start->spec->tty || isatty(STDIN_FILENO) || isatty(STDOUT_FILENO) ||
	     isatty(STDERR_FILENO)))
		return err_set(err, ENOTTY,
			       "container '%s': the log driver passthrough cannot be used on a "
			       "terminal, which the container could type into; use k8s-file",
			       name);
	if (!log_driver_is(start->spec, "journald"))
		return 0;
	start->journal_fd = journal_connect();
	if (start->journal_fd < 0)
		return err_set(err, -start->journal_fd,
			       "container '%s': journald does not listen on '%s': %s; use "
			       "--log-driver k8s-file",
			       name, JOURNAL_SOCKET, strerror(-start->journal_fd));
	return log_driver_journal_fields(start->engine, start->container, start->spec,
					 &start->journal_fields, err);
}

/* Only for who asks for a start: a container that its policy starts again does not bring back another
 * one that somebody has stopped. */
static int start_needed(struct start *start, struct err *err)
{
	return start->connections ? 0 : container_start_needed(start->engine, start->spec, err);
}

static int prepare(struct start *start, struct err *err)
{
	struct sysinfo host;
	const struct strlist *layers = &start->files.layer_dirs;
	struct store *store;

	int r = container_spec_of(start->container, &start->spec, err);
	if (r == 0)
		r = container_map_of(start->engine, start->spec, &start->map, err);
	if (r == 0)
		r = engine_store(start->engine, &store, err);
	if (r == 0)
		r = start_needed(start, err);
	if (r == 0)
		r = shared_userns_open(start->engine, start->spec, &start->map,
				       &start->shared.userns_fd, err);
	if (r == 0)
		r = shared_namespaces_open(start->engine, start->spec, &start->map.map,
					   &start->shared, err);
	if (r == 0)
		r = prepare_log(start, err);
	if (r == 0)
		r = container_files_find(start->engine, start->spec, &start->map, &start->files,
					 err);
	if (r == 0)
		r = identity_resolve(layers, start->spec->user, &start->spec->groups,
				     &start->identity, err);
	if (r == 0)
		container_users_plan(layers, start->spec, &start->identity);
	if (r == 0)
		r = container_files_make(start->spec, &start->files, start->directory, err);
	if (r == 0)
		r = container_users_write(layers, &start->identity, start->run_dir, err);
	if (r == 0) {
		start->hostname = shared_namespaces_hostname(start->engine, start->container->id,
							     start->spec);
		r = container_network_prepare(&start->network, start->engine, start->container,
					      start->spec, &start->shared, layers, start->hostname,
					      start->run_dir, err);
	}
	if (r == 0)
		r = write_container_env(start, err);
	if (r == 0)
		r = health_begin(start->run_dir, start->spec, err);
	if (r == 0)
		r = container_write_restart(start->run_dir, start->spec, start->restart_count,
					    start->restart_delay_msec, err);
	if (r == 0)
		r = map_files(start, err);
	if (r == 0)
		r = container_files_fill_volumes(start->engine, start->spec, &start->map,
						 &start->identity, &start->files, err);
	if (r < 0)
		return r;
	timing_mark("directories and files");

	start->init_path = engine_helper_path(start->engine, "davit-init");
	autofree char *volumes = store_path(store, STORE_VOLUMES);
	autofree char *cgroups_path = container_cgroup_path(start->spec, start->container->id);
	struct plan_input input = {
		.spec = start->spec,
		.settings = &start->engine->settings,
		.identity = &start->identity,
		.map = &start->map.map,
		.is_rootless = start->engine->is_rootless,
		.id = start->container->id,
		.name = start->container->name,
		.shared = &start->shared,
		.hostname = start->hostname,
		.container_dir = start->directory,
		.run_dir = start->run_dir,
		.map_name = container_map_is_copied(start->engine, &start->map) ? start->map.name
										: NULL,
		.volumes_dir = volumes,
		.store_dir = start->engine->root,
		.init_path = start->init_path,
		.layer_dirs = container_files_dirs(&start->files),
		.skeleton = start->files.skeleton,
		.cgroups_path = cgroups_path,
		.host_memory_bytes =
			sysinfo(&host) == 0 ? (uint64_t)host.totalram * host.mem_unit : 0,
		.available_capabilities =
			start->map.map.is_identity ? capability_bounding() : capability_all(),
		.host_has_mqueue = access("/dev/mqueue", F_OK) == 0,
	};
	r = plan_container(&input, &start->config, err);
	if (r == 0)
		strlist_extend(&start->config->own_paths, &start->files.own_paths);
	if (r == 0)
		r = launch_load_filter(start->engine, start->spec,
				       start->config->process.capabilities.bounding,
				       &start->config->seccomp, err);
	if (r < 0)
		return r;
	/* With --userns private and auto it has one that no other container lives in. */
	bool is_private =
		start->spec->userns_size || (start->spec->userns_mode && !start->map.is_own);
	if (start->shared.userns_fd >= 0)
		start->userns_fd = take_fd(&start->shared.userns_fd);
	else if (!start->map.map.is_identity && !is_private)
		start->userns_fd = open_join_namespace(start->engine, &start->map.map);
	timing_mark("plan and filter");
	r = container_cgroup_prepare(&start->cgroup, start->engine, start->spec,
				     start->container->id, start->config, start->run_dir, err);
	timing_mark("cgroup");
	return r;
}

static int open_log(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_errno(err, "open log '%s'", path) : fd;
}

static int write_pid_file(const char *path, pid_t pid, struct err *err)
{
	if (!path)
		return 0;
	autofree char *text = xasprintf("%d", (int)pid);
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, err);
}

/* For service managers. Before the command runs, so that one that cannot be written leaves nothing that would have to be
 * ended again. We shall be the monitor. */
static int write_pid_files(const struct container_spec *spec, pid_t pid, struct err *err)
{
	int r = write_pid_file(spec->pid_file, pid, err);

	return r < 0 ? r : write_pid_file(spec->monitor_pid_file, getpid(), err);
}

/* Of a command that could not be executed. */
static void remove_pid_files(const struct container_spec *spec)
{
	if (spec->pid_file)
		(void)unlink(spec->pid_file);
	if (spec->monitor_pid_file)
		(void)unlink(spec->monitor_pid_file);
}

/* In the launcher: make the container. On failure nothing of it is left. */
static int launch(struct start *start, const struct launch_pipes *pipes,
		  struct runtime_child *child, int *exit_code, struct err *err)
{
	struct timespec now;
	struct runtime_stdio stdio = { { pipes->stdin_fds[0], pipes->stdout_fds[1],
					 pipes->stderr_fds[1] } };
	const struct runtime_stdio own = { { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO } };

	if (log_driver_is(start->spec, "passthrough"))
		stdio = own;

	*exit_code = RUNTIME_FAILED;
	int r = container_cgroup_enter(&start->cgroup, start->engine, start->config, start->run_dir,
				       err);
	if (r < 0)
		return r;
	timing_mark("scope");
	r = runtime_spawn(start->config, start->cgroup.group, start->userns_fd, &stdio, child, err);
	if (r < 0)
		return r;
	timing_mark("namespaces");
	r = container_network_start(&start->network, child, err);
	timing_mark("network");
	if (r == 0)
		r = runtime_ready(child, err);
	timing_mark("mounts");
	if (r == 0)
		r = container_network_wait(&start->network, err);
	timing_mark("network ready");
	if (r < 0) {
		runtime_abandon(child);
		return r;
	}
	/* Written down before its command runs: were we killed in between, the child would end with us, and what is
	 * written would be seen to be dead. The other way round it would run and nobody would know. */
	clock_gettime(CLOCK_REALTIME, &now);
	r = run_directory_write_pid(start->run_dir, child->pid, getpid(),
				    now.tv_sec * INT64_C(1000000000) + now.tv_nsec, err);
	if (r == 0)
		r = write_pid_files(start->spec, child->pid, err);
	if (r < 0) {
		remove_pid_files(start->spec);
		runtime_abandon(child);
		return r;
	}
	timing_mark("pid file");
	r = runtime_exec(child, exit_code, err);
	if (r < 0)
		remove_pid_files(start->spec);
	timing_mark("exec");
	return r;
}

static _Noreturn void launcher(struct start *start)
{
	struct launch_pipes pipes = LAUNCH_PIPES_NONE;
	struct runtime_child child = { .pid = -1,
				       .pid_fd = -1,
				       .console_fd = -1,
				       .mount_ns_fd = -1,
				       .net_ns_fd = -1,
				       .control_fd = -1 };
	struct monitor_launch monitor = MONITOR_LAUNCH_EMPTY;
	struct err err = { 0 };
	int exit_code = RUNTIME_FAILED;
	autofree char *program = engine_helper_path(start->engine, "davit-monitor");
	autofree char *log_path = log_driver_path(start->spec, start->directory);

	int run_dir_fd = open(start->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = run_dir_fd < 0 ? err_errno(&err, "open '%s'", start->run_dir) : 0;
	/* Whatever could fail comes before there is a container that would have to be ended again.
	 */
	if (r == 0 && access(program, X_OK) < 0)
		r = err_errno(&err, "'%s', a part of davit", program);
	if (r == 0 && log_driver_is_file(start->spec))
		r = monitor.log_fd = open_log(log_path, &err);
	if (r >= 0)
		r = monitor.listen_fd = monitor_listen(run_dir_fd, &err);
	bool needs_pipes = !start->spec->tty && !log_driver_is(start->spec, "passthrough");
	if (r >= 0)
		r = needs_pipes ? launch_pipes_open(&pipes, start->spec->open_stdin, &err) : 0;
	if (r == 0)
		r = launch(start, &pipes, &child, &exit_code, &err);
	if (r < 0) {
		container_network_abandon(&start->network);
		start->report = (struct launch_report){ .is_made = true,
							.exit_code = exit_code,
							.err = err };
		_exit(1);
	}

	const int hold[] = { child.mount_ns_fd, child.net_ns_fd };
	const char *cleanup[] = { start->engine->self_path,
				  "--root",
				  start->engine->root,
				  "--runroot",
				  start->engine->runroot,
				  "container",
				  "cleanup",
				  start->container->id,
				  NULL };
	monitor.program = program;
	monitor.id = start->container->id;
	monitor.pid = child.pid;
	monitor.stdin_fd = pipes.stdin_fds[1];
	monitor.stdout_fd = pipes.stdout_fds[0];
	monitor.stderr_fd = pipes.stderr_fds[0];
	monitor.console_fd = child.console_fd;
	monitor.client_fd = start->client_fds[1];
	monitor.run_dir_fd = run_dir_fd;
	if (start->connections) {
		monitor.late_fds = start->connections->late_fds;
		monitor.late_count = start->connections->late_count;
		monitor.is_again = true;
	}
	if (start->cgroup.group)
		monitor.oom_fd = cgroup_open_oom_events(start->cgroup.group);
	monitor.hold_fds = hold;
	monitor.hold_count = ARRAY_SIZE(hold);
	monitor.cleanup = cleanup;
	monitor.log_path = log_path;
	monitor.log_max_bytes = start->spec->log_size_max > 0 ? start->spec->log_size_max : 0;
	monitor.log_max_files = (unsigned)start->spec->log_files;
	monitor.journal_fd = start->journal_fd;
	monitor.journal_fields = &start->journal_fields;
	monitor.timeout_seconds = start->spec->timeout;
	if (health_has_check(start->spec))
		monitor.health_msec = (unsigned)(start->spec->health_interval_nsec / 1000000);
	start->report = (struct launch_report){ .is_made = true, .pid = child.pid };
	(void)monitor_exec(&monitor, &err);

	/* Nobody would mind the container: end it rather than leave it to itself. The command has
	 * been told that it runs, so it will see it end. */
	log_write(LOG_LEVEL_ERROR, "%s", err.text);
	runtime_abandon(&child);
	_exit(1);
}

static int launcher_main(void *arg)
{
	launch_open_signals();
	launcher(arg);
}

/* Start the launcher and hear how it went. */
static int run_launcher(struct start *start, pid_t *ret_pid, int *ret_exit_code, struct err *err)
{
	pid_t pid = launch_and_hear(launcher_main, start, start->cgroup.monitors_fd, &start->report,
				    err);

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

/* Undo what the command itself prepared. */
static void forget_start(struct start *start, bool was_created)
{
	struct err ignored; /* the failure of the start is the one to tell; what stays is cleaned up
			       by the next command */

	/* The control group is ours to remove, and all else where the launcher was killed. */
	if (start->spec)
		(void)container_release(start->engine, start->container, start->spec, &ignored);
	if (was_created)
		(void)container_set_created(start->engine, start->container->id, &ignored);
	else
		(void)container_set_exited(
			start->engine, start->container->id, start->container->exit_code,
			start->container->oom_killed, start->container->finished_nsec, &ignored);
	(void)file_remove_tree(AT_FDCWD, start->run_dir, &ignored);
}

/* The lock is held; since the caller has found it, others may have started, ended or removed it.
 * Whatever is left of its last run has to go before the next: an old exit file would tell of the new
 * run that it is over. */
static int look_again(struct engine *engine, struct container *container, struct err *err)
{
	for (;;) {
		int r = container_find_again(engine, container, CONTAINER_IS_LOCKED, err);
		if (r < 0)
			return r;
		if (container->state == CONTAINER_RUNNING)
			return err_set(err, EALREADY, "container %s is already running",
				       container->name);
		if (container->state == CONTAINER_RESTARTING)
			r = container_end_restarts_locked(engine, container, err);
		else if (container->needs_cleanup)
			r = container_cleanup_locked(engine, container, err);
		else
			return 0;
		if (r < 0)
			return r;
	}
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
	int r = start->is_announced ? 0 : announce(start, err);
	if (r == 0 && (flags & START_WITH_CLIENT))
		r = monitor_socketpair(start->client_fds, err);
	timing_mark("record");
	if (r == 0)
		r = prepare(start, err);
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
		/* who sends signals needs its process */
		container_refresh(engine, container, CONTAINER_IS_LOCKED);
	}
	start_clear(start);
	return r;
}

int container_start(struct engine *engine, struct container *container, enum start_flags flags,
		    struct start_result *ret_result, int *ret_exit_code, struct err *err)
{
	struct start start = {
		.engine = engine,
		.container = container,
		.cgroup = CONTAINER_CGROUP_EMPTY,
		.userns_fd = -1,
		.shared = SHARED_NAMESPACES_EMPTY,
		.journal_fd = -1,
		.client_fds = { -1, -1 },
		.restart_delay_msec = RESTART_DELAY_MSEC,
	};
	autoclose int lock_fd = -1;

	*ret_exit_code = RUNTIME_FAILED;
	if (container->lock_fd >= 0) { /* made for this start: nobody else has touched it */
		lock_fd = take_fd(&container->lock_fd);
		start.is_announced = true;
		return start_locked(&start, flags, ret_result, ret_exit_code, err);
	}
	int r = container_lock(engine, container->id, &lock_fd, err);
	if (r == 0)
		r = look_again(engine, container, err);
	return r < 0 ? r : start_locked(&start, flags, ret_result, ret_exit_code, err);
}

int container_start_again(struct engine *engine, struct container *container, uint32_t delay_msec,
			  const struct restart_connections *connections, struct err *err)
{
	struct start start = {
		.engine = engine,
		.container = container,
		.cgroup = CONTAINER_CGROUP_EMPTY,
		.userns_fd = -1,
		.shared = SHARED_NAMESPACES_EMPTY,
		.journal_fd = -1,
		.client_fds = { -1, -1 },
		.restart_count = container->restart_count + 1,
		.restart_delay_msec = delay_msec,
		.connections = connections,
	};

	int r = container_put_away_locked(engine, container, err);
	if (r < 0)
		return r;
	/* Ours is closed when the launcher has its own. */
	if (connections->client_fd >= 0)
		start.client_fds[1] = fcntl(connections->client_fd, F_DUPFD_CLOEXEC, 3);
	return start_locked(&start, 0, &(struct start_result){ 0 }, &(int){ 0 }, err);
}
