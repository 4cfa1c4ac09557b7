/* Writing a container's log: lines in the format that Kubernetes, CRI-O and podman ("k8s-file")
 * share.
 *
 *	2016-10-06T00:17:09.669794202Z stdout F a whole line
 *	2016-10-06T00:17:09.669794202Z stderr P a piece of a line; its rest follows in this stream's
 * next entry
 *
 * Everything between the third space and the newline is the container's, byte for byte. Output that
 * ends without a newline is a last "P". Part of davit-monitor: linked without any library of ours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct container_log {
	int fd;		    /* opened for appending; -1: no log is kept */
	const char *path;   /* absolute, borrowed; NULL: it grows without bound */
	uint64_t max_bytes; /* what would grow beyond is put aside; 0: no bound */
	unsigned
		max_files; /* how many there may be: PATH and, older and older, PATH.1, PATH.2, … 0 means 2 */
	bool is_torn; /* a write ended inside an entry: the next one starts a line of its own */
	time_t stamp_second; /* what `stamp` says */
	char stamp[40];	     /* "2016-10-06T00:17:09.669794202Z " */
};

enum container_stream { CONTAINER_STDOUT, CONTAINER_STDERR };

/* A reader holds a shared flock(2) on the file that it reads. The oldest file is not dropped under one, so that who reads
 * slower than the container writes loses nothing: PATH grows on for so long, up to this many times its bound, and
 * these bytes at least. With one file only, there is nothing to hold on to. */
enum { CONTAINER_LOG_PATIENCE = 16, CONTAINER_LOG_PATIENCE_BYTES = 8 << 20 };

/* Add what the container has written to one of its streams, as one write where the lines are not
 * too many. Where the disk refuses (full), the entries are lost and the container goes on. */
void container_log_add(struct container_log *log, enum container_stream stream, const char *data,
		       size_t size);

/* The UTC calendar of a time in seconds since 1970, as "2016-10-06T00:17:09": 19 bytes, no NUL. */
void container_log_calendar(time_t seconds, char text[19]);
