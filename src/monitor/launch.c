#include "monitor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/local-socket.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "monitor/protocol.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

int monitor_listen(int run_dir_fd, struct err *err)
{
	int fd = local_socket_listen(SOCK_SEQPACKET, run_dir_fd, MONITOR_FILE_ATTACH, 16);

	return fd < 0 ? err_set(err, -fd, "make attach socket in the run directory: %s",
				strerror(-fd))
		      : fd;
}

int monitor_socketpair(int ret_fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return err_errno(err, "make attach sockets");
	return 0;
}

/* Make the descriptor survive execve(2), as a number that is not standard input or output. */
static int inherit(int fd, int *ret_fd, struct err *err)
{
	*ret_fd = fd;
	if (fd < 0)
		return 0;
	if (fd <= STDERR_FILENO)
		*ret_fd = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
	if (*ret_fd < 0 || fcntl(*ret_fd, F_SETFD, 0) < 0)
		return err_errno(err, "pass descriptor %d to davit-monitor", fd);
	return 0;
}

/* Everything from 3 on ends with this program, unless named afterwards. */
static void close_all_on_exec(void)
{
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Before Linux 5.11. Ours are born close-on-exec; what we inherited has low numbers. */
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int monitor_exec(const struct monitor_launch *launch, struct err *err)
{
	const struct {
		const char *name;
		int fd;
	} named[] = {
		{ "stdin", launch->stdin_fd },	 { "stdout", launch->stdout_fd },
		{ "stderr", launch->stderr_fd }, { "console", launch->console_fd },
		{ "log", launch->log_fd },	 { "listen", launch->listen_fd },
		{ "client", launch->client_fd }, { "run", launch->run_dir_fd },
		{ "oom", launch->oom_fd },	 { "journal", launch->journal_fd },
	};
	autostrlist struct strlist arguments = STRLIST_EMPTY;

	strlist_add(&arguments, "davit-monitor");
	if (launch->id)
		strlist_add(&arguments, launch->id);
	strlist_addf(&arguments, "pid=%d", launch->pid);
	close_all_on_exec();
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		int fd, r = inherit(named[i].fd, &fd, err);
		if (r < 0)
			return r;
		if (fd >= 0)
			strlist_addf(&arguments, "%s=%d", named[i].name, fd);
	}
	for (size_t i = 0; i < launch->late_count; i++) {
		int fd, r = inherit(launch->late_fds[i], &fd, err);
		if (r < 0)
			return r;
		strlist_addf(&arguments, "late=%d", fd);
	}
	if (launch->is_again)
		strlist_add(&arguments, "again=1");
	if (launch->log_path && launch->log_max_bytes) {
		strlist_addf(&arguments, "logmax=%" PRIu64, launch->log_max_bytes);
		strlist_addf(&arguments, "logpath=%s", launch->log_path);
		strlist_addf(&arguments, "logfiles=%u", launch->log_max_files);
	}
	for (size_t i = 0; launch->journal_fields && i < launch->journal_fields->count; i++)
		strlist_addf(&arguments, "field=%s", launch->journal_fields->items[i]);
	if (launch->health_msec)
		strlist_addf(&arguments, "health=%u", launch->health_msec);
	if (launch->timeout_seconds)
		strlist_addf(&arguments, "timeout=%u", launch->timeout_seconds);
	for (size_t i = 0; i < launch->hold_count; i++) {
		int fd, r = inherit(launch->hold_fds[i], &fd, err);
		if (r < 0)
			return r;
	}
	if (launch->cleanup) {
		strlist_add(&arguments, "--");
		for (const char *const *word = launch->cleanup; *word; word++)
			strlist_add(&arguments, *word);
	}
	execv(launch->program, arguments.items);
	return err_errno(err, "execute '%s'", launch->program);
}
