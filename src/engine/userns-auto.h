/* --userns auto: ranges of IDs that no other container has. Pure. */
#pragma once

#include <stdint.h>

#include "kernel/id-map.h"

struct err;

struct userns_auto {
	/* Where IDs may be taken from: `outside` and `size` count. Intermediate ones, see
	 * userns-mode.h. */
	const struct id_map *available;
	const struct id_map *used;   /* by other containers; `outside` and `size` count */
	const struct id_map *forced; /* uidmapping= and gidmapping=: these IDs lead there */
	uint32_t size;		     /* IDs inside, from 0 on */
};

/* The lowest free IDs, in one piece where there is one: a container that takes the place of another
 * finds the copies that were made for that. `file` is named where there are not enough. -ENOSPC. */
int userns_auto_map(const struct userns_auto *input, const char *file, struct id_map *ret_map,
		    struct err *err);

/* How many IDs a container needs at least: the highest one of the image and one more, podman's
 * minimum at least. */
uint32_t userns_auto_size(uint32_t highest_id);
