/* Writing what a container says to journald(8): an entry a line, by its native protocol.
 *
 * The fields are those that podman writes, so what reads its journals reads ours. Part of davit-monitor: linked without
 * any library of ours. See https://systemd.io/JOURNAL_NATIVE_PROTOCOL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "monitor/container-log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { JOURNAL_FIELDS = 24 };

struct journal {
	int fd; /* datagram socket, connected to journald's; -1: not used */
	const char *fields
		[JOURNAL_FIELDS]; /* "NAME=value" of every entry, without newlines; borrowed */
	size_t field_count;
	bool is_stuck; /* journald takes nothing: entries are lost until it does */
};

/* Connect to it; an O_CLOEXEC descriptor or -errno. */
int journal_connect(void);

/* Add what the container has written to one of its streams. While journald does not take more we wait, but not long:
 * its entries are lost then and the container goes on. */
void journal_add(struct journal *journal, enum container_stream stream, const char *data,
		 size_t size);
