#include "base/fd-pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union ancillary {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

ssize_t fd_send(int socket_fd, const void *data, size_t size, int fd)
{
	union ancillary ancillary = { 0 };
	struct iovec part = { (void *)data, size };
	const struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = ancillary.space,
		.msg_controllen = sizeof(ancillary.space),
	};
	ssize_t n;

	ancillary.header.cmsg_level = SOL_SOCKET;
	ancillary.header.cmsg_type = SCM_RIGHTS;
	ancillary.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
	do
		n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int fd_receive(int socket_fd, int flags)
{
	union ancillary ancillary = { 0 };
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = ancillary.space,
		.msg_controllen = sizeof(ancillary.space),
	};
	int fd;
	ssize_t n;

	do
		n = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (n != 1 || !header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -ENOMSG;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
