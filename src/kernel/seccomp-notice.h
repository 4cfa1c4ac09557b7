/* The side that answers calls which a filter notifies; see seccomp_unotify(2).
 *
 * Whoever makes such a call stands still until it is answered, and gets ENOSYS when nobody holds the listener any more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct seccomp_notice {
	uint64_t id;
	pid_t pid; /* of the thread, as we see it */
	uint32_t architecture;
	int number;
	uint64_t arguments[6];
};

/* 1: a call; 0: who made it has ended or was interrupted meanwhile; -errno. Does not wait after poll(2) has said POLLIN;
 * POLLHUP says that the last process with the filter has ended. */
int seccomp_notice_receive(int listener_fd, struct seccomp_notice *ret_notice);

/* Let it be made. Who has ended meanwhile does not matter. */
void seccomp_notice_continue(int listener_fd, uint64_t id);

/* Whether it still stands there: what was read of the process before was of that process. */
bool seccomp_notice_is_valid(int listener_fd, uint64_t id);

/* Hand the processor over from and to who calls, where the kernel can (6.6): there and back takes a third of the time. */
void seccomp_notice_set_sync(int listener_fd);

/* For filters with a listener: those of SECCOMP_FILTER_FLAG_* that make it better and that this kernel knows. */
unsigned seccomp_notice_flags(void);
