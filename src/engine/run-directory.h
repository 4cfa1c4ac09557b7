/* The run directory of a container: RUNROOT/containers/ID on tmpfs, where the volatile facts are.
 *
 * Its files are never believed alone: a process is the one that was written down only when it is
 * alive and has the same start time. monitor/protocol.h says what the files hold. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct run_status {
	bool was_started; /* there is a pid file */
	bool is_running;  /* the container's init lives */
	bool is_held;	  /* … and waits for the start of its command, see held-start.h */
	bool is_paused;	  /* by container_pause() */
	bool monitor_lives;
	bool has_exit;	   /* the monitor wrote down how it ended */
	bool will_restart; /* and waits to start it again */
	pid_t pid, monitor_pid;
	int64_t started_nsec; /* since the epoch */
	int wait_status;      /* of waitpid(2), valid with has_exit */
	bool oom_killed;
	int64_t finished_nsec;
};

/* Read what is known. A missing directory or file is no error: then nothing was started. */
int run_directory_status(const char *path, struct run_status *ret_status);

/* Write the pid file, aside; then let everybody see it. */
int run_directory_write_pid(const char *path, pid_t pid, pid_t monitor_pid, int64_t started_nsec,
			    struct err *err);
int run_directory_show_pid(const char *path, struct err *err);

/* Where its control group is, for a user whose groups can be in several places: cgroup_location().
 * Reading gives NULL if there is none, else a string that is the caller's. */
int run_directory_write_cgroup(const char *path, const char *location, struct err *err);
char *run_directory_read_cgroup(const char *path);

/* Note that it is paused, or no longer. */
int run_directory_set_paused(const char *path, bool paused, struct err *err);

/* The exit code a shell would show: the status, or 128 + the signal. */
int exit_code_of(int wait_status);
