/* A container that is created waits for its start without a parent: who created it has left, and some other process says
 * "go" through a socket that the container's first process listens on. Whoever connects and leaves without a word, or is
 * killed, is as if he had not come.
 *
 * Whether there is a command to start is looked at before, since it is the creation that has to fail otherwise. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/child.h"

/* By the names only: which user may execute what is the kernel's business. */
static int check_command(struct child *child)
{
	const struct strlist *candidates = &child->plan->candidates;
	int code = ENOENT;

	for (size_t i = 0; i < candidates->count; i++) {
		struct stat st;
		if (candidates->items[i][0] != '/' || stat(candidates->items[i], &st) < 0) {
			/* Relative to a directory that we are not in yet, or that root may not look into. */
			if (candidates->items[i][0] != '/' || (errno != ENOENT && errno != ENOTDIR))
				return 0;
			continue;
		}
		if (S_ISREG(st.st_mode) && (st.st_mode & 0111))
			return 0;
		code = EACCES;
	}
	child_fail_code(child, CHILD_EXEC, 0, code);
	return -1;
}

/* The connection takes the place of the socket to who created us. */
static int accept_starter(struct child *child, int listen_fd)
{
	int fd;

	do
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 &&
	       (errno == EINTR || errno == ECONNABORTED || errno == ENOMEM || errno == ENFILE));
	if (fd < 0)
		return -1;
	/* The stub inherits it. */
	int r = dup3(fd, child->control_fd, child->stub_fd >= 0 ? 0 : O_CLOEXEC);
	close(fd);
	return r < 0 ? -1 : 0;
}

void child_hold(struct child *child, int listen_fd)
{
	char byte;
	ssize_t n;

	if (check_command(child) < 0)
		child_report_and_exit(child);
	child_fail_code(child, CHILD_HELD, 0, 0);
	if (send(child->control_fd, &child->report, sizeof(child->report), MSG_NOSIGNAL) < 0)
		_exit(1);
	do {
		if (accept_starter(child, listen_fd) < 0)
			_exit(1);
		do
			n = recv(child->control_fd, &byte, 1, 0);
		while (n < 0 && errno == EINTR);
	} while (n != 1);
	close(listen_fd);
}
