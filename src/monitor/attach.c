/* The attaching side of the protocol: one poll loop between our streams and the monitor's socket.
 *
 * Nothing here may block where a signal has to get through: input for the monitor waits in a buffer
 * until the container
 * has taken what came before, and output goes to pipes and terminals in pieces that poll(2) has
 * promised room for. While output waits, nothing is read from the socket; the monitor notices and
 * holds the container.
 *
 * Signals come by signalfd(2). Without a raw terminal only those are taken that are passed on. With
 * one, those that end or stop us are taken as well: the terminal is restored first, then they act.
 */
#include "monitor/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/local-socket.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "monitor/protocol.h"

enum { PIECE = 4096 /* PIPE_BUF: what a writable pipe takes without blocking */ };

struct attach {
	const struct attach_options *options;
	struct attach_outcome outcome;
	int signal_fd;
	sigset_t mask_before;
	struct detach_keys detach_keys; /* count 0 where they are not heeded */
	bool is_raw, has_ended;
	struct termios terminal;     /* as it was */
	int stdin_fd, output_fds[2]; /* -1 once they are closed or not wanted */
	bool may_block[2]; /* of the outputs: poll(2) has to announce room, and for little */
	bool closed_to_tell[2];
	bool has_input_ended; /* for good, whoever listens */
	bool is_input_out;    /* sent, and not yet taken by the container */
	size_t input_size;    /* of a packet in `input` that has not been sent; 0: none */
	char input[MONITOR_PACKET_MAX + DETACH_KEYS_MAX];
	char output[MONITOR_PACKET_MAX];
};

/* ---- terminal ---- */

static void terminal_restore(struct attach *a)
{
	if (a->is_raw)
		tcsetattr(a->stdin_fd, TCSANOW, &a->terminal);
}

static void terminal_make_raw(struct attach *a)
{
	struct termios raw = a->terminal;

	cfmakeraw(&raw);
	if (a->is_raw)
		tcsetattr(a->stdin_fd, TCSANOW, &raw);
}

static void send_size(struct attach *a)
{
	struct winsize size;
	char packet[1 + sizeof(struct monitor_resize)] = { MONITOR_RESIZE };

	if (!a->options->is_terminal ||
	    (ioctl(a->options->stdin_fd, TIOCGWINSZ, &size) < 0 &&
	     ioctl(a->options->stdout_fd, TIOCGWINSZ, &size) < 0) ||
	    size.ws_row == 0 || size.ws_col == 0)
		return;
	memcpy(packet + 1, &(struct monitor_resize){ .rows = size.ws_row, .columns = size.ws_col },
	       sizeof(struct monitor_resize));
	(void)send(a->options->fd, packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- signals ---- */

static void add_signals(sigset_t *set, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sigaddset(set, numbers[i]);
}

/* Block what we take, remember the mask of before, and open the signalfd. */
static int signals_take(struct attach *a, struct err *err)
{
	/* Faults are ours; SIGPIPE comes from our own writes; stopping acts on us. */
	static const int not_passed[] = { SIGCHLD, SIGPIPE, SIGWINCH, SIGURG,  SIGTSTP,
					  SIGTTIN, SIGTTOU, SIGCONT,  SIGSEGV, SIGBUS,
					  SIGFPE,  SIGILL,  SIGTRAP,  SIGSYS };
	static const int raw_too[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGHUP,  SIGINT, SIGTERM,
				       SIGQUIT,	 SIGUSR1, SIGUSR2, SIGALRM, SIGABRT };
	sigset_t taken, blocked;

	sigemptyset(&taken);
	if (a->options->on_signal) {
		sigfillset(&taken);
		for (size_t i = 0; i < sizeof(not_passed) / sizeof(not_passed[0]); i++)
			sigdelset(&taken, not_passed[i]);
	}
	if (a->is_raw)
		add_signals(&taken, raw_too, sizeof(raw_too) / sizeof(raw_too[0]));
	else if (a->options->is_terminal)
		sigaddset(&taken, SIGWINCH);
	blocked = taken;
	sigaddset(&blocked, SIGPIPE); /* a closed output is seen as EPIPE */
	sigprocmask(SIG_BLOCK, &blocked, &a->mask_before);
	if (a->options->held) {
		/* Those that were held but are not taken act now. */
		a->mask_before = *a->options->held;
		sigorset(&blocked, &blocked, &a->mask_before);
		sigprocmask(SIG_SETMASK, &blocked, NULL);
	}
	a->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->signal_fd < 0) {
		int r = err_errno(err, "make signalfd");
		sigprocmask(SIG_SETMASK, &a->mask_before, NULL);
		return r;
	}
	return 0;
}

/* Forget a SIGPIPE of ours before it is unblocked; then signals are as they were. */
static void signals_give_back(struct attach *a)
{
	sigset_t pipe_set;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	while (sigtimedwait(&pipe_set, NULL, &(struct timespec){ 0 }) > 0)
		;
	sigprocmask(SIG_SETMASK, &a->mask_before, NULL);
	fd_close(&a->signal_fd);
}

/* Let a signal act on us, on a terminal that is as it was. Comes back only from stopping. */
static void signal_act(struct attach *a, int number)
{
	sigset_t set;

	terminal_restore(a);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	terminal_make_raw(a);
	send_size(a);
}

static void signals_read(struct attach *a)
{
	struct signalfd_siginfo info;

	while (read(a->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGWINCH) {
			send_size(a);
		} else if (number == SIGCONT) {
			terminal_make_raw(a); /* the shell has set it to its own liking meanwhile */
			send_size(a);
		} else if (number == SIGTSTP || !a->options->on_signal) {
			signal_act(a, number);
		} else {
			a->options->on_signal(number, a->options->arg);
		}
	}
}

/* ---- streams ---- */

static void end(struct attach *a, enum attach_end how)
{
	a->outcome.end = how;
	a->has_ended = true;
}

static bool may_block(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode);
}

/* Pass on that our output is closed. Where the socket is full this comes again when it is not. */
static void closed_tell(struct attach *a)
{
	for (int i = 0; i < 2; i++) {
		char packet[2] = { MONITOR_OUTPUT_CLOSED,
				   i == 0 ? MONITOR_STDOUT : MONITOR_STDERR };

		if (a->closed_to_tell[i] &&
		    send(a->options->fd, packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			a->closed_to_tell[i] = false;
	}
}

static void output_write(struct attach *a, int stream, const char *data, size_t size)
{
	int *fd = &a->output_fds[stream];
	bool is_slow = a->may_block[stream];

	while (size > 0 && *fd >= 0) {
		struct pollfd polls[2] = { { *fd, POLLOUT, 0 }, { a->signal_fd, POLLIN, 0 } };

		if (is_slow) {
			if (poll(polls, 2, -1) < 0)
				continue;
			if (polls[1].revents)
				signals_read(a);
			if (!polls[0].revents)
				continue;
		}
		ssize_t n = write(*fd, data, is_slow && size > PIECE ? PIECE : size);
		if (n >= 0) {
			data += n;
			size -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			/* The container shall notice by itself, as if it had written there. */
			if (errno != EPIPE)
				log_warn("write the container's output: %s; closed it",
					 strerror(errno));
			*fd = -1;
			a->closed_to_tell[stream] = true;
			closed_tell(a);
		}
	}
}

static void input_send(struct attach *a)
{
	if (a->is_input_out)
		return;
	ssize_t n = send(a->options->fd, a->input, a->input_size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return;
	/* A lost monitor shows itself on the reading side, behind its last words. */
	a->is_input_out = a->input[0] == MONITOR_STDIN;
	a->input_size = 0;
}

/* The container was started again behind the same connection, and knows nothing of us. */
static void started_again(struct attach *a)
{
	a->is_input_out = false;
	if (a->has_input_ended && !a->options->is_terminal) {
		a->input[0] = MONITOR_STDIN_EOF;
		a->input_size = 1;
	} else if (!a->has_input_ended) {
		a->stdin_fd = a->options->stdin_fd; /* the last one may have closed it */
	}
	a->closed_to_tell[0] = a->output_fds[0] < 0 && a->options->stdout_fd >= 0;
	a->closed_to_tell[1] = a->output_fds[1] < 0 && a->options->stderr_fd >= 0;
	send_size(a);
	closed_tell(a);
	if (a->input_size)
		input_send(a);
}

static void socket_read(struct attach *a)
{
	struct monitor_exit exit;
	uint64_t skipped;
	ssize_t n = recv(a->options->fd, a->output, sizeof(a->output), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(a, ATTACH_LOST);
		return;
	}
	switch (a->output[0]) {
	case MONITOR_STDOUT:
		output_write(a, 0, a->output + 1, (size_t)n - 1);
		break;
	case MONITOR_STDERR:
		output_write(a, 1, a->output + 1, (size_t)n - 1);
		break;
	case MONITOR_STDIN_TAKEN:
		a->is_input_out = false;
		if (a->input_size)
			input_send(a);
		break;
	case MONITOR_STDIN_CLOSED:
		if (!a->is_raw)
			a->stdin_fd = -1;
		a->input_size = 0;
		break;
	case MONITOR_SKIPPED:
		if ((size_t)n == 1 + sizeof(skipped)) {
			memcpy(&skipped, a->output + 1, sizeof(skipped));
			log_warn("output was not read for a while; %llu bytes left out, which the "
				 "container's "
				 "log has",
				 (unsigned long long)skipped);
		}
		break;
	case MONITOR_AGAIN:
		started_again(a);
		break;
	case MONITOR_EXIT:
		if ((size_t)n < 1 + sizeof(exit))
			break;
		memcpy(&exit, a->output + 1, sizeof(exit));
		a->outcome.wait_status = exit.wait_status;
		a->outcome.oom_killed = exit.oom_killed;
		a->outcome.you_clean_up = exit.you_clean_up;
		end(a, ATTACH_EXITED);
		break;
	default:
		break; /* from a newer monitor */
	}
}

static void input_read(struct attach *a)
{
	char typed[MONITOR_PACKET_MAX - 1 - DETACH_KEYS_MAX];
	ssize_t n = read(a->stdin_fd, typed, sizeof(typed));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 && a->is_raw) {
		end(a, ATTACH_DETACHED); /* the terminal has hung up; SIGHUP is on its way */
		return;
	}
	if (n <= 0) {
		/* A terminal has no end of file but the key for it. */
		static const char eot[] = { MONITOR_STDIN, 4 };
		a->has_input_ended = true;
		a->input[0] = MONITOR_STDIN_EOF;
		a->input_size = 1;
		if (a->options->is_terminal) {
			memcpy(a->input, eot, sizeof(eot));
			a->input_size = sizeof(eot);
		}
		a->stdin_fd = -1;
		input_send(a);
		return;
	}
	n = detach_keys_filter(&a->detach_keys, typed, (size_t)n, a->input + 1);
	if (n < 0) {
		end(a, ATTACH_DETACHED);
		return;
	}
	if (n == 0)
		return; /* perhaps the first of the detach keys */
	a->input[0] = MONITOR_STDIN;
	a->input_size = (size_t)n + 1;
	input_send(a);
}

static void run(struct attach *a)
{
	while (!a->has_ended) {
		struct pollfd polls[3] = {
			{ a->options->fd, POLLIN, 0 },
			{ a->input_size ? -1 : a->stdin_fd, POLLIN, 0 },
			{ a->signal_fd, POLLIN, 0 },
		};

		if ((a->input_size && !a->is_input_out) || a->closed_to_tell[0] ||
		    a->closed_to_tell[1])
			polls[0].events |= POLLOUT;
		if (poll(polls, 3, -1) < 0)
			continue;
		if (polls[2].revents)
			signals_read(a);
		if (polls[0].revents & POLLOUT) {
			if (a->input_size)
				input_send(a);
			closed_tell(a);
		}
		if (polls[0].revents & ~POLLOUT)
			socket_read(a);
		if (polls[1].revents && !a->has_ended && a->input_size == 0 && a->stdin_fd >= 0)
			input_read(a);
	}
}

int attach_connect(int run_dir_fd, struct err *err)
{
	int fd = local_socket_connect(SOCK_SEQPACKET, run_dir_fd, MONITOR_FILE_ATTACH);

	return fd < 0 ? err_set(err, -fd, "connect to the container's monitor: %s", strerror(-fd))
		      : fd;
}

int attach_run(const struct attach_options *options, struct attach_outcome *ret_outcome,
	       struct err *err)
{
	struct attach a = {
		.options = options,
		.signal_fd = -1,
		.stdin_fd = options->stdin_fd,
		.output_fds = { options->stdout_fd, options->stderr_fd },
		.may_block = { may_block(options->stdout_fd), may_block(options->stderr_fd) },
	};

	if (options->is_terminal && options->stdin_fd >= 0 &&
	    tcgetattr(options->stdin_fd, &a.terminal) == 0) {
		a.is_raw = true;
		a.detach_keys = options->detach_keys;
	}
	int r = signals_take(&a, err);
	if (r < 0)
		return r;
	terminal_make_raw(&a);
	send_size(&a);
	run(&a);
	terminal_restore(&a);
	signals_give_back(&a);
	*ret_outcome = a.outcome;
	return 0;
}

void attach_hold_signals(sigset_t *ret_before)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };
	sigset_t held;

	sigemptyset(&held);
	add_signals(&held, ending, sizeof(ending) / sizeof(ending[0]));
	sigprocmask(SIG_BLOCK, &held, ret_before);
}

void attach_release_signals(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

int attach_cleaned(int fd, const struct strlist *directories)
{
	autostrbuf struct strbuf packet = STRBUF_EMPTY;

	strbuf_addc(&packet, MONITOR_CLEANED);
	for (size_t i = 0; directories && i < directories->count; i++)
		strbuf_add(&packet, directories->items[i], strlen(directories->items[i]) + 1);
	if (packet.size > MONITOR_PACKET_MAX)
		return -EMSGSIZE;
	return send(fd, packet.data, packet.size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void attach_mute(int fd)
{
	const char packet = MONITOR_MUTE;

	/* A monitor that is gone says so when it is read; one that does not know the word is read, too. */
	(void)send(fd, &packet, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

#define ANSWER_MSEC 2000

int attach_set_health(int fd, unsigned every_msec, bool is_due, struct err *err)
{
	struct {
		char type;
		struct monitor_health health;
	} __attribute__((packed))
	packet = { MONITOR_HEALTH, { .every_msec = every_msec, .is_due = is_due } };
	char answer[1];

	attach_mute(fd);
	if (send(fd, &packet, sizeof(packet), MSG_NOSIGNAL) < 0)
		return err_errno(err, "tell the monitor");
	for (;;) { /* what was on its way before the mute is passed over */
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		if (poll(&poll_fd, 1, ANSWER_MSEC) <= 0)
			return err_set(err, ETIMEDOUT, "the monitor does not answer");
		ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return err_set(err, ENOTCONN, "the monitor is gone");
		if (n == 1 && answer[0] == MONITOR_HEALTH)
			return 0;
	}
}

int attach_hear_exit(int fd, int *ret_wait_status)
{
	char packet[1 + sizeof(struct monitor_exit)];
	struct monitor_exit exit;
	ssize_t n =
		recv(fd, packet, sizeof(packet), MSG_DONTWAIT); /* output is cut off and dropped */

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -ENOTCONN;
	if (packet[0] == MONITOR_AGAIN)
		attach_mute(fd);
	if (packet[0] != MONITOR_EXIT || (size_t)n < sizeof(packet))
		return 0;
	memcpy(&exit, packet + 1, sizeof(exit));
	*ret_wait_status = exit.wait_status;
	return 1;
}
