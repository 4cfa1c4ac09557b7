/* One check: the command is executed in the container as by `davit exec`, with the container's own user and limits. It
 * gets a bounded file in memory for its output. When its time is over it is killed; its children in the container are
 * the container's affair. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container-exec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"
#include "monitor/attach.h"

enum {
	OUTPUT_SIZE = 500,	/* what is kept of it, as podman does */
	OUTPUT_LIMIT = 1 << 20, /* what it may write */
};

static int64_t now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct check {
	struct exec_result process;
	bool is_late;
};

/* Its time is over, or we are to end. */
static void end_command(int number, void *arg)
{
	struct check *check = arg;

	check->is_late |= number == SIGALRM;
	container_exec_signal(&check->process, SIGKILL);
}

/* Wait for its end, at most so long. Returns its exit code, -1 if it took longer. */
static int await_command(struct check *check, int64_t timeout_nsec, int output_fd, struct err *err)
{
	int64_t usec = timeout_nsec / 1000;
	struct itimerval timer = { .it_value = { .tv_sec = usec / 1000000,
						 .tv_usec = usec % 1000000 } };
	struct attach_options options = {
		.fd = check->process.client_fd,
		.stdin_fd = -1,
		.stdout_fd = output_fd,
		.stderr_fd = output_fd,
		.on_signal = end_command,
		.arg = check,
	};
	struct attach_outcome outcome = { .end = ATTACH_LOST };
	struct rlimit before, limit;
	sigset_t alarm_set;

	/* Blocked before it can come; attach_run() takes it from there. */
	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	sigaddset(&alarm_set, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &alarm_set, NULL);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	if (limit.rlim_cur > OUTPUT_LIMIT)
		limit.rlim_cur = OUTPUT_LIMIT;
	setrlimit(RLIMIT_FSIZE, &limit);
	setitimer(ITIMER_REAL, &timer, NULL);
	int r = attach_run(&options, &outcome, err);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	setrlimit(RLIMIT_FSIZE, &before);
	if (r < 0)
		return r;
	return check->is_late || outcome.end != ATTACH_EXITED ? -1
							      : exit_code_of(outcome.wait_status);
}

/* Run the command; what it says, or why it cannot be run, becomes the output. -ESRCH: the container has ended. */
static int run_command(struct engine *engine, const struct container *container,
		       const struct container_spec *spec, int *ret_exit_code, char **ret_output,
		       struct err *err)
{
	struct exec_request request = { .with_client = true };
	struct check check = { .process = { .client_fd = -1 } };
	char output[OUTPUT_SIZE + 1] = "";

	if (strcmp(spec->health_test.items[0], "CMD-SHELL") == 0) {
		strlist_add(&request.command, "/bin/sh");
		strlist_add(&request.command, "-c");
	}
	for (size_t i = 1; i < spec->health_test.count; i++)
		strlist_add(&request.command, spec->health_test.items[i]);
	autoclose int output_fd = memfd_create("davit health check", MFD_CLOEXEC);
	int r = output_fd < 0 ? err_errno(err, "memory for a health check")
			      : container_exec(engine, container, &request, &check.process,
					       ret_exit_code, err);
	strlist_clear(&request.command);
	if (r == -ESRCH || output_fd < 0)
		return r;
	if (r < 0) {
		*ret_output = xstrdup(err->text);
		return 0;
	}
	*ret_exit_code = await_command(&check, spec->health_timeout_nsec, output_fd, err);
	fd_close(&check.process.client_fd);
	if (check.is_late) {
		*ret_output = xasprintf("the check took longer than %.3g s",
					(double)spec->health_timeout_nsec / 1e9);
		return 0;
	}
	ssize_t size = pread(output_fd, output, OUTPUT_SIZE, 0);
	output[size > 0 ? size : 0] = '\0';
	/* JSON holds text only. */
	for (char *at = output; at < output + (size > 0 ? size : 0); at++)
		if (!*at || (unsigned char)*at >= 0x80)
			*at = '?';
	*ret_output = xstrdup(output);
	return 0;
}

/* Others may check at the same time. Returns whether it is unhealthy now. */
static int write_down(struct engine *engine, const struct container *container,
		      const struct container_spec *spec, const struct health_result *result,
		      struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id),
		      *path = path_join(run_dir, "health");
	struct run_status now;

	autoclose int lock_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
		return err_set(err, ESRCH, "container '%s' has ended", container->name);
	(void)run_directory_status(run_dir, &now);
	if (!now.is_running || now.pid != container->run.pid)
		return err_set(err, ESRCH, "container '%s' has ended", container->name);
	autojson struct json_object *health = health_to_json(engine, container);
	if (!health)
		health = json_object_new_object();
	bool is_starting =
		result->start_nsec - container->run.started_nsec < spec->health_start_period_nsec;
	bool is_unhealthy = health_add_result(health, spec, result, is_starting);
	const char *text = json_object_to_json_string_ext(health, JSON_C_TO_STRING_PLAIN);
	int r = file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
	return r < 0 ? r : is_unhealthy;
}

static int act(struct engine *engine, struct container *container, const char *action,
	       struct err *err)
{
	if (!action || strcmp(action, "none") == 0)
		return 0;
	if (strcmp(action, "kill") == 0)
		return container_kill(engine, container, SIGKILL, err);
	if (strcmp(action, "restart") == 0)
		return container_end_to_restart(engine, container, err);
	int r = container_stop(engine, container, -1, err);
	return r < 0 ? r : 0;
}

int container_check_health(struct engine *engine, struct container *container, int *ret_exit_code,
			   struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *output = NULL;
	struct health_result result = { .start_nsec = now_nsec() };

	int r = container_spec_of(container, &spec, err);
	if (r < 0)
		return r;
	if (!health_has_check(spec))
		return err_set(err, ENOENT,
			       "container '%s' has no health check; make it with --health-cmd",
			       container->name);
	/* A frozen process would never answer, which says nothing of its health. */
	if (container->run.is_paused)
		return err_set(err, EBUSY,
			       "container '%s' is paused; check it after 'davit unpause %s'",
			       container->name, container->name);
	r = run_command(engine, container, spec, &result.exit_code, &output, err);
	if (r < 0)
		return r;
	result.end_nsec = now_nsec();
	result.output = output;
	r = write_down(engine, container, spec, &result, err);
	if (r < 0)
		return r;
	*ret_exit_code = result.exit_code;
	return r > 0 ? act(engine, container, spec->health_on_failure, err) : 0;
}
