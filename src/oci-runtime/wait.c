/* The foreground: run and exec without --detach. Signals come by signalfd, the end of the child by its pidfd, and the
 * terminal's bytes are copied both ways. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/pidfd.h"
#include "oci-runtime/launch.h"
#include "runtime/runtime.h"

struct relay {
	struct runtime_child *child;
	int signal_fd;
	bool reads_input, is_raw;
	struct termios before;
};

static void resize(const struct relay *relay)
{
	struct winsize size;

	if (relay->child->console_fd >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(relay->child->console_fd, TIOCSWINSZ, &size); /* cosmetic */
}

static void start_terminal(struct relay *relay)
{
	struct termios raw;

	if (relay->child->console_fd < 0)
		return;
	relay->reads_input = true;
	if (tcgetattr(STDIN_FILENO, &relay->before) < 0)
		return;
	raw = relay->before;
	cfmakeraw(&raw);
	relay->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	resize(relay);
}

/* Returns whether there may be more. */
static bool copy(int from_fd, int to_fd)
{
	char bytes[8192];

	ssize_t n = read(from_fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && fd_write_all(to_fd, bytes, (size_t)n) == 0;
}

static void pass_signal(const struct relay *relay)
{
	struct signalfd_siginfo info;

	if (read(relay->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		resize(relay);
	else if (info.ssi_signo != SIGCHLD)
		(void)pidfd_signal(relay->child->pid_fd, (int)info.ssi_signo);
}

static void relay_until_end(struct relay *relay)
{
	struct runtime_child *child = relay->child;
	bool has_ended = false;

	while (!has_ended) {
		struct pollfd fds[] = {
			{ .fd = child->pid_fd, .events = POLLIN },
			{ .fd = relay->signal_fd, .events = POLLIN },
			{ .fd = child->console_fd, .events = POLLIN },
			{ .fd = relay->reads_input ? STDIN_FILENO : -1, .events = POLLIN },
		};
		if (poll(fds, 4, -1) < 0)
			continue;
		if (fds[1].revents)
			pass_signal(relay);
		if (fds[2].revents && !copy(child->console_fd, STDOUT_FILENO))
			fd_close(&child->console_fd);
		if (fds[3].revents && child->console_fd >= 0)
			relay->reads_input = copy(STDIN_FILENO, child->console_fd);
		has_ended = fds[0].revents;
	}
	/* What it said last. */
	if (child->console_fd >= 0) {
		struct pollfd rest = { .fd = child->console_fd, .events = POLLIN };
		while (poll(&rest, 1, 0) > 0 && (rest.revents & POLLIN) &&
		       copy(child->console_fd, STDOUT_FILENO))
			;
	}
}

int launch_wait(struct runtime_child *child, struct err *err)
{
	struct relay relay = { .child = child };
	sigset_t all, before;
	int status = 0;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before);
	relay.signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (relay.signal_fd < 0)
		return err_errno(err, "receive signals");
	start_terminal(&relay);
	relay_until_end(&relay);
	if (relay.is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &relay.before);
	close(relay.signal_fd);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	int r = process_reap(child->pid, &status);
	if (r < 0)
		return err_set(err, -r, "wait for process %d", (int)child->pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
