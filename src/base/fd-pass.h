/* A descriptor handed to another process over a Unix socket: SCM_RIGHTS of unix(7). */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Send bytes, at least one, and with the first of them the descriptor, which stays ours. Returns how many were sent, fewer
 * than `size` on a stream only, or -errno; -EPIPE instead of a signal. */
ssize_t fd_send(int socket_fd, const void *data, size_t size, int fd);

/* Take a message of one byte and the descriptor that came with it. `flags` are those of recvmsg(2). Returns the descriptor,
 * close-on-exec and the caller's, or -errno; -ENOMSG if it is another kind of message, or the other end is closed. */
int fd_receive(int socket_fd, int flags);
