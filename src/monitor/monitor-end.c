#include "monitor/monitor-end.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#include "monitor/monitor-clients.h"
#include "monitor/restart.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

void handle_signal(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigaction(number, &action, NULL);
}

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

void check_start(struct monitor *m)
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
	char words[CLIENTS][24],
		status[32] = "--exec-status=", *arguments[CLEANUP_WORDS + CLIENTS + 3];
	size_t count = copy_cleanup(m, arguments);

	if (m->run_dir_fd < 0) { /* there is no exit file to read it from */
		size_t size = strlen(status);

		size += put_number(status + size, (uint64_t)(uint32_t)m->wait_status);
		status[size] = '\0';
		arguments[count++] = status;
	}
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

void end_begin(struct monitor *m)
{
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

void end_finish(struct monitor *m)
{
	bool has_first = false, has_late = false;

	if (m->is_restarting)
		finish_by_restart(m);
	if (m->is_restarting)
		return;
	/* Whoever has connected before the exit file was there counts on being told. */
	clients_accept(m);
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
