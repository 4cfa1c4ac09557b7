#include "engine/run-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "monitor/protocol.h"

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

uint64_t process_start_time(pid_t pid)
{
	char directory[32], line[1024];
	uint64_t ticks = 0;

	snprintf(directory, sizeof(directory), "/proc/%d", (int)pid);
	if (pid <= 0 || read_line(directory, "stat", line, sizeof(line)) < 0)
		return 0;
	/* The name may hold anything, so count from the last parenthesis; field 3 follows it. */
	const char *at = strrchr(line, ')');
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %" SCNu64, &ticks) != 1)
		return 0;
	return ticks;
}

static bool process_lives(pid_t pid, uint64_t start_time)
{
	char directory[32], line[1024];

	if (start_time == 0 || process_start_time(pid) != start_time)
		return false;
	/* A zombie has ended, though its entry is still there. */
	snprintf(directory, sizeof(directory), "/proc/%d", (int)pid);
	if (read_line(directory, "stat", line, sizeof(line)) < 0)
		return false;
	const char *at = strrchr(line, ')');
	return at && at[1] && at[2] != 'Z' && at[2] != 'X';
}

int run_directory_status(const char *path, struct run_status *ret_status)
{
	struct run_status status = { 0 };
	char line[256];
	int pid, monitor_pid, wait_status, oom;
	uint64_t start_time, monitor_start_time;

	if (read_line(path, MONITOR_FILE_PID, line, sizeof(line)) == 0 &&
	    sscanf(line, "%d %" SCNu64 " %d %" SCNu64 " %" SCNd64, &pid, &start_time, &monitor_pid,
		   &monitor_start_time, &status.started_nsec) == 5) {
		status.was_started = true;
		status.pid = pid;
		status.monitor_pid = monitor_pid;
		status.is_running = process_lives(pid, start_time);
		status.monitor_lives = process_lives(monitor_pid, monitor_start_time);
	}
	if (read_line(path, MONITOR_FILE_EXIT, line, sizeof(line)) == 0 &&
	    sscanf(line, "%d %d %" SCNd64, &wait_status, &oom, &status.finished_nsec) == 3) {
		status.has_exit = true;
		status.is_running = false;
		status.wait_status = wait_status;
		status.oom_killed = oom != 0;
	}
	*ret_status = status;
	return 0;
}

int run_directory_write_pid(const char *path, pid_t pid, pid_t monitor_pid, int64_t started_nsec,
			    struct err *err)
{
	autofree char *file = path_join(path, MONITOR_FILE_PID);
	autofree char *line = xasprintf("%d %" PRIu64 " %d %" PRIu64 " %" PRId64 "\n", (int)pid,
					process_start_time(pid), (int)monitor_pid,
					process_start_time(monitor_pid), started_nsec);

	return file_write(AT_FDCWD, file, line, strlen(line), 0600, 0, err);
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

int exit_code_of(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}
