/* What `--userns`, `--uidmap` and their like ask for, and the map it comes to. Pure.
 *
 * Maps here lead from the container's IDs to intermediate ones: those of the caller's own mapping,
 * where 0 is the caller and 1… are the ranges of subuid(5). For root the intermediate IDs are the
 * host's. So a container keeps its meaning when its user is given other ranges, and `inspect` shows
 * what podman shows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strlist.h"
#include "kernel/id-map.h"

struct err;

enum userns_kind {
	USERNS_HOST,	  /* the caller's mapping: none for root */
	USERNS_PRIVATE,	  /* a namespace of its own; for users as above, for root as with auto */
	USERNS_KEEP_ID,	  /* the caller has his own ID inside */
	USERNS_NOMAP,	  /* the caller's own ID is not there */
	USERNS_AUTO,	  /* a range that no other container has */
	USERNS_MAPS,	  /* as --uidmap and --gidmap say */
	USERNS_CONTAINER, /* that of another container */
	USERNS_PATH,	  /* that of a file such as /proc/PID/ns/user */
};

struct userns_mode {
	enum userns_kind kind;
	int64_t uid, gid; /* keep-id: the caller's inside; -1: his own */
	uint32_t size;	  /* keep-id, auto: how many IDs; 0: all, or what the image needs */
	struct strlist uid_maps,
		gid_maps; /* auto's uidmapping and gidmapping; --uidmap, --gidmap */
	char *target;	  /* the container or the path */
};

/* The argument of --userns; "" and NULL are host. */
int userns_mode_parse(const char *text, struct userns_mode *ret_mode, struct err *err);
void userns_mode_clear(struct userns_mode *mode);
static inline void userns_mode_clear_auto(struct userns_mode *mode)
{
	userns_mode_clear(mode);
}
#define autouserns __attribute__((cleanup(userns_mode_clear_auto)))

struct userns_caller {
	bool is_rootless;
	uid_t uid;
	gid_t gid;
	const struct userns_map *base; /* the caller's mapping */
};

/* The maps of a mode whose maps can be made from the caller's mapping alone: all but auto, container
 * and path. Both stay empty for USERNS_HOST: nothing but the
 * caller's mapping is wanted. -EPERM, -EINVAL, -ERANGE with the remedy. */
int userns_mode_maps(const struct userns_mode *mode, const struct userns_caller *caller,
		     struct id_map *ret_uid, struct id_map *ret_gid, struct err *err);
