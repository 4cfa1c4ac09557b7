/* What the files of capability-use.c share: the call that is looked at, who makes it, and the files it is about. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/seccomp-notice.h"

#define CALLER_GROUPS 256

/* Who calls, as /proc/PID/status has it; IDs are ours, not those inside. */
struct caller {
	uint64_t effective, permitted;
	uid_t uid; /* for files */
	gid_t gid;
	gid_t groups[CALLER_GROUPS];
	size_t group_count;
};

struct call {
	const struct seccomp_notice *notice;
	struct caller caller;
	bool is_32bit;
};

struct row {
	int capability;
	const char *calls;
	bool (*needs)(const struct call *call, const struct row *row); /* NULL: always */
	/* Of a path: which arguments; -1: none. */
	int directory, path;
	enum {
		WALK, /* it has to be reached */
		READ,
		WRITE,
		EXECUTE,
		CHANGE, /* an entry is made or removed in its directory */
		OPEN,	/* as the flags in the argument behind say */
		CONNECT,
		BIND, /* of a socket's address */
	} access;
};

static inline uint64_t call_argument(const struct call *call, int index)
{
	uint64_t value = call->notice->arguments[index];
	return call->is_32bit ? (uint32_t)value : value;
}

/* False: it has ended. */
bool caller_read(pid_t pid, struct caller *caller);
bool call_read_memory(const struct call *call, uint64_t address, void *to, size_t size);
/* A text of less than `size` bytes. */
bool call_read_text(const struct call *call, uint64_t address, char *to, size_t size);

/* Of the file that the row's arguments name. All of them are true where it cannot be seen that they are false. */

/* The permissions would not let the caller through without capabilities. */
bool file_is_shut(const struct call *call, const struct row *row);
/* It belongs to somebody else than who calls. */
bool file_is_of_another(const struct call *call, const struct row *row);
/* It may be removed from its directory, one like /tmp, only by others. */
bool file_is_stuck(const struct call *call, const struct row *row);

/* The program's own permitted ones, as its file has them; 0 where it cannot be read. */
uint64_t file_capabilities(const struct call *call, const struct row *row);
