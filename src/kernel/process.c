#include "kernel/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/number.h"

/* What follows the name, which may hold anything, so it begins at the last parenthesis; NULL if there is no such
 * process. */
static const char *read_stat(pid_t pid, char *line, size_t size)
{
	char path[32];

	if (pid <= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, line, size - 1);
	if (n < 0)
		return NULL;
	line[n] = '\0';
	return strrchr(line, ')');
}

static uint64_t start_time_of(const char *at)
{
	int64_t ticks;

	/* Field 3 follows the parenthesis. */
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || number_take(&(const char *){ at + 1 }, 0, INT64_MAX, &ticks) < 0)
		return 0;
	return (uint64_t)ticks;
}

uint64_t process_start_time(pid_t pid)
{
	char line[1024];

	return start_time_of(read_stat(pid, line, sizeof(line)));
}

bool process_is_alive(pid_t pid, uint64_t start_time)
{
	char line[1024];
	const char *at = read_stat(pid, line, sizeof(line));

	if (start_time == 0 || !at || start_time_of(at) != start_time)
		return false;
	/* A zombie has ended, though its entry is still there. */
	return at[1] && at[2] != 'Z' && at[2] != 'X';
}
