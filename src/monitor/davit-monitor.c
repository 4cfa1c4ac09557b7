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
 * Flow of output. There is one chunk, filled by one read. It goes to the log first, then to each
 * client. If a client cannot take it, nothing more is read until it can: a container whose output
 * nobody takes waits, as it would without us. The client the monitor was born with may hold it as
 * long as it likes (ctrl-S in a foreground run); others only for STALL_SECONDS, then their output
 * is skipped until they read again, and they are told how much they missed. When the init has ended
 * nobody may hold anything any more: what is left in the pipes goes to the log at once, and for
 * clients that are behind into a spill file in memory, from which each is served at its own pace.
 *
 * Ends of things. Every process of the container's PID namespace is gone when its init can be
 * waited for, so its pipes end then. Outsiders can hold them (shared PID namespace, an exec
 * session): we give those GRACE_MSEC. Of a terminal we hold the container's side open ourselves, so
 * that its last user closing it does not look like the end.
 *
 * Starting again. Where restart.h says so, clients are not told of the end. We wait out the delay, as nobody else waits
 * so cheaply, then become `davit container cleanup --restart`, which makes the container anew with a new monitor and
 * hands it the connections that we have left open. Whoever takes the restart file away meanwhile makes it an ordinary
 * end.
 *
 * Health checks. When one is due we start `davit container cleanup --health`, which knows how, and wait for its end before
 * we count the time to the next. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor/container-log.h"
#include "monitor/journal.h"
#include "monitor/protocol.h"
#include "monitor/restart.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum {
	CLIENTS = 16,
	PAGE = 4096,
	STALL_SECONDS = 1,
	/* how long a client that came later may hold the container */ GRACE_MSEC =
		100, /* for outsiders that hold the output after the init's end */
	DRAIN_READS = 4096,
	FINISH_SECONDS = 2, /* for late clients to take what was left for them */
	TRIM_MSEC = 1000,
	CLEANUP_WORDS = 32,
};

struct client {
	int fd;	       /* -1: a free place */
	bool is_first; /* the one we were born with */
	bool owes;     /* has not taken the chunk yet; `since_msec` tells from when on */
	bool is_behind_in_spill;
	bool is_taken_due; /* it has to be told that its input was taken */
	bool has_input;	   /* its next packet is input, for which there is no room yet */
	bool is_told;	   /* MONITOR_EXIT has been sent */
	bool is_mute;	   /* it wants no output */
	int64_t since_msec;
	uint64_t skipped; /* > 0: output is skipped until it reads again */
	off_t spill_at;
};

struct monitor {
	pid_t init_pid;
	int wait_status;
	bool has_ended;
	bool is_oom_killed;
	bool is_cleaned;
	int output_fds[2];   /* by enum container_stream; the first is the terminal, if there is one
			      */
	int stdin_fd;	     /* the terminal, a pipe, or -1 */
	int console_peer_fd; /* the container's side of the terminal, held */
	bool is_console;
	bool is_console_parked; /* reading it makes no sense before the init's end */
	int listen_fd, signal_fd, run_dir_fd, oom_fd;
	int spill_fd; /* packets for clients that are behind, each after its size in 4 bytes */
	off_t spill_size;
	int64_t finish_by_msec;
	int64_t kill_at_msec; /* the container's time is up; 0: never */
	bool is_restarting;   /* it has ended, and is to be started again */
	int64_t started_msec, restart_at_msec;
	int64_t check_every_msec, check_at_msec; /* of health; 0: none */
	pid_t check_pid;			 /* it runs; 0: none does */
	int watch_fd; /* tells while we wait for that when the run directory changes */
	struct container_log log;
	struct journal journal;
	char **cleanup;	   /* argument vector, NULL: there is nothing to do */
	size_t chunk_size; /* of the packet in `chunk`, type included; clients that owe still need
			      it */
	size_t input_at, input_end; /* what the container has yet to take of `input` */
	struct client *input_from;
	bool is_touched; /* the buffers hold pages */
	struct client clients[CLIENTS];
	/* A byte of packet type before the data. */
	char chunk[MONITOR_PACKET_MAX + PAGE - MONITOR_PACKET_MAX % PAGE]
		__attribute__((aligned(PAGE)));
	char input[MONITOR_PACKET_MAX + PAGE - MONITOR_PACKET_MAX % PAGE]
		__attribute__((aligned(PAGE)));
};

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static ssize_t send_packet(int fd, const void *packet, size_t size)
{
	ssize_t n;

	do
		n = send(fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool is_full(int code)
{
	return code == EAGAIN || code == ENOBUFS || code == ENOMEM;
}

/* ---- clients ---- */

static void client_drop(struct client *client)
{
	close_fd(&client->fd);
	client->owes = client->is_behind_in_spill = client->is_taken_due = client->has_input =
		false;
	client->skipped = 0;
}

/* Tell it about the end, if all output has reached it. */
static void client_tell_exit(struct monitor *m, struct client *client)
{
	struct {
		char type;
		struct monitor_exit exit;
	} __attribute__((packed)) packet = {
		.type = MONITOR_EXIT,
		.exit = { .wait_status = m->wait_status,
			  .oom_killed = m->is_oom_killed,
			  .you_clean_up = client->is_first },
	};

	if (client->fd < 0 || client->is_told || client->is_behind_in_spill || client->skipped)
		return;
	if (send_packet(client->fd, &packet, sizeof(packet)) >= 0)
		client->is_told = true;
	else if (!is_full(errno))
		client_drop(client);
}

/* Keep a packet for clients that cannot take it now. */
static void spill(struct monitor *m, const char *packet, size_t size)
{
	uint32_t header = (uint32_t)size;

	if (m->spill_fd < 0)
		m->spill_fd = memfd_create("davit-monitor output", MFD_CLOEXEC);
	if (m->spill_fd >= 0 &&
	    pwrite(m->spill_fd, &header, sizeof(header), m->spill_size) == sizeof(header) &&
	    pwrite(m->spill_fd, packet, size, m->spill_size + (off_t)sizeof(header)) ==
		    (ssize_t)size)
		m->spill_size += (off_t)(sizeof(header) + size);
	/* No memory: these bytes are in the log, and nowhere else. */
}

/* Send what was kept for it until it is full or has all. */
static void client_unspill(struct monitor *m, struct client *client)
{
	while (client->spill_at < m->spill_size) {
		uint32_t size;

		if (pread(m->spill_fd, &size, sizeof(size), client->spill_at) != sizeof(size) ||
		    pread(m->spill_fd, m->input, size, client->spill_at + (off_t)sizeof(size)) !=
			    (ssize_t)size)
			break;
		if (send_packet(client->fd, m->input, size) < 0) {
			if (!is_full(errno))
				client_drop(client);
			return;
		}
		client->spill_at += (off_t)(sizeof(size) + size);
	}
	client->is_behind_in_spill = false;
}

/* Give the chunk to everybody. `keep` is set after the container's end, when nobody can be waited
 * for. */
static void deliver(struct monitor *m, bool keep)
{
	off_t spill_at = m->spill_size;
	bool is_kept = false;

	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (client->fd < 0 || client->is_mute)
			continue;
		if (client->skipped) {
			client->skipped += m->chunk_size - 1;
			continue;
		}
		if (!client->is_behind_in_spill) {
			if (send_packet(client->fd, m->chunk, m->chunk_size) >= 0)
				continue;
			if (!is_full(errno)) {
				client_drop(client);
				continue;
			}
			if (!keep) {
				client->owes = true;
				client->since_msec = now_msec();
				continue;
			}
			client->is_behind_in_spill = true;
			client->spill_at = spill_at;
		}
		if (!is_kept)
			spill(m, m->chunk, m->chunk_size);
		is_kept = true;
	}
}

/* The container has this client's input, or does not want any. */
static void client_tell_taken(struct client *client)
{
	const char packet = MONITOR_STDIN_TAKEN;

	if (client->fd < 0)
		return;
	client->is_taken_due = send_packet(client->fd, &packet, 1) < 0;
	if (client->is_taken_due && !is_full(errno))
		client_drop(client);
}

static void client_retry(struct monitor *m, struct client *client)
{
	if (client->is_taken_due)
		client_tell_taken(client);
	if (client->fd < 0)
		return;
	if (client->owes) {
		if (send_packet(client->fd, m->chunk, m->chunk_size) >= 0)
			client->owes = false;
		else if (!is_full(errno))
			client_drop(client);
	} else if (client->skipped) {
		char packet[1 + sizeof(uint64_t)] = { MONITOR_SKIPPED };

		memcpy(packet + 1, &client->skipped, sizeof(client->skipped));
		if (send_packet(client->fd, packet, sizeof(packet)) >= 0)
			client->skipped = 0;
		else if (!is_full(errno))
			client_drop(client);
	} else if (client->is_behind_in_spill) {
		client_unspill(m, client);
	}
}

static void client_add(struct monitor *m, int fd, bool is_first)
{
	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (client->fd >= 0)
			continue;
		*client = (struct client){ .fd = fd, .is_first = is_first };
		if (m->input_from == client)
			m->input_from = NULL; /* that was who had this place before */
		return;
	}
	close(fd);
}

/* ---- input ---- */

/* There is room for input again. */
static void input_done(struct monitor *m)
{
	m->input_at = m->input_end = 0;
	for (int i = 0; i < CLIENTS; i++)
		m->clients[i].has_input = false;
	if (m->input_from)
		client_tell_taken(m->input_from);
	m->input_from = NULL;
}

static void stdin_close(struct monitor *m, bool tell)
{
	const char packet = MONITOR_STDIN_CLOSED;

	input_done(m);
	if (m->is_console || m->stdin_fd < 0)
		return;
	close_fd(&m->stdin_fd);
	for (int i = 0; tell && i < CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			(void)send_packet(m->clients[i].fd, &packet,
					  1); /* it saves work, no more */
}

static void stdin_write(struct monitor *m)
{
	while (m->input_at < m->input_end) {
		ssize_t n = write(m->stdin_fd, m->input + m->input_at, m->input_end - m->input_at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			stdin_close(m, true);
			return;
		}
		m->input_at += (size_t)n;
	}
	input_done(m);
}

static void client_read(struct monitor *m, struct client *client)
{
	struct monitor_resize resize;
	char small[64], *packet = m->input;
	ssize_t n;

	if (m->input_at < m->input_end) {
		/* The buffer is taken. Input has to wait, everything else is short and gets
		 * through. */
		n = recv(client->fd, small, 1, MSG_DONTWAIT | MSG_PEEK);
		client->has_input =
			n == 1 && (small[0] == MONITOR_STDIN || small[0] == MONITOR_STDIN_EOF);
		if (client->has_input)
			return;
		packet = small;
		n = recv(client->fd, small, sizeof(small), MSG_DONTWAIT);
	} else {
		m->is_touched = true;
		n = recv(client->fd, m->input, MONITOR_PACKET_MAX, MSG_DONTWAIT);
	}
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			client_drop(client);
		return;
	}
	switch (packet[0]) {
	case MONITOR_STDIN:
		m->input_from = client;
		if (m->stdin_fd < 0 || m->has_ended) {
			input_done(m);
			break;
		}
		m->input_at = 1;
		m->input_end = (size_t)n;
		stdin_write(m);
		break;
	case MONITOR_STDIN_EOF:
		stdin_close(m, false);
		break;
	case MONITOR_OUTPUT_CLOSED:
		/* What it writes from now on fails, as it would without us between it and the
		 * reader. */
		if (client->is_first && !m->is_console && !m->has_ended && n == 2)
			close_fd(&m->output_fds[packet[1] == MONITOR_STDERR]);
		break;
	case MONITOR_RESIZE:
		if (!m->is_console || m->output_fds[0] < 0 || (size_t)n != 1 + sizeof(resize))
			break;
		memcpy(&resize, packet + 1, sizeof(resize));
		(void)ioctl(m->output_fds[0], TIOCSWINSZ,
			    &(struct winsize){ .ws_row = resize.rows, .ws_col = resize.columns });
		break;
	case MONITOR_MUTE:
		client->is_mute = true;
		client->owes = client->is_behind_in_spill = false;
		client->skipped = 0;
		break;
	case MONITOR_CLEANED:
		if (client->is_first && m->has_ended)
			m->is_cleaned = true;
		break;
	default:
		break; /* from a newer davit */
	}
}

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
	deliver(m, m->has_ended);
	return true;
}

static bool is_held(const struct monitor *m)
{
	for (int i = 0; i < CLIENTS; i++)
		if (m->clients[i].owes)
			return true;
	return false;
}

/* The init has ended: take what is left of its output, without waiting for any client. */
static void drain(struct monitor *m)
{
	if (is_held(m)) {
		for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
			if (!client->owes)
				continue;
			client->owes = false;
			client->is_behind_in_spill = true;
			client->spill_at = 0;
		}
		spill(m, m->chunk, m->chunk_size);
	}
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

/* ---- the end ---- */

static size_t put_number(char *at, uint64_t value)
{
	char digits[20];
	size_t size = 0;

	do
		digits[size++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < size; i++)
		at[i] = digits[size - 1 - i];
	return size;
}

/* Whether the group's memory limit has killed something: the line "oom_kill N" of memory.events
 * (v2) or memory.oom_control (v1). */
static bool read_oom_killed(int fd)
{
	char text[512];
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "oom_kill ", 9) == 0)
			return line[9] != '0';
	}
	return false;
}

static void write_exit_file(const struct monitor *m)
{
	static const char aside[] = MONITOR_FILE_EXIT ".tmp";
	char text[64];
	size_t size;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	size = put_number(text, (uint32_t)m->wait_status);
	text[size++] = ' ';
	text[size++] = m->is_oom_killed ? '1' : '0';
	text[size++] = ' ';
	size += put_number(text + size, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	text[size++] = '\n';

	int fd = openat(m->run_dir_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return; /* the run directory is gone: whoever took it away knows the container ended
			 */
	if (write(fd, text, size) == (ssize_t)size)
		(void)renameat(m->run_dir_fd, aside, m->run_dir_fd, MONITOR_FILE_EXIT);
	close(fd);
}

/* sigaction(2) as signal(3) has it. */
static void handle_signal(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(number, &action, NULL);
}

/* Nothing of ours but these connections outlives execve(2). */
static void keep_only_clients(const struct monitor *m)
{
	if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		for (int fd = 3; fd < 1024; fd++) /* before Linux 5.11 */
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (int i = 0; m->is_restarting && i < CLIENTS; i++)
		if (m->clients[i].fd >= 0)
			(void)fcntl(m->clients[i].fd, F_SETFD, 0);
}

/* Execute a command of davit with signals as a fresh process has them. */
static _Noreturn void execute(char **arguments)
{
	sigset_t none;

	for (int number = 1; number < 32; number++)
		handle_signal(number,
			      SIG_IGN); /* this also forgets those that came while blocked */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < 32; number++)
		handle_signal(number, SIG_DFL);
	execv(arguments[0], arguments);
	_exit(127); /* the next davit command finds the exit file and cleans */
}

static size_t copy_cleanup(const struct monitor *m, char **arguments)
{
	size_t count = 0;

	while (count < CLEANUP_WORDS && m->cleanup[count]) {
		arguments[count] = m->cleanup[count];
		count++;
	}
	return count;
}

static void start_check(struct monitor *m)
{
	char *arguments[CLEANUP_WORDS + 2];
	size_t count = copy_cleanup(m, arguments);

	arguments[count++] = (char *)"--health";
	arguments[count] = NULL;
	m->check_pid = fork();
	if (m->check_pid == 0) {
		keep_only_clients(m);
		execute(arguments);
	}
	if (m->check_pid < 0) { /* no memory or no processes left: later, perhaps */
		m->check_pid = 0;
		m->check_at_msec = now_msec() + m->check_every_msec;
	}
}

/* Become the command that cleans up. */
static void become_cleanup(const struct monitor *m)
{
	char words[CLIENTS][24], *arguments[CLEANUP_WORDS + CLIENTS + 2];
	size_t count = copy_cleanup(m, arguments);

	if (m->is_restarting)
		arguments[count++] = (char *)"--restart";
	for (int i = 0; m->is_restarting && i < CLIENTS; i++) {
		const char *name = m->clients[i].is_first ? "--client=" : "--late=";
		size_t size = strlen(name);

		if (m->clients[i].fd < 0)
			continue;
		memcpy(words[i], name, size);
		size += put_number(words[i] + size, (uint64_t)m->clients[i].fd);
		words[i][size] = '\0';
		arguments[count++] = words[i];
	}
	arguments[count] = NULL;
	keep_only_clients(m);
	execute(arguments);
}

/* Before the exit file is written, so that nobody sees one without the other. */
static void plan_restart(struct monitor *m)
{
	struct restart restart;
	char path[32] = "/proc/self/fd/";

	if (!m->cleanup || restart_read(m->run_dir_fd, &restart) < 0 ||
	    !restart_applies(&restart, m->wait_status))
		return;
	int64_t now = now_msec();
	m->is_restarting = true;
	m->restart_at_msec = now + restart_delay(&restart, now - m->started_msec);
	path[14 + put_number(path + 14, (uint64_t)m->run_dir_fd)] = '\0';
	m->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (m->watch_fd >= 0)
		(void)inotify_add_watch(m->watch_fd, path, IN_DELETE | IN_DELETE_SELF);
}

static void on_init_end(struct monitor *m)
{
	input_done(m);
	drain(m);
	m->is_oom_killed = read_oom_killed(m->oom_fd);
	plan_restart(m);
	write_exit_file(m);
	m->finish_by_msec = now_msec() + FINISH_SECONDS * 1000;
}

/* Start the container again, once it is time and the clients have all that the last run has said: the first one may
 * take its time for that, as it may while the container runs. */
static void finish_by_restart(struct monitor *m)
{
	int64_t now = now_msec();
	char events[512];

	while (m->watch_fd >= 0 && read(m->watch_fd, events, sizeof(events)) > 0)
		;
	if (faccessat(m->run_dir_fd, RESTART_FILE, F_OK, 0) < 0) {
		m->is_restarting = false;
		close_fd(&m->watch_fd);
		return;
	}
	if (now < m->restart_at_msec)
		return;
	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		if (client->fd < 0 || (!client->is_behind_in_spill && !client->skipped))
			continue;
		if (client->is_first || now < m->finish_by_msec)
			return;
		client_drop(client);
	}
	become_cleanup(m);
}

static void accept_clients(struct monitor *m)
{
	int fd;

	while ((fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		client_add(m, fd, false);
}

/* After the end: tell everybody, and stop once the first client has cleaned or left, and the others
 * have all or have had their time. */
static void finish(struct monitor *m)
{
	bool has_first = false, has_late = false;

	if (m->is_restarting)
		finish_by_restart(m);
	if (m->is_restarting)
		return;
	/* Whoever has connected before the exit file was there counts on being told. */
	accept_clients(m);
	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++) {
		client_tell_exit(m, client);
		if (client->fd < 0)
			continue;
		if (client->is_first)
			has_first = true;
		else if (!client->is_told)
			has_late = true;
	}
	if (m->is_cleaned)
		has_first = false;
	if (has_first || (has_late && now_msec() < m->finish_by_msec))
		return;
	if (!m->is_cleaned && m->cleanup)
		become_cleanup(m);
	_exit(0);
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
			m->check_at_msec = now_msec() + m->check_every_msec;
		}
	if (pid < 0 && errno == ECHILD && !m->has_ended) {
		/* Not our child, or reaped before we came: nothing better is known than that it is
		 * gone. */
		m->wait_status = 255 << 8;
		m->has_ended = true;
	}
	if (m->has_ended && !m->finish_by_msec)
		on_init_end(m);
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
	bool has_input = m->input_at < m->input_end, held = is_held(m);
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
			timeout_msec = sooner(timeout_msec,
					      client->since_msec + STALL_SECONDS * 1000, now);
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

/* Late clients have held the container long enough. */
static void skip_stalled(struct monitor *m)
{
	int64_t now = now_msec();

	for (struct client *client = m->clients; client < m->clients + CLIENTS; client++)
		if (client->owes && !client->is_first &&
		    now - client->since_msec >= STALL_SECONDS * 1000) {
			client->owes = false;
			client->skipped = m->chunk_size - 1;
		}
}

static void handle_client(struct monitor *m, struct client *client, short events)
{
	if (events & POLLOUT)
		client_retry(m, client);
	if (client->fd < 0)
		return;
	if (events & POLLIN)
		client_read(m, client);
	else if (events & (POLLHUP | POLLERR))
		client_drop(client);
}

static void run(struct monitor *m)
{
	struct pollfd polls[AT_COUNT];
	struct signalfd_siginfo info;

	reap(m); /* it may have ended before the signals were blocked */
	for (;;) {
		if (m->has_ended)
			finish(m);
		int timeout_msec = plan_polls(m, polls);
		int count = poll(polls, AT_COUNT, timeout_msec);

		if (count < 0)
			continue;
		if (count == 0 && m->is_touched && !is_held(m) && m->input_at == m->input_end) {
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
			start_check(m);
		if (is_held(m))
			skip_stalled(m);
		for (int i = 0; i < CLIENTS; i++)
			if (m->clients[i].fd >= 0 && polls[AT_CLIENT + i].revents)
				handle_client(m, &m->clients[i], polls[AT_CLIENT + i].revents);
		if (polls[AT_LISTEN].revents)
			accept_clients(m);
		if (m->stdin_fd >= 0 && m->input_at < m->input_end && polls[AT_STDIN].revents)
			stdin_write(m);
		else if (m->stdin_fd >= 0 && polls[AT_STDIN].revents & POLLERR)
			stdin_close(m, true);
		for (int i = 0; i < 2; i++)
			if (polls[AT_OUTPUT + i].revents && m->output_fds[i] >= 0 && !is_held(m))
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
