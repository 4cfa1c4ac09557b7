#include "engine/run-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timing.h"
#include "engine/held-start.h"
#include "kernel/process.h"
#include "monitor/protocol.h"
#include "monitor/restart.h"

/* These files are a line each; a fixed buffer on the stack is enough and costs one read. */
static int read_line(const char *directory, const char *name, char *line, size_t size)
{
	autofree char *path = path_join(directory, name);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = fd_read_full(fd, line, size - 1);
	if (n < 0)
		return (int)n;
	line[n] = '\0';
	return 0;
}

/* The numbers that `count` words of a file hold; anything else is as good as no file. */
static bool read_numbers(const char *directory, const char *name, int64_t *numbers, int count)
{
	char line[256];
	const char *at = line;

	if (read_line(directory, name, line, sizeof(line)) < 0)
		return false;
	for (int i = 0; i < count; i++) {
		if (number_take(&at, 0, INT64_MAX, &numbers[i]) < 0)
			return false;
		at += *at == ' ';
	}
	return true;
}

static void read_exit(const char *path, struct run_status *status)
{
	int64_t numbers[3];

	if (!read_numbers(path, MONITOR_FILE_EXIT, numbers, 3))
		return;
	status->has_exit = true;
	status->is_running = false;
	status->wait_status = (int)numbers[0];
	status->oom_killed = numbers[1] != 0;
	status->finished_nsec = numbers[2];
}

/* The init has ended and its monitor is about to write down how: wait for that, since until then
 * nobody knows. A monitor that does not get to it does not hold up others. */
#define EXIT_FILE_MSEC 1000

static void await_exit(const char *path, struct run_status *status)
{
	int64_t end = clock_now_usec() / 1000 + EXIT_FILE_MSEC;

	autoclose int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return;
	for (;;) {
		char events[4096];
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_now_usec() / 1000;

		read_exit(path, status); /* it may have come before the watch */
		if (status->has_exit || left <= 0 || poll(&poll_fd, 1, (int)left) == 0 ||
		    access(path, F_OK) < 0)
			return;
		(void)!read(fd, events, sizeof(events)); /* which one it was does not matter */
	}
}

static bool will_restart(const char *path, int wait_status)
{
	struct restart restart;

	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && restart_read(fd, &restart) == 0 && restart_applies(&restart, wait_status);
}

#define FILE_PAUSED "paused"

static bool is_paused(const char *path)
{
	autofree char *file = path_join(path, FILE_PAUSED);

	return access(file, F_OK) == 0;
}

int run_directory_status(const char *path, struct run_status *ret_status)
{
	struct run_status status = { 0 };
	int64_t numbers[5];

	*ret_status = status;
	/* Without this file there are no others to look at; lists of a thousand containers ask this of each. */
	if (!read_numbers(path, MONITOR_FILE_PID, numbers, 5))
		return 0;
	status.was_started = true;
	status.pid = (pid_t)numbers[0];
	status.monitor_pid = (pid_t)numbers[2];
	status.started_nsec = numbers[4];
	status.is_running = process_is_alive(status.pid, (uint64_t)numbers[1]);
	status.monitor_lives = process_is_alive(status.monitor_pid, (uint64_t)numbers[3]);
	status.is_held = status.is_running && held_start_waits(path);
	status.is_paused = status.is_running && is_paused(path);
	read_exit(path, &status);
	if (!status.is_running && !status.has_exit && status.monitor_lives)
		await_exit(path, &status);
	/* Without the monitor nobody would. */
	if (status.has_exit && status.monitor_lives)
		status.will_restart = will_restart(path, status.wait_status);
	*ret_status = status;
	return 0;
}

#define FILE_PID_ASIDE "pid.new"

int run_directory_write_pid(const char *path, pid_t pid, pid_t monitor_pid, int64_t started_nsec,
			    struct err *err)
{
	autofree char *file = path_join(path, FILE_PID_ASIDE);
	autofree char *line = xasprintf("%d %" PRIu64 " %d %" PRIu64 " %" PRId64 "\n", (int)pid,
					process_start_time(pid), (int)monitor_pid,
					process_start_time(monitor_pid), started_nsec);

	return file_write(AT_FDCWD, file, line, strlen(line), 0600, FILE_WRITE_IN_PLACE, err);
}

int run_directory_show_pid(const char *path, struct err *err)
{
	autofree char *aside = path_join(path, FILE_PID_ASIDE),
		      *file = path_join(path, MONITOR_FILE_PID);

	return rename(aside, file) < 0 ? err_errno(err, "make '%s'", file) : 0;
}

#define FILE_CGROUP "cgroup"

int run_directory_write_cgroup(const char *path, const char *location, struct err *err)
{
	autofree char *file = path_join(path, FILE_CGROUP);

	return file_write(AT_FDCWD, file, location, strlen(location), 0600, 0, err);
}

char *run_directory_read_cgroup(const char *path)
{
	char line[PATH_MAX];

	return read_line(path, FILE_CGROUP, line, sizeof(line)) == 0 && *line ? xstrdup(line)
									      : NULL;
}

int run_directory_set_paused(const char *path, bool paused, struct err *err)
{
	autofree char *file = path_join(path, FILE_PAUSED);

	if (paused)
		return file_write(AT_FDCWD, file, "", 0, 0600, 0, err);
	return unlink(file) < 0 && errno != ENOENT ? err_errno(err, "remove '%s'", file) : 0;
}

int exit_code_of(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
