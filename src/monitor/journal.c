#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "monitor/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 2 };

int journal_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = errno;
		close(fd);
		return -code;
	}
	return fd;
}

/* What no datagram can hold goes as a sealed file. */
static int send_as_file(const struct journal *journal, const struct msghdr *message, int flags)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr with_file = { .msg_control = &control, .msg_controllen = sizeof(control) };
	int r = -1;

	int fd = memfd_create("davit-monitor entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	ssize_t size = 0;
	for (size_t i = 0; i < (size_t)message->msg_iovlen; i++)
		size += (ssize_t)message->msg_iov[i].iov_len;
	if (writev(fd, message->msg_iov, (int)message->msg_iovlen) == size &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		r = sendmsg(journal->fd, &with_file, MSG_NOSIGNAL | flags) < 0 ? -1 : 0;
	}
	int code = errno;
	close(fd);
	errno = code;
	return r;
}

static int send_once(const struct journal *journal, const struct msghdr *message, int flags)
{
	int r;

	do
		r = sendmsg(journal->fd, message, MSG_NOSIGNAL | flags) < 0 ? -1 : 0;
	while (r < 0 && errno == EINTR);
	return r < 0 && (errno == EMSGSIZE || errno == ENOBUFS)
		       ? send_as_file(journal, message, flags)
		       : r;
}

static void send_entry(struct journal *journal, const struct msghdr *message)
{
	int flags = journal->is_stuck ? MSG_DONTWAIT : 0;

	if (send_once(journal, message, flags) == 0) {
		journal->is_stuck = false;
		return;
	}
	if (errno == ECONNREFUSED || errno == ENOTCONN || errno == EDESTADDRREQ ||
	    errno == ECONNRESET) {
		/* It was started anew, or another one has its place. */
		int fd = journal_connect();
		if (fd < 0)
			return;
		close(journal->fd);
		journal->fd = fd;
		journal->is_stuck = send_once(journal, message, 0) < 0;
		return;
	}
	journal->is_stuck = true;
}

void journal_add(struct journal *journal, enum container_stream stream, const char *data,
		 size_t size)
{
	static const char *const priorities[] = { "PRIORITY=6\n", "PRIORITY=3\n" };
	static const char partial[] = "CONTAINER_PARTIAL_MESSAGE=true\n",
			  message_name[] = "MESSAGE\n";
	struct iovec parts[2 * JOURNAL_FIELDS + 6];
	struct msghdr message = { .msg_iov = parts };
	const char *end = data + size;
	size_t fixed = 0;

	for (size_t i = 0; i < journal->field_count; i++) {
		parts[fixed++] =
			(struct iovec){ (char *)journal->fields[i], strlen(journal->fields[i]) };
		parts[fixed++] = (struct iovec){ (char *)"\n", 1 };
	}
	parts[fixed++] = (struct iovec){ (char *)priorities[stream], 11 };
	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		uint64_t line_size = (uint64_t)((newline ? newline : end) - data);
		unsigned char little_endian[8];
		size_t count = fixed;

		for (int i = 0; i < 8; i++)
			little_endian[i] = (unsigned char)(line_size >> 8 * i);
		if (!newline)
			parts[count++] = (struct iovec){ (char *)partial, sizeof(partial) - 1 };
		parts[count++] = (struct iovec){ (char *)message_name, sizeof(message_name) - 1 };
		parts[count++] = (struct iovec){ little_endian, sizeof(little_endian) };
		parts[count++] = (struct iovec){ (char *)data, line_size };
		parts[count++] = (struct iovec){ (char *)"\n", 1 };
		message.msg_iovlen = count;
		send_entry(journal, &message);
		data += line_size + (newline != NULL);
	}
}
