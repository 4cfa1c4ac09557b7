/* Staying with a container in the foreground, until it ends or the user detaches. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/strlist.h"

struct container;
struct engine;
struct err;
struct exec_result;

struct attach_request {
	int fd;		  /* from container_start() or attach_open(); borrowed */
	bool wants_stdin; /* -i */
	bool wants_stdout, wants_stderr;
	bool is_terminal;    /* the container has one */
	bool passes_signals; /* --sig-proxy */
	const char *detach_keys;
	const sigset_t *held; /* what attach_hold_signals() gave, or NULL */
};

/* The streams of --attach, in any case of letters; none means both outputs, and the input if `interactive`. */
int attach_choose_streams(const struct strlist *streams, bool interactive,
			  struct attach_request *request, struct err *err);

/* One more process of a container, see container_exec(): the same, but when it ends nothing has to be cleaned up. */
int attach_process(struct engine *engine, const struct container *container,
		   const struct exec_result *process, const struct attach_request *request,
		   struct err *err);

/* Connect to a container that runs already. Returns the descriptor, the caller's; -ESRCH when it does not run. */
int attach_open(struct engine *engine, const struct container *container, struct err *err);

/* Returns the exit status for the user: the container's, 0 after detaching. The container is
 * cleaned up, and removed if it was made so. */
int attach_container(struct engine *engine, struct container *container,
		     const struct attach_request *request, struct err *err);
