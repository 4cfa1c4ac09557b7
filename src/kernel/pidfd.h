/* Processes by descriptor: a pid that cannot be reused beneath us. See pidfd_open(2). */
#pragma once

#include <sys/types.h>

int pidfd_open_process(pid_t pid);		 /* close-on-exec; -1 and errno */
int pidfd_signal(int pid_fd, int signal_number); /* 0, or -1 and errno */

/* Wait for a child to end, whatever EINTR does. Returns 0 or -errno. */
int process_reap(pid_t pid, int *ret_status);
