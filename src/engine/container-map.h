/* The ID mapping of one container, and the files that have to follow it.
 *
 * Most containers live under their caller's mapping (struct engine), which is what layers are
 * unpacked and volumes filled under. One with --userns or --uidmap has another: for root the kernel
 * maps the layers while they are mounted, for users they are copied once, see store/layer-remap.h. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"
#include "kernel/id-map.h"

struct container_spec;
struct engine;
struct err;
struct identity;

struct container_map {
	bool is_own;		/* not just the caller's mapping */
	struct userns_map map;	/* to the host's IDs; borrowed from the engine unless is_own */
	struct id_map uid, gid; /* to those of the caller's mapping; empty unless is_own */
	char *name; /* of the mapping, where copies are named by it; NULL unless is_own */
};

/* From what the container was recorded with. -ERANGE if the user's ranges have shrunk since. */
int container_map_of(struct engine *engine, const struct container_spec *spec,
		     struct container_map *ret_map, struct err *err);
void container_map_clear(struct container_map *map);

/* Whether layers, upper directory and volumes of this container are mapped by the kernel when they
 * are mounted, so that on disk they have the image's IDs. */
bool container_map_is_mounted(const struct engine *engine, const struct container_map *map);

/* Whether it needs copies of the layers. With one ID only, all files belong to that anyway. */
bool container_map_is_copied(const struct engine *engine, const struct container_map *map);

/* Where these copies are, in the order of container_layer_dirs(). Nothing if it needs none. */
void container_map_layer_dirs(const struct engine *engine, const struct container_map *map,
			      const struct container_spec *spec, struct strlist *dirs);

/* What an ID of the container is in the caller's mapping. */
void container_map_identity(const struct container_map *map, struct identity *identity);

/* Make the layers' copies that are missing, and give `paths` to the container's root. Tells on
 * standard error how far it is when that takes a while. Nothing to do for a container under the
 * caller's own mapping. Where the container's own first process can give the paths away, and nothing
 * else is to be done, they are appended to `later`: that saves a process under the caller's mapping. */
int container_map_files(struct engine *engine, const struct container_map *map,
			const struct strlist *layers, const struct strlist *paths,
			struct strlist *later, struct err *err);
