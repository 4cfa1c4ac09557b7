/* One more process in a container that runs. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/strlist.h"

struct container;
struct engine;
struct err;
struct runtime_child;

struct exec_request {
	struct strlist command; /* argv; borrowed as everything here */
	struct strlist env;	/* KEY=VALUE, on top of the container's */
	const char *user;	/* "name|uid[:group|gid]", NULL: the container's own */
	const char *workdir;	/* NULL: the container's own */
	bool tty, privileged;
	bool open_stdin;  /* else it reads /dev/null */
	bool with_client; /* the caller stays: see exec_result.client_fd */
};

#define EXEC_ID_SIZE 65

struct exec_result {
	char id[EXEC_ID_SIZE]; /* 64 hex digits, which events about the process have */
	pid_t pid, monitor_pid;
	int client_fd;	  /* for attach_run(), the caller's; -1 without with_client */
	sigset_t signals; /* with_client: see attach_hold_signals(), they are held */
};

/* The process gets the limits, the filter and the confinement that the container's first process has, and a monitor of
 * its own that outlives the caller. Its output goes to the caller, or nowhere: the container's log is the first
 * process's. `container` was found with CONTAINER_WITH_SPEC.
 *
 * On failure *ret_exit_code is 125, 126 or 127 as a shell is told, and 255 (-ESRCH) when the container does not run. */
int container_exec(struct engine *engine, const struct container *container,
		   const struct exec_request *request, struct exec_result *ret_result,
		   int *ret_exit_code, struct err *err);

/* The same as a child of the caller's without a monitor: for one who waits for its end anyway. Its output goes to
 * `output_fd`; tty, open_stdin and with_client are not for it. *ret_child is to be waited for, and released with
 * runtime_child_clear(). */
int container_exec_child(struct engine *engine, const struct container *container,
			 const struct exec_request *request, int output_fd,
			 struct runtime_child *ret_child, int *ret_exit_code, struct err *err);

/* Send it a signal. Nothing happens when it has ended. */
void container_exec_signal(const struct exec_result *process, int number);
