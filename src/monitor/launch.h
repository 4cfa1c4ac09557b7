/* Becoming davit-monitor: the last step of the process that has made a container. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct strlist;

/* Everything is borrowed; descriptors are -1 where there is none. On success they are the
 * monitor's. */
struct monitor_launch {
	const char *program;	  /* path of davit-monitor */
	const char *id;		  /* shown by ps(1), no more */
	pid_t pid;		  /* the container's init: a child of the calling process */
	int stdin_fd;		  /* write end of its standard input */
	int stdout_fd, stderr_fd; /* read ends of its output */
	int console_fd;		  /* or, instead of these three, the master side of its terminal */
	int log_fd;		  /* opened for appending */
	const char *log_path; /* absolute; with log_max_bytes > 0 the log is renamed to "PATH.1" and
				 begun anew before it grows beyond that */
	uint64_t log_max_bytes;
	unsigned log_max_files; /* see container-log.h */
	int journal_fd;		/* or, instead of the log: journal_connect() */
	const struct strlist
		*journal_fields;  /* "NAME=value" of each entry; JOURNAL_FIELDS at most */
	unsigned timeout_seconds; /* kill the container after so long; 0: never */
	unsigned
		health_msec; /* so long between two health checks, which are the cleanup command with
				 "--health"; 0: none */
	int listen_fd;	     /* made by monitor_listen() */
	int client_fd; /* our end of a SOCK_SEQPACKET socketpair(2) with the command that waits in
			   the  foreground. That one is asked to clean up. */
	const int
		*late_fds; /* further connections, taken over from the monitor of the run before */
	size_t late_count;
	bool is_again;	/* the connections have seen an earlier run: tell them MONITOR_AGAIN */
	int run_dir_fd; /* the container's directory under RUNROOT */
	int oom_fd;	/* memory.events (v2) or memory.oom_control (v1) of its cgroup, opened for
			   reading */
	const int *hold_fds; /* kept open until the end: namespaces that are to outlive the init, so
				that its end does not wait for unmounting */
	size_t hold_count;
	const char *const
		*cleanup; /* NULL-terminated argument vector with absolute paths, executed where
			     no command in the foreground cleans up. The directory will be "/". When the
			     container is to be started again (restart.h) "--restart" is added, and the
			     connections that stay as "--client=FD" (the first) and "--late=FD". Without a
			     run directory "--exec-status=WAIT_STATUS" is added */
};

/* All descriptors -1. */
#define MONITOR_LAUNCH_EMPTY                                                                       \
	((struct monitor_launch){ .stdin_fd = -1,                                                  \
				  .stdout_fd = -1,                                                 \
				  .stderr_fd = -1,                                                 \
				  .console_fd = -1,                                                \
				  .log_fd = -1,                                                    \
				  .journal_fd = -1,                                                \
				  .listen_fd = -1,                                                 \
				  .client_fd = -1,                                                 \
				  .run_dir_fd = -1,                                                \
				  .oom_fd = -1 })

/* Make the attach socket in the run directory, mode 0600. Returns the descriptor, the caller's. */
int monitor_listen(int run_dir_fd, struct err *err);

/* The pair for a foreground command: [0] stays with the command (attach_options.fd), [1] is
 * client_fd. */
int monitor_socketpair(int ret_fds[2], struct err *err);

/* Execute the monitor. It inherits the descriptors named here and no others, takes its own session,
 * and lets go of standard input and output. Further children of the caller, such as a network
 * helper, are reaped by it. Returns only on failure; then all is as before but for close-on-exec
 * flags. */
int monitor_exec(const struct monitor_launch *launch, struct err *err);
