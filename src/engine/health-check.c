/* One check: the command is executed in the container as by `davit exec`, with the container's own user and limits. It
 * is our child, so that a check is one process of ours and no more. The beginning of what it says is kept, the rest is
 * read and forgotten. When its time is over it is killed; its children in the container are the container's affair. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timing.h"
#include "engine/container-end.h"
#include "engine/container-exec.h"
#include "engine/container-stop.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/health.h"
#include "kernel/pidfd.h"
#include "monitor/attach.h"
#include "runtime/runtime.h"

struct check {
	struct runtime_child child;
	int output_fd; /* our end */
	char *output;
	size_t size, limit; /* of what is kept of it */
};

/* Returns whether there may be more now. */
static bool read_output(struct check *check)
{
	char rest[4096];
	bool is_full = check->size == check->limit;

	ssize_t n = read(check->output_fd, is_full ? rest : check->output + check->size,
			 is_full ? sizeof(rest) : check->limit - check->size);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		fd_close(&check->output_fd); /* all of its ends are closed */
	if (n > 0 && !is_full)
		check->size += (size_t)n;
	return n > 0;
}

/* Wait for its end, at most so long. Returns its exit code, -1 if it took longer. */
static int await_command(struct check *check, int64_t timeout_nsec)
{
	int64_t end_msec = clock_now_usec() / 1000 + timeout_nsec / 1000000;
	bool has_ended = false, is_late = false;
	int status = 0;

	while (!has_ended && !is_late) {
		struct pollfd polls[2] = { { check->child.pid_fd, POLLIN, 0 },
					   { check->output_fd, POLLIN, 0 } };
		int64_t left = end_msec - clock_now_usec() / 1000;
		(void)poll(polls, 2, left > INT32_MAX ? INT32_MAX : left > 0 ? (int)left : 0);
		has_ended = polls[0].revents;
		is_late = left <= 0 && !has_ended;
		if (polls[1].revents)
			read_output(check);
	}
	if (is_late)
		(void)pidfd_signal(check->child.pid_fd, SIGKILL);
	while (waitpid(check->child.pid, &status, 0) < 0 && errno == EINTR)
		;
	/* What it wrote last; children that it has left behind are not waited for. */
	while (check->output_fd >= 0 && check->size < check->limit && read_output(check))
		;
	return is_late ? -1 : exit_code_of(status);
}

static void make_request(const struct strlist *test, struct exec_request *request)
{
	if (strcmp(test->items[0], "CMD-SHELL") == 0) {
		strlist_add(&request->command, "/bin/sh");
		strlist_add(&request->command, "-c");
	}
	for (size_t i = 1; i < test->count; i++)
		strlist_add(&request->command, test->items[i]);
}

/* Run the command; what it says, or why it cannot be run, becomes the output. -ESRCH: the container has ended. */
static int run_command(struct engine *engine, const struct container *container,
		       const struct container_spec *spec, bool is_startup, int *ret_exit_code,
		       char **ret_output, struct err *err)
{
	int64_t timeout_nsec =
		is_startup ? spec->health_startup_timeout_nsec : spec->health_timeout_nsec;
	struct exec_request request = { 0 };
	struct check check = { .output_fd = -1, .limit = health_output_limit(spec) };
	autofree char *output = check.output = xmalloc(check.limit + 1);
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "create pipe");
	check.output_fd = fds[0];
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	(void)fchmod(fds[1], 0666); /* it may open /dev/stderr again */
	make_request(is_startup ? &spec->health_startup_test : &spec->health_test, &request);
	int r = container_exec_child(engine, container, &request, fds[1], &check.child,
				     ret_exit_code, err);
	strlist_clear(&request.command);
	close(fds[1]);
	if (r == 0) {
		*ret_exit_code = await_command(&check, timeout_nsec);
		runtime_child_clear(&check.child);
	}
	fd_close(&check.output_fd);
	if (r == -ESRCH)
		return r;
	/* JSON holds text only. */
	for (size_t i = 0; i < check.size; i++)
		if (!check.output[i] || (unsigned char)check.output[i] >= 0x80)
			check.output[i] = '?';
	if (r < 0)
		*ret_output = xstrdup(err->text);
	else if (*ret_exit_code < 0)
		*ret_output =
			xasprintf("the check took longer than %.3g s", (double)timeout_nsec / 1e9);
	else
		*ret_output = xstrndup(output, check.size);
	return 0;
}

/* Others may check at the same time. Returns enum health_verdict. */
static int write_down(struct engine *engine, const struct container *container,
		      const struct container_spec *spec, const struct health_result *result,
		      struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	struct run_status now;

	autoclose int lock_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
		return err_set(err, ESRCH, "container '%s' has ended", container->name);
	(void)run_directory_status(run_dir, &now);
	if (!now.is_running || now.pid != container->run.pid)
		return err_set(err, ESRCH, "container '%s' has ended", container->name);
	autojson struct json_object *health = health_read(run_dir);
	if (!health)
		health = json_object_new_object();
	bool is_starting =
		result->start_nsec - container->run.started_nsec < spec->health_start_period_nsec;
	enum health_verdict verdict = health_add_result(health, spec, result, is_starting);
	int r = health_write(run_dir, spec, container->id, health, err);
	return r < 0 ? r : (int)verdict;
}

/* Its policy starts it no more, as after the user's stop; but it was not the user, so a boot starts it again. */
static int act(struct engine *engine, struct container *container, const char *action,
	       struct err *err)
{
	const struct stop_request not_by_user = { -1, RESTART_END_UNTIL_BOOT };

	if (!action || strcmp(action, "none") == 0)
		return 0;
	if (strcmp(action, "kill") == 0)
		return container_kill(engine, container, SIGKILL, not_by_user.why, err);
	if (strcmp(action, "restart") == 0)
		return container_end_to_restart(engine, container, err);
	int r = container_stop(engine, container, &not_by_user, err);
	return r < 0 ? r : 0;
}

/* The check of the start is over: the other one comes at once, so that nobody waits for the first word on its health. */
static int begin_regular(const char *run_dir, const struct container_spec *spec, struct err *err)
{
	autoclose int run_dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = run_dir_fd < 0 ? -1 : attach_connect(run_dir_fd, err);

	if (fd < 0)
		return 0; /* nobody checks any more */
	return attach_set_health(fd, health_interval_msec(spec->health_interval_nsec), true, err);
}

int container_check_health(struct engine *engine, struct container *container, int *ret_exit_code,
			   struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *output = NULL;
	struct health_result result = { .start_nsec = timestamp_now_nsec() };

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
	autofree char *run_dir = container_run_directory(engine, container->id);
	autojson struct json_object *before = health_read(run_dir);
	result.is_startup = health_is_startup(before, spec);
	r = run_command(engine, container, spec, result.is_startup, &result.exit_code, &output,
			err);
	if (r < 0)
		return r;
	result.end_nsec = timestamp_now_nsec();
	result.output = output;
	r = write_down(engine, container, spec, &result, err);
	if (r < 0)
		return r;
	autofree char *health = health_status(engine, container);
	event_container_health(engine, container, health);
	*ret_exit_code = result.exit_code;
	switch ((enum health_verdict)r) {
	case HEALTH_UNHEALTHY:
		return act(engine, container, spec->health_on_failure, err);
	case HEALTH_START_FAILED:
		return container_end_to_restart(engine, container, err);
	case HEALTH_STARTED:
		return begin_regular(run_dir, spec, err);
	case HEALTH_GOES_ON:
		break;
	}
	return 0;
}
