/* As at the start of a container there is a launcher that becomes a monitor: so the process has a parent that carries
 * its streams whatever happens to the command, and a terminal that can be left. This monitor has no run directory and
 * no log; when the process ends it tells the command, if that still listens, or else has an event recorded, and ends. */
#include "engine/container-exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/timing.h"
#include "engine/container-cgroup.h"
#include "engine/container-layers.h"
#include "engine/container-own-layers.h"
#include "engine/container-map.h"
#include "engine/container-secrets.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/identity.h"
#include "engine/launch.h"
#include "engine/plan.h"
#include "engine/recording.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "kernel/seccomp.h"
#include "monitor/attach.h"
#include "monitor/launch.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"

#define NOT_RUNNING 255 /* the exit status that podman has for it */

struct exec {
	struct engine *engine;
	const struct container *container;
	const struct exec_request *request;
	struct container_spec *spec; /* the container's, changed to what is wanted */
	struct container_map map;
	struct strlist directories; /* of the root file system, uppermost first */
	struct identity identity;
	struct oci_runtime_config *config;
	struct runtime_target target;
	struct cgroup *cgroup;
	int client_fds[2]; /* command's end, monitor's end */
	char *program;
	char id[EXEC_ID_SIZE];
	pid_t monitor_pid;
	struct launch_report report;
};

static int not_running(const struct container *container, struct err *err)
{
	return err_set(err, ESRCH,
		       "container '%s' does not run, so nothing can be executed in it; start it "
		       "with 'davit start %s'",
		       container->name, container->name);
}

/* The first process as a descriptor, checked to be the one that was written down. */
static int open_target(struct exec *exec, struct err *err)
{
	const struct container *container = exec->container;
	autofree char *run_dir = container_run_directory(exec->engine, container->id);
	struct run_status status = { 0 };

	exec->target.pid = container->run.pid;
	if (container->state == CONTAINER_RUNNING)
		exec->target.pid_fd = pidfd_open_process(container->run.pid);
	/* Asked after opening: had the number been given to another process before, this would tell. */
	(void)run_directory_status(run_dir, &status);
	if (exec->target.pid_fd < 0 || !status.is_running || status.pid != container->run.pid)
		return not_running(container, err);
	if (status.is_paused)
		return err_set(
			err, EBUSY,
			"container '%s' is paused, so nothing can be executed in it; continue "
			"it with 'davit unpause %s'",
			container->name, container->name);
	return 0;
}

/* The container's spec, as far as it is about the process, becomes that of this process. */
static void change_spec(struct container_spec *spec, const struct exec_request *request)
{
	strlist_clear(&spec->entrypoint);
	strlist_clear(&spec->command);
	strlist_extend(&spec->command, &request->command);
	if (request->tty && !strlist_env_get(&spec->env, "TERM"))
		strlist_env_set(&spec->env, "TERM", "xterm");
	for (size_t i = 0; i < request->env.count; i++) {
		const char *text = request->env.items[i], *equals = strchrnul(text, '=');
		autofree char *key = xstrndup(text, (size_t)(equals - text));
		strlist_env_set(&spec->env, key, *equals ? equals + 1 : "");
	}
	if (request->user) {
		free(spec->user);
		spec->user = xstrdup(request->user);
	}
	if (request->workdir) {
		free(spec->workdir);
		spec->workdir = xstrdup(request->workdir);
	}
	spec->init = false;
	spec->tty = request->tty;
	spec->privileged |= request->privileged;
}

static void exec_clear(struct exec *exec)
{
	fd_close(&exec->client_fds[0]);
	fd_close(&exec->client_fds[1]);
	fd_close(&exec->target.pid_fd);
	oci_runtime_config_free(exec->config);
	cgroup_free(exec->cgroup);
	free(exec->target.systemd_socket);
	container_spec_free(exec->spec);
	strlist_clear(&exec->directories);
	identity_clear(&exec->identity);
	container_map_clear(&exec->map);
	free(exec->program);
}

static int prepare(struct exec *exec, struct err *err)
{
	autofree char *directory = container_directory(exec->engine, exec->container->id);
	autostrlist struct strlist secret_env = STRLIST_EMPTY;
	struct err ignored; /* a container may have no control group */

	int r = container_spec_of(exec->container, &exec->spec, err);
	if (r == 0)
		r = open_target(exec, err);
	if (r == 0)
		r = container_map_of(exec->engine, exec->spec, &exec->map, err);
	if (r < 0)
		return r;
	(void)container_cgroup_open(exec->engine, exec->container, exec->spec, &exec->cgroup,
				    &ignored);
	exec->target.cgroup = exec->cgroup;
	if (exec->cgroup && exec->engine->is_rootless)
		exec->target.systemd_socket = container_cgroup_manager(exec->engine);
	change_spec(exec->spec, exec->request);
	/* Users are those of the container as it is now. */
	if (!exec->spec->rootfs)
		strlist_take(&exec->directories, path_join(directory, "upper"));
	r = container_frozen_dirs(exec->engine, exec->container, &exec->directories, err);
	if (r == 0)
		r = container_layer_dirs(exec->engine, exec->spec, &exec->directories, err);
	if (r == 0)
		r = identity_resolve(&exec->directories, exec->spec->user, &exec->spec->groups,
				     &exec->identity, err);
	if (r == 0)
		r = container_secrets_environment(exec->spec, directory, &secret_env, err);
	if (r < 0)
		return r;
	struct plan_input input = {
		.spec = exec->spec,
		.settings = &exec->engine->settings,
		.identity = &exec->identity,
		.map = &exec->map.map,
		.is_rootless = exec->engine->is_rootless,
		.id = exec->container->id,
		.name = exec->container->name,
		.secret_env = &secret_env,
		.available_capabilities =
			exec->map.map.is_identity ? capability_bounding() : capability_all(),
	};
	r = plan_process_only(&input, &exec->config, err);
	container_secrets_wipe(&secret_env);
	if (r == 0)
		exec->config->process.preserve_fds = exec->engine->preserve_fds;
	if (r == 0)
		r = launch_load_filters(exec->engine, exec->spec, exec->config, err);
	timing_mark("plan and filter");
	return r;
}

/* In the launcher: make the process. On failure nothing of it is left. */
static int launch(struct exec *exec, const struct launch_pipes *pipes, struct runtime_child *child,
		  struct err *err)
{
	const struct runtime_stdio stdio = { { pipes->stdin_fds[0], pipes->stdout_fds[1],
					       pipes->stderr_fds[1] } };
	autofree char *run_dir = container_run_directory(exec->engine, exec->container->id);
	struct recording recording = {
		.engine = exec->engine,
		.spec = exec->spec,
		.config = exec->config,
		.run_dir = run_dir,
		.container_pid = exec->target.pid,
	};

	exec->report.exit_code = RUNTIME_FAILED;
	int r = runtime_enter(&exec->target, &exec->config->process, &exec->config->seccomp,
			      &exec->config->seccomp_recording, &stdio, child, err);
	timing_mark("entered");
	if (r == 0)
		r = runtime_ready(child, err);
	child->take_listener = recording_take_other;
	child->listener_data = &recording;
	if (r == 0)
		r = runtime_exec(child, &exec->report.exit_code, err);
	timing_mark("exec");
	return r;
}

static _Noreturn void launcher(struct exec *exec)
{
	struct launch_pipes pipes = LAUNCH_PIPES_NONE;
	struct runtime_child child;
	struct monitor_launch monitor = MONITOR_LAUNCH_EMPTY;
	const char *cleanup[LAUNCH_CLEANUP_WORDS];
	struct err err = { 0 };
	int r = 0;

	/* Whatever could fail comes before there is a process that would have to be ended again. */
	if (access(exec->program, X_OK) < 0)
		r = err_errno(&err, "'%s', a part of davit", exec->program);
	if (r == 0 && !exec->request->tty)
		r = launch_pipes_open(&pipes, exec->request->open_stdin, &err);
	if (r == 0)
		r = launch(exec, &pipes, &child, &err);
	exec->report.is_made = true;
	if (r < 0) {
		exec->report.err = err;
		_exit(1);
	}
	event_container_exec(exec->engine, exec->container, EVENT_EXEC, exec->id, 0);
	exec->report.exit_code = 0;
	exec->report.pid = child.pid;
	if (event_is_wanted(exec->engine)) {
		size_t count = launch_cleanup_words(exec->engine, exec->container->id, cleanup);
		cleanup[count++] = "--exec-id";
		cleanup[count++] = exec->id;
		cleanup[count] = NULL;
		monitor.cleanup = cleanup;
	}
	monitor.program = exec->program;
	monitor.id = exec->container->id;
	monitor.pid = child.pid;
	monitor.stdin_fd = pipes.stdin_fds[1];
	monitor.stdout_fd = pipes.stdout_fds[0];
	monitor.stderr_fd = pipes.stderr_fds[0];
	monitor.console_fd = child.console_fd;
	monitor.client_fd = exec->client_fds[1];
	(void)monitor_exec(&monitor, &err);
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
static int run_launcher(struct exec *exec, struct err *err)
{
	/* Where the container's monitor is: not to end with what has started us. */
	autoclose int monitors_fd = exec->cgroup ? cgroup_open_monitors(exec->cgroup) : -1;
	pid_t pid = launch_and_hear(launcher_main, exec, monitors_fd, &exec->report, err);

	if (pid < 0)
		return pid;
	exec->monitor_pid = pid;
	return 0;
}

#define END_MSEC 100

/* The container takes its other processes with it before it has ended itself. */
static bool has_ended(const struct exec *exec)
{
	struct pollfd init = { .fd = exec->target.pid_fd, .events = POLLIN };

	return init.fd >= 0 && poll(&init, 1, END_MSEC) > 0;
}

int container_exec(struct engine *engine, const struct container *container,
		   const struct exec_request *request, struct exec_result *ret_result,
		   int *ret_exit_code, struct err *err)
{
	struct exec exec = {
		.engine = engine,
		.container = container,
		.request = request,
		.target = { .pid_fd = -1 },
		.client_fds = { -1, -1 },
		.report = { .exit_code = RUNTIME_FAILED },
		.program = engine_helper_path(engine, "davit-monitor"),
	};

	random_hex(exec.id, (sizeof(exec.id) - 1) / 2);
	int r = prepare(&exec, err);
	if (r == 0 && request->with_client)
		r = monitor_socketpair(exec.client_fds, err);
	bool is_held = r == 0 && request->with_client;
	if (is_held)
		attach_hold_signals(&ret_result->signals);
	if (r == 0)
		r = run_launcher(&exec, err);
	if (r < 0 && is_held)
		attach_release_signals(&ret_result->signals);
	/* No memory for a process in its namespace, or killed without a word: so it looks when the container
	 * has just ended. */
	if ((r == -ENOMEM || r == -EIO) && has_ended(&exec))
		r = not_running(container, err);
	*ret_exit_code = r == -ESRCH ? NOT_RUNNING : exec.report.exit_code;
	if (r == 0) {
		memcpy(ret_result->id, exec.id, sizeof(exec.id));
		ret_result->pid = exec.report.pid;
		ret_result->monitor_pid = exec.monitor_pid;
		ret_result->client_fd = take_fd(&exec.client_fds[0]);
	}
	exec_clear(&exec);
	return r;
}

int container_exec_child(struct engine *engine, const struct container *container,
			 const struct exec_request *request, int output_fd,
			 struct runtime_child *ret_child, int *ret_exit_code, struct err *err)
{
	struct exec exec = {
		.engine = engine,
		.container = container,
		.request = request,
		.target = { .pid_fd = -1 },
		.client_fds = { -1, -1 },
		.report = { .exit_code = RUNTIME_FAILED },
	};
	const struct launch_pipes output = { { -1, -1 }, { -1, output_fd }, { -1, output_fd } };

	int r = prepare(&exec, err);
	if (r == 0)
		r = launch(&exec, &output, ret_child, err);
	*ret_exit_code = r == -ESRCH ? NOT_RUNNING : exec.report.exit_code;
	exec_clear(&exec);
	return r;
}

/* Its parent is the monitor, a child of ours that nobody has waited for: so that number is no one else's, and a process
 * with this number and this parent is the one that is meant. */
static bool is_child_of(pid_t pid, pid_t parent)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* it has ended */
	char path[32];
	int64_t number;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, &text, 4096, &ignored) < 0)
		return false;
	const char *at = strrchr(strbuf_text(&text),
				 ')'); /* behind the name, which may hold anything: ") S PPID" */
	if (!at || strlen(at) < 5)
		return false;
	at += 4;
	return number_take(&at, 0, INT32_MAX, &number) == 0 && number == parent;
}

void container_exec_signal(const struct exec_result *process, int number)
{
	autoclose int fd = pidfd_open_process(process->pid);

	if (fd >= 0 && is_child_of(process->pid, process->monitor_pid))
		(void)pidfd_signal(fd, number);
}
