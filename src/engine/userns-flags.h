/* The values of --uidmap and --gidmap: "[FLAGS]CONTAINER:[@]FROM[:SIZE]". Pure.
 *
 *	u, g   for user IDs only, for group IDs only; without them for both
 *	+      changes what stands before it instead of adding: of earlier mappings goes what has an
 *	       ID of this one. As the first one it changes the caller's whole mapping.
 *	@      FROM is an ID of the host, not an intermediate one
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct id_extent;
struct id_map;
struct strlist;

struct userns_flags_input {
	bool is_rootless;
	const struct id_extent *base, *other_base; /* the caller's user IDs and group IDs */
	size_t base_count, other_base_count;
};

/* The two lists may be the same one. -EINVAL, -ERANGE with words. */
int userns_flags_maps(const struct strlist *uids, const struct strlist *gids,
		      const struct userns_flags_input *input, struct id_map *ret_uid,
		      struct id_map *ret_gid, struct err *err);
