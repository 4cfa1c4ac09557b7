/* Attaching: a command's standard streams become those of a container, through its monitor.
 *
 *	attach_run(&options, &outcome, &err)
 *	if (outcome.end == ATTACH_EXITED && outcome.you_clean_up) {
 *		… clean up …
 *		attach_cleaned(options.fd, NULL);
 *	}
 *
 * See protocol.h. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "monitor/detach-keys.h"

struct err;
struct strlist;

struct attach_options {
	int fd; /* connected to the monitor: monitor_socketpair()[0] or attach_connect(); borrowed
		 */
	int stdin_fd; /* -1: input is not attached. The container sees end of file when it does, if
			 it was given a standard input */
	int stdout_fd, stderr_fd; /* -1: that output is thrown away */
	bool is_terminal; /* the container has a terminal: ours becomes raw and passes its size on
			   */
	struct detach_keys detach_keys; /* heeded only where our input is a terminal and so is the
					   container's */
	/* Gets the signals that would end us, and SIGUSR1 and the like, to pass them to the
	 * container. NULL: they act on us as on any program. Stopping and continuing (ctrl-Z)
	 * always acts on us. */
	void (*on_signal)(int number, void *arg);
	void *arg;
	const sigset_t *held; /* what attach_hold_signals() gave; NULL: they were not held */
};

enum attach_end {
	ATTACH_EXITED,	 /* the container's init has ended and all its output has been written */
	ATTACH_DETACHED, /* by the detach keys, or our terminal has gone away */
	ATTACH_LOST,	 /* the monitor is gone without a word */
};

struct attach_outcome {
	enum attach_end end;
	/* The rest is for ATTACH_EXITED. */
	int wait_status; /* as waitpid(2) gives it */
	bool oom_killed;
	bool you_clean_up; /* nobody else will; say attach_cleaned() afterwards */
};

/* Connect to a running container by its run directory. -ENOENT or -ECONNREFUSED: no monitor is
 * there. Returns the descriptor, the caller's. */
int attach_connect(int run_dir_fd, struct err *err);

/* Hold the signals that would end us, from before there is anything to attach to: one that came between the start and
 * attach_run() would end us and leave the container running. `ret_before` is the mask to go back to, which attach_run()
 * does, or else attach_release_signals(); then those that came meanwhile act. Processes that are started in between have
 * to open their mask themselves. */
void attach_hold_signals(sigset_t *ret_before);
void attach_release_signals(const sigset_t *before);

/* Copy until one of the ends above. The terminal is as before when this returns, and also when a
 * signal ends the process. Fails only where it cannot begin. */
int attach_run(const struct attach_options *options, struct attach_outcome *ret_outcome,
	       struct err *err);

/* Tell the monitor that everything of the container is cleaned up, but for these directories (NULL:
 * none), which nobody else knows any more: it removes them, in this order, when nobody waits for it.
 * Fails with -errno, without words, when there is no monitor to do so. */
int attach_cleaned(int fd, const struct strlist *directories);

/* Have health checked at other times: `every_msec` 0 means no more, `is_due` that it is checked at once too. -ETIMEDOUT or
 * -ENOTCONN: the monitor has not said that it does. */
int attach_set_health(int fd, unsigned every_msec, bool is_due, struct err *err);

/* For one who only waits for the end, instead of attach_run(): ask for no output, then read whenever there is something.
 * Returns 1 with the status as waitpid(2) gives it, 0 when there is more to come, -ENOTCONN when the monitor is gone
 * without a word. */
void attach_mute(int fd);
int attach_hear_exit(int fd, int *ret_wait_status);
