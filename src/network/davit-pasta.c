/* davit-pasta: stays with a container of an ordinary user and runs pasta(1) for it when it is
 * needed.
 *
 *	davit-pasta now|later NETNS PASTA ARGUMENT…
 *
 * Descriptors: 2 where pasta's complaints go, 3 the tap interface, 4 a pidfd of the container's
 * init, 5 (with "now") what the arguments tell pasta to write its process ID to when it is ready, 6 (unless NETNS is
 *"-") the network namespace, which pasta shall find at the path NETNS: by a mount which only pasta sees, so that nothing of it
 * stays.
 *
 * "later" starts pasta when the first packet waits in the tap; until then this is a process of a
 * few pages, against 20 MB. When the container ends, or a signal ends us, pasta is killed: this
 * pasta does not notice by itself when the namespaces of a process go. When pasta dies first it is
 * started again, for connections to come: the tap is still here; not for ever, though, if it keeps
 * dying.
 *
 * Static, no libraries, no allocation. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum fd { FD_LOG = 2, FD_TAP = 3, FD_CONTAINER = 4, FD_READY = 5, FD_NETNS = 6, FD_COUNT };

#define MAX_STARTS 5

static void say(const char *text)
{
	(void)!write(FD_LOG, text, strlen(text)); /* nobody else to tell */
}

static bool show_namespace(const char *path)
{
	return strcmp(path, "-") == 0 || (unshare(CLONE_NEWNS) == 0 &&
					  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
					  mount("/proc/self/fd/6", path, NULL, MS_BIND, NULL) == 0);
}

/* Returns FD_READY, or -1. The numbers that are not used may be taken by what davit's caller had open, and so may those
 * above: what that is must not stay open for as long as the container lives. */
static int adopt_descriptors(bool has_ready, bool has_netns)
{
	(void)syscall(SYS_close_range, FD_COUNT, ~0U, 0); /* before Linux 5.9 they do stay */
	fcntl(FD_CONTAINER, F_SETFD, FD_CLOEXEC);
	if (has_netns)
		fcntl(FD_NETNS, F_SETFD, FD_CLOEXEC);
	else
		close(FD_NETNS);
	if (has_ready)
		fcntl(FD_READY, F_SETFD, FD_CLOEXEC);
	else
		close(FD_READY);
	return has_ready ? FD_READY : -1;
}

/* *ret_life is the reading end of a pipe whose writing end only pasta has, as its standard output.
 */
static pid_t start(char **argv, const char *netns, const sigset_t *inherited, int *ret_life)
{
	int life[2];

	if (pipe2(life, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(life[1], STDOUT_FILENO);
		prctl(PR_SET_PDEATHSIG,
		      SIGKILL); /* for the moment until pasta has its own namespaces */
		sigprocmask(SIG_SETMASK, inherited, NULL);
		if (!show_namespace(netns)) {
			say("cannot mount the network namespace for pasta\n");
			_exit(127);
		}
		execv(argv[0], argv + 1);
		say("cannot execute pasta\n");
		_exit(127);
	}
	close(life[1]);
	if (pid < 0)
		close(life[0]);
	else
		*ret_life = life[0];
	return pid;
}

int main(int argc, char **argv)
{
	sigset_t signals, inherited;

	if (argc < 5)
		return 2;
	bool is_wanted = strcmp(argv[1], "now") == 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &inherited);
	int ready_fd = adopt_descriptors(is_wanted, strcmp(argv[2], "-") != 0);
	int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return 1;

	pid_t pasta = -1;
	int starts = 0, life = -1;
	for (;;) {
		if (is_wanted && pasta < 0 && starts++ < MAX_STARTS)
			pasta = start(argv + 3, argv[2], &inherited, &life);

		/* Nothing more is read from the tap once pasta has been given up: what is sent
		 * there is lost when the queue is full. */
		struct pollfd polled[] = {
			{ .fd = FD_CONTAINER, .events = POLLIN },
			{ .fd = signal_fd, .events = POLLIN },
			{ .fd = is_wanted ? -1 : FD_TAP, .events = POLLIN },
		};
		if (poll(polled, sizeof(polled) / sizeof(*polled), -1) < 0 && errno != EINTR)
			break;
		if (polled[0].revents)
			break;
		if (polled[1].revents) {
			struct signalfd_siginfo info;
			if (read(signal_fd, &info, sizeof(info)) == sizeof(info) &&
			    info.ssi_signo != SIGCHLD)
				break;
			int status;
			pid_t ended = waitpid(-1, &status, WNOHANG);
			if (ended > 0 && ended == pasta) {
				pasta = -1;
				close(life);
				if (ready_fd >= 0)
					close(ready_fd);
				ready_fd = -1;
				is_wanted = starts >= MAX_STARTS || strcmp(argv[1], "now") == 0;
			}
		}
		if (polled[2].revents & (POLLERR | POLLHUP | POLLNVAL))
			break; /* the interface is gone, and its namespace with it */
		if (polled[2].revents & POLLIN)
			is_wanted = true;
	}
	if (pasta > 0) {
		/* Until its ports are free again, which they are when its descriptors are closed.
		 * Taking its namespaces apart takes 30 ms more, for which nobody has to wait. */
		char byte;
		kill(pasta, SIGKILL);
		while (read(life, &byte, 1) > 0 || errno == EINTR)
			errno = 0;
		/* This tells who waits for us; the tap takes as long as the namespaces. */
		if (ready_fd >= 0)
			close(ready_fd);
	}
	return 0;
}
