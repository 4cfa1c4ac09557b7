/* One process of a container as the container and as the host see it, from /proc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How a container's IDs are those of the host, and what they are called inside. */
struct id_names;

struct process_info {
	pid_t host_pid, host_ppid;
	pid_t pid, ppid, pgid; /* as the container counts; ppid 0: none of its own */
	uint32_t host_uid, host_gid, uid, gid;
	char state; /* 'S', 'R' ... */
	int64_t nice;
	uint64_t cpu_usec, elapsed_usec;
	uint64_t virtual_bytes, resident_bytes;
	int tty_major, tty_minor; /* 0: none */
	int seccomp;		  /* 0 off, 1 strict, 2 filter */
	char *name;		  /* "sh" */
	char *arguments; /* "sh -c …" in one line; the name in brackets where there are none */
};

/* False if it is gone, or closed to us. */
bool process_info_read(pid_t pid, const struct id_names *names, struct process_info *ret_info);
void process_info_clear(struct process_info *info);

/* For the container whose first process is `init`. */
struct id_names *id_names_new(pid_t init);
void id_names_free(struct id_names *names);

/* The name of an ID of the container's, by its /etc/passwd or /etc/group; else its digits. Owned by the
 * caller. */
char *id_names_user(const struct id_names *names, uint32_t uid);
char *id_names_group(const struct id_names *names, uint32_t gid);
