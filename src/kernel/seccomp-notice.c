#include "kernel/seccomp-notice.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* The kernel's structs may be longer than those we know (SECCOMP_GET_NOTIF_SIZES), never so long. */
#define ROOM 512

int seccomp_notice_receive(int listener_fd, struct seccomp_notice *ret_notice)
{
	union {
		struct seccomp_notif notice;
		char room[ROOM];
	} call;

	memset(&call, 0, sizeof(call)); /* the kernel insists */
	if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return errno == ENOENT || errno == EINTR ? 0 : -errno;
	*ret_notice = (struct seccomp_notice){
		.id = call.notice.id,
		.pid = (pid_t)call.notice.pid,
		.architecture = call.notice.data.arch,
		.number = call.notice.data.nr,
	};
	for (int i = 0; i < 6; i++)
		ret_notice->arguments[i] = call.notice.data.args[i];
	return 1;
}

void seccomp_notice_continue(int listener_fd, uint64_t id)
{
	union {
		struct seccomp_notif_resp answer;
		char room[ROOM];
	} answer;

	memset(&answer, 0, sizeof(answer));
	answer.answer.id = id;
	answer.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	(void)ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer); /* ENOENT: it has ended */
}

bool seccomp_notice_is_valid(int listener_fd, uint64_t id)
{
	return ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void seccomp_notice_set_sync(int listener_fd)
{
	(void)ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

unsigned seccomp_notice_flags(void)
{
	unsigned flag = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	/* An unknown flag is refused before the filter is looked at. */
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL);
	return r < 0 && errno == EFAULT ? flag : SECCOMP_FILTER_FLAG_NEW_LISTENER;
}
