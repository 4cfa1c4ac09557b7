/* The launcher: it makes the container, so that it is its parent, and becomes the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-restart.h"
#include "engine/container-spec.h"
#include "engine/container-start-internal.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/health.h"
#include "engine/held-start.h"
#include "engine/log-driver.h"
#include "engine/recording.h"
#include "engine/run-directory.h"
#include "kernel/cgroup.h"
#include "monitor/launch.h"
#include "runtime/runtime.h"

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

/* Whatever could fail comes before the command runs, which would have to be ended again. */
static int open_for_monitor(const struct start *start, struct monitor_launch *monitor,
			    struct err *err)
{
	monitor->run_dir_fd = open(start->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (monitor->run_dir_fd < 0)
		return err_errno(err, "open '%s'", start->run_dir);
	if (access(monitor->program, X_OK) < 0)
		return err_errno(err, "'%s', a part of davit", monitor->program);
	if (log_driver_is_file(start->spec)) {
		monitor->log_fd = open_log(monitor->log_path, err);
		if (monitor->log_fd < 0)
			return monitor->log_fd;
	}
	monitor->listen_fd = monitor_listen(monitor->run_dir_fd, err);
	if (start->cgroup.group)
		monitor->oom_fd = cgroup_open_oom_events(start->cgroup.group);
	return monitor->listen_fd < 0 ? monitor->listen_fd : 0;
}

/* What can be done while the child mounts. */
static int prepare_exec(struct start *start, struct monitor_launch *monitor,
			struct runtime_child *child, struct err *err)
{
	struct timespec now;

	int r = container_network_start(&start->network, child, err);
	timing_mark("network");
	if (r == 0)
		r = open_for_monitor(start, monitor, err);
	clock_gettime(CLOCK_REALTIME, &now);
	if (r == 0)
		r = run_directory_write_pid(start->run_dir, child->pid, getpid(),
					    now.tv_sec * INT64_C(1000000000) + now.tv_nsec, err);
	timing_mark("files for the monitor");
	if (r == 0)
		r = runtime_ready(child, err);
	timing_mark("mounts");
	if (r == 0)
		r = container_network_wait(&start->network, err);
	timing_mark("network ready");
	return r;
}

/* Leave it to whoever starts it. */
static int hold(const struct start *start, struct runtime_child *child, int listen_fd,
		int *exit_code, struct err *err)
{
	int r = runtime_hold(child, listen_fd, exit_code, err);

	if (r < 0)
		remove_pid_files(start->spec);
	return r;
}

/* In the launcher: make the container. On failure nothing of it is left. */
static int launch(struct start *start, const struct launch_pipes *pipes,
		  struct monitor_launch *monitor, struct runtime_child *child, int *exit_code,
		  struct err *err)
{
	struct recording recording = {
		.engine = start->engine,
		.spec = start->spec,
		.config = start->config,
		.run_dir = start->run_dir,
		.directory = start->directory,
	};
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
	r = runtime_spawn(start->config, start->cgroup.group, &start->made, &stdio, child, err);
	if (r < 0)
		return r;
	timing_mark("namespaces");
	r = prepare_exec(start, monitor, child, err);
	if (r < 0) {
		runtime_abandon(child);
		return r;
	}
	autoclose int listen_fd = start->is_held ? held_start_listen(start->run_dir, err) : -1;
	if (start->is_held && listen_fd < 0) {
		runtime_abandon(child);
		return listen_fd;
	}
	/* Shown before its command runs: were we killed in between, the child would end with us, and what is
	 * written would be seen to be dead. The other way round it would run and nobody would know. */
	r = run_directory_show_pid(start->run_dir, err);
	if (r == 0)
		r = write_pid_files(start->spec, child->pid, err);
	if (r < 0) {
		remove_pid_files(start->spec);
		runtime_abandon(child);
		return r;
	}
	timing_mark("pid file");
	if (start->is_held)
		return hold(start, child, listen_fd, exit_code, err);
	child->take_listener = recording_take_first;
	child->listener_data = &recording;
	r = runtime_exec(child, exit_code, err);
	if (r < 0)
		remove_pid_files(start->spec);
	timing_mark("exec");
	return r;
}

/* What the spec says that concerns the monitor. */
static void tell_monitor(const struct start *start, struct monitor_launch *monitor)
{
	const struct container_spec *spec = start->spec;

	monitor->id = start->container->id;
	monitor->client_fd = start->client_fds[1];
	if (start->connections) {
		monitor->late_fds = start->connections->late_fds;
		monitor->late_count = start->connections->late_count;
		monitor->is_again = true;
	}
	monitor->log_max_bytes = spec->log_size_max > 0 ? spec->log_size_max : 0;
	monitor->log_max_files = (unsigned)spec->log_files;
	monitor->journal_fd = start->journal_fd;
	monitor->journal_fields = &start->journal_fields;
	monitor->timeout_seconds = spec->timeout;
	if (health_has_check(spec) && !start->is_held)
		monitor->health_msec = health_first_interval_msec(spec);
}

/* Execute it. Returns only if that is impossible. */
static void become_monitor(struct start *start, struct monitor_launch *monitor,
			   const struct launch_pipes *pipes, const struct runtime_child *child,
			   struct err *err)
{
	const int hold[] = { child->mount_ns_fd, child->net_ns_fd };
	const char *cleanup[LAUNCH_CLEANUP_WORDS];

	(void)launch_cleanup_words(start->engine, start->container->id, cleanup);
	tell_monitor(start, monitor);
	monitor->pid = child->pid;
	monitor->stdin_fd = pipes->stdin_fds[1];
	monitor->stdout_fd = pipes->stdout_fds[0];
	monitor->stderr_fd = pipes->stderr_fds[0];
	monitor->console_fd = child->console_fd;
	monitor->hold_fds = hold;
	monitor->hold_count = ARRAY_SIZE(hold);
	monitor->cleanup = cleanup;
	start->report = (struct launch_report){ .is_made = true, .pid = child->pid };
	(void)monitor_exec(monitor, err);
	monitor->hold_fds = NULL;
	monitor->cleanup = NULL;
}

/* By us, who have started it: the command may be killed meanwhile, and nobody can tell its end before we mind it. */
static void tell_start(const struct start *start)
{
	enum event_status statuses[4];
	size_t count = 0;

	if (start->is_restart)
		statuses[count++] = EVENT_RESTART;
	statuses[count++] = EVENT_INIT;
	if (!start->is_held)
		statuses[count++] = EVENT_START;
	if (start->client_fds[1] >= 0 && !start->connections)
		statuses[count++] = EVENT_ATTACH;
	event_container_several(start->engine, start->container, statuses, count);
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

	monitor.program = program;
	monitor.log_path = log_path;
	int r = 0;
	if (!start->spec->tty && !log_driver_is(start->spec, "passthrough"))
		r = launch_pipes_open(&pipes, start->spec->open_stdin, &err);
	if (r == 0)
		r = launch(start, &pipes, &monitor, &child, &exit_code, &err);
	if (r < 0) {
		container_network_abandon(&start->network);
		start->report = (struct launch_report){ .is_made = true,
							.exit_code = exit_code,
							.err = err };
		_exit(1);
	}
	tell_start(start);
	become_monitor(start, &monitor, &pipes, &child, &err);

	/* Nobody would mind the container: end it rather than leave it to itself. The command has
	 * been told that it runs, so it will see it end. */
	log_write(LOG_LEVEL_ERROR, "%s", err.text);
	runtime_abandon(&child);
	_exit(1);
}

int start_launcher(void *start)
{
	launch_open_signals();
	launcher(start);
}
