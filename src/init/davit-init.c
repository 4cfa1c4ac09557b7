/* davit-init: PID 1 for containers that ask for one (--init).
 *
 *	davit-init [--] COMMAND [ARGUMENT…]
 *
 * Runs the command as its only child, hands on every signal it gets, reaps what is orphaned to it,
 * and ends with the command's status (128 + signal when it was killed). As PID 1 its end takes the
 * rest of the namespace along; elsewhere it is a subreaper, so that it still sees its orphans.
 *
 * All signals stay blocked and are taken by sigwaitinfo(2): there are no handlers, so none can be
 * missed. (A blocked signal reaches even a PID 1 that has no handler for it.) The command gets its
 * own process group, in the foreground of the terminal if there is one; otherwise a ctrl-C would
 * reach it twice, from the terminal and from us. Static, no stdio, no allocation: it has to live in
 * any image. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void complain(const char *what, const char *object)
{
	const char *cause = strerror(errno);
	const char *parts[] = { "davit-init: ", what, " '", object, "': ", cause, "\n" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

static int exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* In the child, never returns. `mask` is what the signals were before we blocked them all. */
static void run_command(char *const argv[], const sigset_t *mask)
{
	/* Both may fail: there may be no terminal, or not ours. SIGTTOU is still blocked, so the
	 * terminal lets us. */
	setpgid(0, 0);
	(void)tcsetpgrp(STDIN_FILENO, getpid());
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);

	int code = errno;
	complain("run", argv[0]);
	_exit(code == ENOENT || code == ENOTDIR ? 127 : 126);
}

/* Reap everything that has ended. Returns whether the command was among it. */
static int reap(pid_t command, int *ret_wait_status)
{
	int status, found = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
		if (pid == command) {
			*ret_wait_status = status;
			found = 1;
		}
	return found;
}

/* sigaction(2) as signal(3) has it. */
static void handle_signal(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(number, &action, NULL);
}

int main(int argc, char *argv[])
{
	char **command = argv + 1;
	sigset_t all, before;

	if (argc > 1 && strcmp(*command, "--") == 0)
		command++;
	if (argc < 2 || !*command) {
		static const char usage[] = "usage: davit-init [--] COMMAND [ARGUMENT...]\n";
		(void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
		return 125;
	}

	/* An inherited "ignore" would make the kernel reap the command without telling its status.
	 */
	handle_signal(SIGCHLD, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	prctl(PR_SET_NAME, "davit-init");
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);

	pid_t pid = fork();
	if (pid < 0) {
		complain("fork for", *command);
		return 125;
	}
	if (pid == 0)
		run_command(command, &before);
	setpgid(pid, pid); /* whoever is first; a signal may arrive before the child has run */

	for (;;) {
		int wait_status, number = sigwaitinfo(&all, NULL);

		if (number < 0)
			continue;
		if (number == SIGCHLD) {
			if (reap(pid, &wait_status))
				return exit_status(wait_status);
		} else if (number != SIGTTIN && number != SIGTTOU) {
			/* Gone already? Then SIGCHLD comes next. */
			(void)kill(pid, number);
		}
	}
}
