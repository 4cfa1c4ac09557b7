/* User namespaces: whose IDs are whose. See user_namespaces(7), subuid(5), newuidmap(1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* `size` IDs from `inside` on are the host's (or parent's) from `outside` on. */
struct id_extent {
	uint32_t inside, outside, size;
};

struct userns_map {
	struct id_extent *uid, *gid; /* owned */
	size_t uid_count, gid_count;
	bool is_identity;  /* root without a user namespace of its own: nothing to enter */
	bool is_single_id; /* only the caller's own ID: no subuid ranges, or none wanted */
};

/* The mapping of the user who calls: identity for root; for others 0 is the caller and 1… are the
 * ranges of /etc/subuid and /etc/subgid, read afresh. Without ranges the one-ID mapping, with
 * is_single_id set; the caller warns. */
int userns_map_for_user(struct userns_map *ret_map, struct err *err);
void userns_map_clear(struct userns_map *map);

/* Append the ranges that `text`, in the format of subuid(5), grants to the user, mapped one behind
 * the other from behind the last extent on. Malformed lines grant nothing. */
void userns_parse_ranges(const char *text, const char *name, uid_t uid, struct id_extent **extents,
			 size_t *count);

/* The ranges of another user by name, for `path` /etc/subuid or /etc/subgid; nothing if there are none. */
void userns_ranges_of(const char *path, const char *name, struct id_extent **extents,
		      size_t *count);

/* The name of a user of this host, NULL if it has none; owned by the caller. */
char *userns_user_name(uid_t uid);

/* What an ID inside is outside; UINT32_MAX if it is not mapped. */
uint32_t userns_id_to_host(const struct id_extent *extents, size_t count, uint32_t inside);

/* Write the maps of a child that waits in a new user namespace. Maps can be written only once.
 * -EPERM if subuid(5) grants no such range, -ENOENT if newuidmap(1) is missing. */
int userns_write_maps(pid_t pid, const struct userns_map *map, struct err *err);

/* A user namespace with this map, made while the caller does something else: newuidmap(1) takes
 * milliseconds. It has no process of ours but one that waits until it is freed, and ends with us.
 * userns_draft_finish() waits for the maps and returns a descriptor, owned by the caller, or -errno;
 * it is called once at most. Not for the identity. */
struct userns_draft;
int userns_draft_begin(const struct userns_map *map, struct userns_draft **ret_draft,
		       struct err *err);
int userns_draft_finish(struct userns_draft *draft, struct err *err);
void userns_draft_free(struct userns_draft *draft); /* NULL is fine */

/* Whether the user namespace was made directly below ours by this very user. The user namespace of a
 * container's process need not be the one the container was given: the process may have made another
 * inside, with a map that looks the same from here, and whoever enters that is at its mercy. */
bool userns_is_our_child(int user_ns_fd);

/* Put into words, with the remedy, why unshare(2) or clone3(2) refused a user namespace with errno
 * `code`. Returns -code. */
int userns_explain_refusal(int code, struct err *err);

/* Run `body` in a child process that is root of a user (and mount) namespace with this map, and
 * wait for it. What the child's body returns and its err come back as if it had been called here.
 * Where the map is the identity the body still runs in a child, without namespaces. `join_pid` > 0
 * names a process whose user namespace has this very map: it is joined, which saves newuidmap(1)'s
 * milliseconds. */
int userns_run(const struct userns_map *map, pid_t join_pid,
	       int (*body)(void *arg, struct err *err), void *arg, struct err *err);

/* The same without waiting: the child's pid and pidfd; its result arrives by userns_wait(). For
 * workers. */
struct userns_worker;
int userns_spawn(const struct userns_map *map, pid_t join_pid,
		 int (*body)(void *arg, struct err *err), void *arg,
		 struct userns_worker **ret_worker, struct err *err);
int userns_worker_fd(const struct userns_worker *worker); /* readable when it has ended; borrowed */
int userns_wait(struct userns_worker *worker,
		struct err *err); /* frees it; returns what the body returned */

/* Namespaces that are there already, by descriptors. */
struct userns_place {
	int user_ns_fd; /* -1: ours */
	int mount_ns_fd;
	uid_t uid; /* who is root there */
	gid_t gid;
};

/* A worker in such a place: its "/" is that of the mount namespace, it has all capabilities there, nobody who
 * lives there may look into it, and writing to a closed pipe is EPIPE. What it sees is not to be trusted. */
int userns_spawn_in(const struct userns_place *place, int (*body)(void *arg, struct err *err),
		    void *arg, struct userns_worker **ret_worker, struct err *err);
