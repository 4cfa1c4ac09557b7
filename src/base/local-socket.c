#include "base/local-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

int local_socket_listen(int type, int dir_fd, const char *name, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int size = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
			    dir_fd, name);
	if (size >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)unlinkat(dir_fd, name, 0);
	/* The mode of the socket becomes that of its file. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, backlog) < 0)
		return -errno;
	return take_fd(&fd);
}

int local_socket_connect(int type, int dir_fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int path_fd = openat(dir_fd, path, O_PATH | O_CLOEXEC);

	if (path_fd < 0)
		return -errno;
	autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", path_fd);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}
