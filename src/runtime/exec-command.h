/* The very last step: executing the command, by the child itself or by the stub.
 *
 * Why there is a stub. While a process executes "/proc/self/exe", or a script of the image with
 * that as its interpreter, the kernel opens the program that the process still runs: davit, on the
 * host. With the container's dynamic libraries inside it would keep /proc/self/exe open and, as the
 * host's root or the owner of davit, write to it once it is not busy any more (CVE-2019-5736). So
 * where the container's IDs could write to davit's file, the child first executes a sealed memfd
 * that holds this tiny static program. From then on /proc/self/exe is a file that nobody can write,
 * and nothing of davit's memory is left. The stub's own exec changes no credentials: what it does
 * to capabilities the command's exec does again.
 *
 * Who enters a container that runs has all rights, descriptors of the host and davit's memory until it is the command,
 * and a process with CAP_SYS_PTRACE in there may look into whatever it sees. So that process stays outside of the
 * container's PID namespace, where nobody inside sees it, drops all this, and the stub forks as the last thing but one:
 * what appears inside has what the command has, the filter included. exec_enter_pid_namespace() is that fork.
 *
 * The stub runs freestanding: its system calls are its own, hence the function arguments. Its
 * arguments: "davit-exec" CANDIDATES FILTER_OFFSET FILTER_COUNT FILTER_FLAGS LISTENING_OFFSET CONTROL_FD FORK KEY KEY KEY
 * CANDIDATE… ARG0 ARG… CONTROL_FD is the socket for struct child_report, the descriptor behind it the memfd itself,
 * behind whose program the seccomp filters lie; KEY is theirs. */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "runtime/child-report.h"

#define EXEC_CONTROL_FD 3 /* plus the descriptors that the command inherits */

enum exec_fork { EXEC_NO_FORK, EXEC_FORK, EXEC_FORK_WITH_TERMINAL };

/* At LISTENING_OFFSET, 0: there is none; its instructions follow. */
struct exec_listening_filter {
	uint32_t count, flags;
};

/* A report, and a descriptor if `fd` is not -1. */
struct exec_message {
	struct msghdr header;
	struct iovec part;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
};

static inline void exec_message(struct exec_message *message, struct child_report *report, int fd)
{
	message->part = (struct iovec){ report, sizeof(*report) };
	message->header = (struct msghdr){ .msg_iov = &message->part, .msg_iovlen = 1 };
	if (fd < 0)
		return;
	message->control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	*(int *)(void *)CMSG_DATA(&message->control.header) = fd;
	message->header.msg_control = message->control.space;
	message->header.msg_controllen = sizeof(message->control.space);
}

/* Go on in the PID namespace that was joined for children, as a sibling that is the parent's child too; who calls ends here
 * and says which process that is. `keyed_call` passes the filters' door and returns -errno; `leave` does not return. Returns in the new process,
 * or, with the report filled, -1. */
static inline int exec_enter_pid_namespace(enum exec_fork kind, int control_fd,
					   long (*keyed_call)(long number, long a, long b, long c),
					   void (*leave)(void), struct child_report *report)
{
	struct exec_message message;
	long r = keyed_call(SYS_clone, CLONE_PARENT, 0, 0);

	report->step = r > 0 ? CHILD_CLONED : CHILD_FORK;
	report->index = r > 0 ? (int)r : 0;
	report->code = r < 0 ? (int)-r : 0;
	if (r < 0)
		return -1;
	if (r > 0) {
		exec_message(&message, report, -1);
		(void)keyed_call(SYS_sendmsg, control_fd, (long)&message.header, MSG_NOSIGNAL);
		leave();
	}
	r = keyed_call(SYS_setsid, 0, 0, 0);
	if (r >= 0 && kind == EXEC_FORK_WITH_TERMINAL) {
		report->step = CHILD_TERMINAL;
		r = keyed_call(SYS_ioctl, 0, TIOCSCTTY, 0);
	}
	report->code = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : 0;
}

/* Try the candidates as execvp(3) does, but without handing what is no program to a shell. Returns
 * only on failure, with the report filled. Both functions return -errno. */
static inline void
exec_candidates(char *const *candidates, size_t count, char *const *argv, char *const *env,
		long (*execute)(const char *path, char *const *argv, char *const *env),
		long (*exists)(const char *path), struct child_report *report)
{
	int code = ENOENT, at = 0;
	bool seen = false;

	for (size_t i = 0; i < count; i++) {
		int failed = (int)-execute(candidates[i], argv, env);
		/* There, and yet "no such file": it is the interpreter that is missing. */
		if (failed == ENOENT && !seen && exists(candidates[i]) == 0) {
			seen = true;
			at = (int)i;
		}
		if (failed == ENOENT || failed == ENOTDIR || failed == ENAMETOOLONG)
			continue;
		if (code != EACCES) {
			code = failed;
			at = (int)i;
		}
		if (failed != EACCES)
			break;
	}
	report->step = CHILD_EXEC;
	report->index = at;
	report->detail = seen;
	report->code = code;
	report->said[0] = '\0';
}
