/* A start in two halves (`davit container init`): the first one makes the container but for its command, which then waits
 * without any of us; whoever starts it connects to a socket in the run directory and says so (runtime_hold()).
 *
 * The socket's file and the first process together are the state "initialized": a file where nobody listens any more is of
 * a start whose command was killed before it could take the file away. */
#pragma once

#include <stdbool.h>

struct err;
struct start;
struct start_result;

/* Make the socket; returns it listening, the caller's. */
int held_start_listen(const char *run_dir, struct err *err);

/* Does a process wait there for its start? */
bool held_start_waits(const char *run_dir);

/* The second half: container and directories are known, its lock is held, and it is initialized. With `with_client` the
 * caller is attached first, so that it misses nothing. On failure the container has ended and *ret_exit_code is as for
 * container_start(). */
int held_start_go_on(struct start *start, bool with_client, struct start_result *ret_result,
		     int *ret_exit_code, struct err *err);
