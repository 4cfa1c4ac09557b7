/* Copies of layers with other owners, for an ordinary user's containers that have a mapping of their
 * own. (Root has ID-mapped mounts for that. The kernel lets nobody else map the IDs of the host's
 * file systems, and overlayfs cannot be mapped itself.)
 *
 *   STORE/layers/HEX/diff         the layer, image ID N belonging to ID N of the user's mapping
 *   STORE/layers/HEX/ids-NAME/    the same tree for a container whose IDs lead elsewhere
 *
 * A copy goes with its layer. Like the layer it is made aside and renamed into place when it is
 * complete and has reached the disk. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct id_map;
struct strlist;

struct layer_remap {
	const char *name; /* of the mapping, for a file name */
	/* From the image's IDs to those of this process's user namespace. */
	const struct id_map *uid, *gid;
	/* Called now and then with the bytes copied so far. */
	void (*progress)(void *arg, uint64_t bytes);
	void *progress_arg;
};

/* "layers/HEX/ids-NAME", relative to the store; owned by the caller. NULL if that is no diff ID. */
char *layer_remap_path(const char *diff_id, const char *name);

/* Make the copies that are missing. To be called as root of the mapping that the layers were
 * unpacked under. -EOVERFLOW, with the remedy, if a file belongs to an ID that the mapping lacks.
 * On failure no part of a copy stays. */
int layer_remap(int store_fd, const struct strlist *diff_ids, const struct layer_remap *remap,
		struct err *err);
