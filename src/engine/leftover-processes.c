#include "engine/leftover-processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/pidfd.h"

#define MOUNTINFO_LIMIT (4 << 20)
/* New ones may be born while we look; a round that finds none is the last. */
#define ROUNDS	 100
#define END_MSEC 5000

static bool has_mount(pid_t pid, const char *mark)
{
	autofree char *path = xasprintf("/proc/%d/mountinfo", (int)pid);
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* it has ended, or is none of ours */

	return file_read(AT_FDCWD, path, &text, MOUNTINFO_LIMIT, &ignored) == 0 &&
	       strstr(strbuf_text(&text), mark);
}

/* Returns 1 when it was one of them. */
static int kill_one(pid_t pid, const char *mark, struct err *err)
{
	if (pid == getpid() || !has_mount(pid, mark))
		return 0;
	autoclose int fd = pidfd_open_process(pid);
	/* Asked again: the number may be another's since. */
	if (fd < 0 || !has_mount(pid, mark))
		return 0;
	if (pidfd_signal(fd, SIGKILL) < 0)
		return errno == ESRCH ? 0 : err_errno(err, "kill process %d", (int)pid);
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	(void)poll(&ended, 1, END_MSEC); /* one that is stuck is met again in the next round */
	return 1;
}

static int kill_round(const char *mark, struct err *err)
{
	DIR *dir = opendir("/proc");
	int found = 0, r = 0;

	if (!dir)
		return err_errno(err, "open '/proc'");
	for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = kill_one((pid_t)strtol(entry->d_name, NULL, 10), mark, err);
		found += r > 0;
	}
	closedir(dir);
	return r < 0 ? r : found;
}

int leftover_processes_kill(const char *id, struct err *err)
{
	/* As in proc_pid_mountinfo(5): the file that is mounted, then where. */
	autofree char *mark = xasprintf("/containers/%s/.containerenv /run/.containerenv ", id);

	for (int round = 0; round < ROUNDS; round++) {
		int r = kill_round(mark, err);
		if (r <= 0)
			return r < 0 ? err_wrap(err, "processes of container %.12s", id) : 0;
	}
	return err_set(err, EBUSY, "processes of container %.12s do not end even after SIGKILL",
		       id);
}
