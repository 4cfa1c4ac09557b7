/* Sockets that have a name in the file system; unix(7). Such a name may be longer than the 107 bytes that an address has
 * room for, so it is given as for openat(2). */
#pragma once

/* Make a socket that listens, in place of one that was left there. Only its owner may connect, from the first moment on.
 * `type` as for socket(2), close-on-exec by itself. Returns the descriptor, the caller's, or -errno. */
int local_socket_listen(int type, int dir_fd, const char *name, int backlog);

/* Returns the descriptor, the caller's, or -errno; -ENOENT or -ECONNREFUSED: nobody listens there. */
int local_socket_connect(int type, int dir_fd, const char *path);
