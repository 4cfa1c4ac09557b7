/* What the parts of davit-monitor share: its state, which is one struct, and small helpers. The parts: davit-monitor.c,
 * the loop and the container's output; monitor-clients.c, those attached and what they send; monitor-end.c, what comes
 * after the init's end, and the commands that the monitor starts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "monitor/container-log.h"
#include "monitor/journal.h"
#include "monitor/protocol.h"

enum {
	CLIENTS = 16,
	PAGE = 4096,
	/* for late clients to take what was left for them */
	FINISH_SECONDS = 2,
	CLEANUP_WORDS = 32,
};

struct client {
	int fd;	       /* -1: a free place */
	bool is_first; /* the one we were born with */
	bool owes;     /* has not taken the chunk yet; `since_msec` tells from when on */
	bool is_behind_in_spill;
	bool is_taken_due; /* it has to be told that its input was taken */
	bool has_input;	   /* its next packet is input, for which there is no room yet */
	bool is_told;	   /* MONITOR_EXIT has been sent */
	bool is_mute;	   /* it wants no output */
	int64_t since_msec;
	uint64_t skipped; /* > 0: output is skipped until it reads again */
	off_t spill_at;
};

struct monitor {
	pid_t init_pid;
	int wait_status;
	bool has_ended;
	bool is_oom_killed;
	bool is_cleaned;
	int output_fds[2];   /* by enum container_stream; the first is the terminal, if there is one
			      */
	int stdin_fd;	     /* the terminal, a pipe, or -1 */
	int console_peer_fd; /* the container's side of the terminal, held */
	bool is_console;
	bool is_console_parked; /* reading it makes no sense before the init's end */
	int listen_fd, signal_fd, run_dir_fd, oom_fd;
	int spill_fd; /* packets for clients that are behind, each after its size in 4 bytes */
	off_t spill_size;
	int64_t finish_by_msec;
	int64_t kill_at_msec; /* the container's time is up; 0: never */
	bool is_restarting;   /* it has ended, and is to be started again */
	int64_t started_msec, restart_at_msec;
	int64_t check_every_msec, check_at_msec; /* of health; 0: none */
	pid_t check_pid;			 /* it runs; 0: none does */
	bool is_check_set; /* when the next one is to come was said while it ran */
	int watch_fd;	   /* tells while we wait for that when the run directory changes */
	struct container_log log;
	struct journal journal;
	char **cleanup;	   /* argument vector, NULL: there is nothing to do */
	size_t chunk_size; /* of the packet in `chunk`, type included; clients that owe still need
			      it */
	size_t input_at, input_end; /* what the container has yet to take of `input` */
	struct client *input_from;
	bool is_touched; /* the buffers hold pages */
	struct client clients[CLIENTS];
	/* A byte of packet type before the data. */
	char chunk[MONITOR_PACKET_MAX + PAGE - MONITOR_PACKET_MAX % PAGE]
		__attribute__((aligned(PAGE)));
	char input[MONITOR_PACKET_MAX + PAGE - MONITOR_PACKET_MAX % PAGE]
		__attribute__((aligned(PAGE)));
};

static inline int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
