/* Starting a container again after its end: the file that says so, and how long to wait.
 *
 * The engine writes RUNDIR/restart at a start whose end is to be followed by another one. As long as the file is
 * there the policy holds; whoever ends the container for good takes the file away first. So monitor and commands need
 * not agree on anything but whether a file exists. It is "always DELAY\n" or "on-failure DELAY\n": DELAY are the
 * milliseconds to wait when this run was a short one. The waits double up to a minute, so that a container that cannot
 * work costs next to nothing, and begin anew after a run that was long enough to be called a good one.
 *
 * Part of davit-monitor: linked without any library of ours. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESTART_FILE "restart"

enum {
	RESTART_DELAY_MSEC = 100,
	RESTART_DELAY_MAX_MSEC = 60000,
	RESTART_GOOD_RUN_MSEC = 10000,
};

struct restart {
	bool after_success; /* also when the container's command ended with 0 */
	uint32_t delay_msec;
};

/* Returns 0, or -1 where the text says nothing of the kind. */
int restart_parse(const char *text, size_t size, struct restart *ret_restart);

/* Read the file. -1: there is none, so there is no next start. */
int restart_read(int run_dir_fd, struct restart *ret_restart);

/* Does it hold for this end? `wait_status` is as waitpid(2) gives it. */
bool restart_applies(const struct restart *restart, int wait_status);

/* How long to wait after a run of this length, and what to write for the next one. */
uint32_t restart_delay(const struct restart *restart, int64_t ran_msec);
uint32_t restart_next_delay(uint32_t delay_msec);
