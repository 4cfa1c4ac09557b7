/* The connections of a davit-monitor.
 *
 * Flow of output. There is one chunk, filled by one read. It goes to the log first, then to each
 * client. If a client cannot take it, nothing more is read until it can: a container whose output
 * nobody takes waits, as it would without us. The client the monitor was born with may hold it as
 * long as it likes (ctrl-S in a foreground run); others only for STALL_SECONDS, then their output
 * is skipped until they read again, and they are told how much they missed. When the init has ended
 * nobody may hold anything any more: what is left in the pipes goes to the log at once, and for
 * clients that are behind into a spill file in memory, from which each is served at its own pace. */
#pragma once

#include "monitor/monitor-state.h"

/* With an end of a SOCK_SEQPACKET socket; without a free place it is closed. */
void client_add(struct monitor *m, int fd, bool is_first);
/* All who wait at the socket. */
void clients_accept(struct monitor *m);
void client_drop(struct client *client);
/* After poll(2). */
void client_handle(struct monitor *m, struct client *client, short events);
/* Tell it about the end, if all output has reached it. */
void client_tell_exit(struct monitor *m, struct client *client);

/* One whole packet, now or not at all. */
ssize_t send_packet(int fd, const void *packet, size_t size);

/* Give the chunk to everybody. `keep` is set after the container's end, when nobody can be waited for. */
void clients_deliver(struct monitor *m, bool keep);
/* Whether somebody has not taken the chunk yet, so that there is no room for another. */
bool clients_hold(const struct monitor *m);
/* Nobody may hold it any more: what they have not taken is kept for them. */
void clients_stop_holding(struct monitor *m);
/* Late clients that have held the container long enough do so no longer. When that is: STALL_SECONDS after since_msec. */
void clients_skip_stalled(struct monitor *m);
int64_t client_stalls_at(const struct client *client);

/* The container has taken the input, or does not want any: there is room again. */
void input_done(struct monitor *m);
void stdin_close(struct monitor *m, bool tell);
void stdin_write(struct monitor *m);
