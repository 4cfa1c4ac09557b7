/* davit-monitor: the small process that stays with a container as its parent.
 *
 * The process that made the container has become this program by execve(2), so the container's init
 * is our child. We copy its output to the log and to whoever is attached, hand input in, and when
 * it ends record how, tell those attached, and see to it that somebody cleans up: the command that
 * started the container in the foreground if it is still there, otherwise `davit container
 * cleanup`, which we become.
 *
 * One container may run for months beside thousands of others, so memory is what counts: static, no
 * stdio, no allocation, two buffers that are given back to the kernel after an idle second. What
 * there is to wait for is put together anew for each poll(2) from the state below, rather than kept
 * in an epoll set: a descriptor whose data cannot be passed on now is simply not waited for, and
 * with at most 22 of them nothing is slower.
 *
 * Ends of things. Every process of the container's PID namespace is gone when its init can be
 * waited for, so its pipes end then. Outsiders can hold them (shared PID namespace, an exec
 * session): we give those GRACE_MSEC. Of a terminal we hold the container's side open ourselves, so
 * that its last user closing it does not look like the end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "monitor/monitor-clients.h"
#include "monitor/monitor-end.h"
#include "monitor/monitor-state.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum {
	/* for outsiders that hold the output after the init's end */
	GRACE_MSEC = 100,
	DRAIN_READS = 4096,
	TRIM_MSEC = 1000,
};

/* ---- output ---- */

/* Read once. Returns whether there may be more right now. */
static bool output_read(struct monitor *m, enum container_stream stream)
{
	int *fd = &m->output_fds[stream];
	ssize_t n = read(*fd, m->chunk + 1, MONITOR_PACKET_MAX - 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n <= 0) {
		/* On a terminal this means that the container's side is closed everywhere. It may
		 * be opened again as long as the init lives; only a kernel that has not let us hold
		 * it brings us here so early. */
		if (m->is_console && !m->has_ended) {
			m->is_console_parked = true;
			return false;
		}
		if (m->is_console)
			m->stdin_fd = -1;
		close_fd(fd);
		return false;
	}
	m->is_touched = true;
	m->chunk[0] = stream == CONTAINER_STDOUT ? MONITOR_STDOUT : MONITOR_STDERR;
	m->chunk_size = (size_t)n + 1;
	if (m->journal.fd >= 0)
		journal_add(&m->journal, stream, m->chunk + 1, (size_t)n);
	else
		container_log_add(&m->log, stream, m->chunk + 1, (size_t)n);
	clients_deliver(m, m->has_ended);
	return true;
}

/* The init has ended: take what is left of its output, without waiting for any client. */
static void drain(struct monitor *m)
{
	clients_stop_holding(m);
	close_fd(&m->console_peer_fd);
	if (!m->is_console)
		close_fd(&m->stdin_fd);

	/* An outsider must keep us neither by silence nor by writing without end. Pipes hold 1 MiB
	 * at most. */
	int64_t give_up_msec = now_msec() + GRACE_MSEC;
	for (int reads = 0; reads < DRAIN_READS;) {
		for (int i = 0; i < 2; i++)
			while (m->output_fds[i] >= 0 && reads++ < DRAIN_READS &&
			       output_read(m, (enum container_stream)i))
				;
		if (m->output_fds[0] < 0 && m->output_fds[1] < 0)
			break;
		struct pollfd polls[2] = { { m->output_fds[0], POLLIN, 0 },
					   { m->output_fds[1], POLLIN, 0 } };
		int64_t now = now_msec();

		if (poll(polls, 2, now < give_up_msec ? (int)(give_up_msec - now) : 0) == 0)
			break;
	}
	if (m->is_console)
		m->stdin_fd = -1;
	close_fd(&m->output_fds[0]);
	close_fd(&m->output_fds[1]);
}

static void reap(struct monitor *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == m->init_pid && !m->has_ended) {
			m->wait_status = status;
			m->has_ended = true;
		} else if (pid == m->check_pid) {
			m->check_pid = 0;
			if (!m->is_check_set)
				m->check_at_msec = now_msec() + m->check_every_msec;
			m->is_check_set = false;
		}
	if (pid < 0 && errno == ECHILD && !m->has_ended) {
		/* Not our child, or reaped before we came: nothing better is known than that it is
		 * gone. */
		m->wait_status = 255 << 8;
		m->has_ended = true;
	}
	if (m->has_ended && !m->finish_by_msec) {
		input_done(m);
		drain(m);
		end_begin(m);
	}
}

/* ---- the loop ---- */

enum {
	AT_SIGNAL,
	AT_LISTEN,
	AT_STDIN,
	AT_WATCH,
	AT_OUTPUT,
	AT_CLIENT = AT_OUTPUT + 2,
	AT_COUNT = AT_CLIENT + CLIENTS
};

static bool is_check_planned(const struct monitor *m)
{
	return m->check_every_msec && !m->check_pid && !m->has_ended;
}

static int sooner(int timeout_msec, int64_t at_msec, int64_t now)
{
	int64_t left = at_msec > now ? at_msec - now : 0;

	if (left > 1 << 30)
		left = 1 << 30; /* poll(2) takes an int; the loop comes back */

	return timeout_msec < 0 || left < timeout_msec ? (int)left : timeout_msec;
}

/* What to wait for, given what could be passed on. Returns the timeout for poll(2). */
static int plan_polls(const struct monitor *m, struct pollfd polls[AT_COUNT])
{
	bool has_input = m->input_at < m->input_end, held = clients_hold(m);
	int timeout_msec = m->is_touched ? TRIM_MSEC : -1;
	int64_t now =
		held || m->has_ended || m->kill_at_msec || m->check_every_msec ? now_msec() : 0;

	polls[AT_SIGNAL] = (struct pollfd){ m->signal_fd, POLLIN, 0 };
	polls[AT_LISTEN] = (struct pollfd){ m->listen_fd, POLLIN, 0 };
	/* A pipe is watched even without input for it: its error tells that nobody reads any more.
	 */
	polls[AT_STDIN] = (struct pollfd){ m->is_console && !has_input ? -1 : m->stdin_fd,
					   has_input ? POLLOUT : 0, 0 };
	polls[AT_WATCH] = (struct pollfd){ m->watch_fd, POLLIN, 0 };
	for (int i = 0; i < 2; i++)
		polls[AT_OUTPUT + i] =
			(struct pollfd){ held || m->is_console_parked ? -1 : m->output_fds[i],
					 POLLIN, 0 };
	for (int i = 0; i < CLIENTS; i++) {
		const struct client *client = &m->clients[i];
		short events = client->has_input ? 0 : POLLIN;

		if (client->owes || client->is_taken_due || client->skipped ||
		    client->is_behind_in_spill ||
		    (m->has_ended && !m->is_restarting && !client->is_told))
			events |= POLLOUT;
		if (client->owes && !client->is_first)
			timeout_msec = sooner(timeout_msec, client_stalls_at(client), now);
		polls[AT_CLIENT + i] = (struct pollfd){ client->fd, events, 0 };
	}
	if (!m->has_ended && m->kill_at_msec)
		timeout_msec = sooner(timeout_msec, m->kill_at_msec, now);
	if (is_check_planned(m))
		timeout_msec = sooner(timeout_msec, m->check_at_msec, now);
	if (m->has_ended && now < m->finish_by_msec)
		timeout_msec = sooner(timeout_msec, m->finish_by_msec, now);
	if (m->is_restarting && now < m->restart_at_msec)
		timeout_msec = sooner(timeout_msec, m->restart_at_msec, now);
	return timeout_msec;
}

static void run(struct monitor *m)
{
	struct pollfd polls[AT_COUNT];
	struct signalfd_siginfo info;

	reap(m); /* it may have ended before the signals were blocked */
	for (;;) {
		if (m->has_ended)
			end_finish(m);
		int timeout_msec = plan_polls(m, polls);
		int count = poll(polls, AT_COUNT, timeout_msec);

		if (count < 0)
			continue;
		if (count == 0 && m->is_touched && !clients_hold(m) &&
		    m->input_at == m->input_end) {
			madvise(m->chunk, sizeof(m->chunk), MADV_DONTNEED);
			madvise(m->input, sizeof(m->input), MADV_DONTNEED);
			m->is_touched = false;
		}
		if (!m->has_ended && m->kill_at_msec && now_msec() >= m->kill_at_msec) {
			/* Not reaped yet, so the number is still its own. */
			kill(m->init_pid, SIGKILL);
			m->kill_at_msec = 0;
		}
		if (is_check_planned(m) && now_msec() >= m->check_at_msec)
			check_start(m);
		if (clients_hold(m))
			clients_skip_stalled(m);
		for (int i = 0; i < CLIENTS; i++)
			if (m->clients[i].fd >= 0 && polls[AT_CLIENT + i].revents)
				client_handle(m, &m->clients[i], polls[AT_CLIENT + i].revents);
		if (polls[AT_LISTEN].revents)
			clients_accept(m);
		if (m->stdin_fd >= 0 && m->input_at < m->input_end && polls[AT_STDIN].revents)
			stdin_write(m);
		else if (m->stdin_fd >= 0 && polls[AT_STDIN].revents & POLLERR)
			stdin_close(m, true);
		for (int i = 0; i < 2; i++)
			if (polls[AT_OUTPUT + i].revents && m->output_fds[i] >= 0 &&
			    !clients_hold(m))
				output_read(m, (enum container_stream)i);
		if (polls[AT_SIGNAL].revents) {
			(void)!read(m->signal_fd, &info, sizeof(info));
			reap(m);
		}
	}
}

/* Numbers come as NAME=NUMBER; what follows "--" is the command that cleans up. The rest, such as
 * the container's ID, is for those who read ps(1). See launch.c. */
static void read_arguments(struct monitor *m, char *argv[])
{
	int client_fd = -1, console_fd = -1, timeout_seconds = -1, again = -1, health = -1;
	const struct {
		const char *name;
		int *value;
	} names[] = {
		{ "pid", &m->init_pid },	 { "stdin", &m->stdin_fd },
		{ "stdout", &m->output_fds[0] }, { "stderr", &m->output_fds[1] },
		{ "console", &console_fd },	 { "log", &m->log.fd },
		{ "listen", &m->listen_fd },	 { "client", &client_fd },
		{ "run", &m->run_dir_fd },	 { "oom", &m->oom_fd },
		{ "timeout", &timeout_seconds }, { "again", &again },
		{ "journal", &m->journal.fd },	 { "health", &health },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		*names[i].value = -1;
	for (int i = 0; i < CLIENTS; i++)
		m->clients[i].fd = -1;
	for (argv++; *argv; argv++) {
		if (strncmp(*argv, "logpath=", 8) == 0)
			m->log.path = *argv + 8;
		if (strncmp(*argv, "logmax=", 7) == 0)
			m->log.max_bytes = strtoull(*argv + 7, NULL, 10);
		if (strncmp(*argv, "logfiles=", 9) == 0)
			m->log.max_files = (unsigned)strtoul(*argv + 9, NULL, 10);
		if (strncmp(*argv, "field=", 6) == 0 && m->journal.field_count < JOURNAL_FIELDS)
			m->journal.fields[m->journal.field_count++] = *argv + 6;
		if (strncmp(*argv, "late=", 5) == 0)
			client_add(m, (int)strtol(*argv + 5, NULL, 10), false);
		if (strcmp(*argv, "--") == 0) {
			m->cleanup = argv[1] ? argv + 1 : NULL;
			break;
		}
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			size_t size = strlen(names[i].name);
			if (strncmp(*argv, names[i].name, size) == 0 && (*argv)[size] == '=')
				*names[i].value = (int)strtol(*argv + size + 1, NULL, 10);
		}
	}
	if (health > 0 && m->cleanup) {
		m->check_every_msec = health;
		m->check_at_msec = now_msec(); /* the first one tells how it begins */
	}
	if (timeout_seconds > 0)
		m->kill_at_msec = now_msec() + timeout_seconds * (int64_t)1000;
	if (console_fd >= 0) {
		m->is_console = true;
		m->stdin_fd = m->output_fds[0] = console_fd;
		m->output_fds[1] = -1;
	}
	if (client_fd >= 0)
		client_add(m, client_fd, true);
	for (int i = 0; again > 0 && i < CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			(void)send_packet(m->clients[i].fd, &(const char){ MONITOR_AGAIN }, 1);
}

static void set_nonblocking(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int main(int argc, char *argv[])
{
	static struct monitor
		monitor; /* far too large for the stack, and zero pages cost nothing */
	struct monitor *m = &monitor;
	sigset_t all, child;

	if (argc < 2)
		return 2;
	m->console_peer_fd = m->spill_fd = m->watch_fd = -1;
	m->started_msec = now_msec();
	read_arguments(m, argv);
	if (m->init_pid <= 0)
		return 2;

	/* Nothing that happens to the terminal or the session we came from may reach us. What is
	 * blocked is never taken, so SIGPIPE and the like only wait until become_cleanup() forgets
	 * them. */
	handle_signal(SIGCHLD, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	m->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)setsid(); /* fails if we lead one already */
	(void)chdir("/");
	prctl(PR_SET_NAME, "davit-monitor");
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null_fd >= 0; fd++)
		dup2(null_fd, fd);
	if (null_fd > 2)
		close(null_fd);

	if (m->is_console)
		m->console_peer_fd =
			ioctl(m->output_fds[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	set_nonblocking(m->output_fds[0]);
	set_nonblocking(m->output_fds[1]);
	set_nonblocking(m->stdin_fd);
	set_nonblocking(m->listen_fd);
	run(m);
}
