/* Reading a container's entries from the journal by way of journalctl(1): its files are a library's business that davit
 * does not link. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Start journalctl for the container with this full ID. *ret_fd is what it says, in the export format; not blocking with
 * `follow`. The last `tail` entries, all if negative. -ENOTSUP: there is no such program. */
int journal_reader_start(const char *id, int64_t tail, bool follow, int *ret_fd, pid_t *ret_pid,
			 struct err *err);

/* It has closed its output: reap it. Fails if it has failed. *pid becomes -1. */
int journal_reader_end(pid_t *pid, struct err *err);

/* End it; -1 is fine. */
void journal_reader_stop(pid_t *pid);

/* Borrowed from the bytes that were parsed. */
struct journal_entry {
	int64_t usec; /* since 1970 */
	int priority;
	bool is_partial, has_message;
	const char *message;
	size_t size;
};

/* Read the entry that these bytes begin with. Returns its size, 0 when some of it has yet to come, -1 if it is none. See
 * https://systemd.io/JOURNAL_EXPORT_FORMATS. */
ssize_t journal_entry_parse(const char *data, size_t size, struct journal_entry *ret_entry);
