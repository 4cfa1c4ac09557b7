#include "runtime/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

#include "kernel/pidfd.h"
#include "oci/runtime-config.h"

static _Noreturn void execute(const struct oci_hook *hook, int state_fd, const char *directory,
			      int report_fd)
{
	static char *const empty[] = { NULL };
	char *const alone[] = { hook->path, NULL };
	char *const *args = hook->args.count ? hook->args.items : alone;
	char *const *env = hook->env.count ? hook->env.items : empty;
	sigset_t none;
	int code;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if ((!directory || chdir(directory) == 0) && dup2(state_fd, STDIN_FILENO) >= 0) {
		/* Nothing of ours is for the hook but its standard streams. */
		if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
			execve(hook->path, args, env);
	}
	code = errno;
	(void)!write(report_fd, &code, sizeof(code));
	_exit(127);
}

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Until it ends, or its time is over. 0 or ETIMEDOUT. */
static int wait_for_end(pid_t pid, unsigned timeout_seconds)
{
	int64_t deadline = now_msec() + timeout_seconds * INT64_C(1000);
	int pid_fd = timeout_seconds ? pidfd_open_process(pid) : -1;
	int code = 0;

	while (pid_fd >= 0) {
		struct pollfd ended = { .fd = pid_fd, .events = POLLIN };
		int64_t left = deadline - now_msec();
		int n = poll(&ended, 1, left > 0 ? (int)left : 0);
		if (n > 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		(void)kill(pid, SIGKILL); /* not reaped yet, so it is the one */
		code = ETIMEDOUT;
		break;
	}
	if (pid_fd >= 0)
		close(pid_fd);
	return code;
}

/* A hook need not read it; who writes to a closed pipe would die of SIGPIPE. The text fits a pipe's buffer, or waits. */
static void write_state(int fd, const char *state, size_t size)
{
	const struct timespec at_once = { 0 };
	sigset_t pipe_only, before, pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &pipe_only, &before);
	while (size > 0) {
		ssize_t n = write(fd, state, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		state += n;
		size -= (size_t)n;
	}
	if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &at_once);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

bool hook_run(const struct oci_hook *hook, const char *state, size_t state_size,
	      const char *directory, struct hook_end *ret_end)
{
	int state_fds[2], report_fds[2], code = 0;

	*ret_end = (struct hook_end){ 0 };
	if (pipe2(state_fds, O_CLOEXEC) < 0) {
		ret_end->code = errno;
		return false;
	}
	if (pipe2(report_fds, O_CLOEXEC) < 0) {
		ret_end->code = errno;
		close(state_fds[0]);
		close(state_fds[1]);
		return false;
	}
	pid_t pid = fork();
	if (pid == 0)
		execute(hook, state_fds[0], directory, report_fds[1]);
	if (pid < 0)
		ret_end->code = errno;
	close(state_fds[0]);
	close(report_fds[1]);
	if (pid > 0) {
		if (read(report_fds[0], &code, sizeof(code)) == (ssize_t)sizeof(code))
			ret_end->code = code;
		else
			write_state(state_fds[1], state, state_size);
	}
	close(state_fds[1]);
	close(report_fds[0]);
	if (pid < 0)
		return false;
	if (!ret_end->code)
		ret_end->code = wait_for_end(pid, hook->timeout_seconds);
	(void)process_reap(pid, &ret_end->wait_status);
	return !ret_end->code && WIFEXITED(ret_end->wait_status) &&
	       WEXITSTATUS(ret_end->wait_status) == 0;
}
