/* What lies on disk for a container: the layers of its image, its own directories, its volumes; found,
 * made and given to whom they belong to, so that they can be mounted. */
#pragma once

#include "base/strlist.h"

struct container;
struct container_map;
struct container_spec;
struct engine;
struct err;
struct identity;

struct container_files {
	struct strlist layer_dirs; /* as they were unpacked: for looking into files */
	struct strlist
		mapped_dirs;	  /* with the owners of this container's mapping; empty: the same */
	struct strlist own_paths; /* that the container's first process gives to its root */
	char *skeleton;		  /* lies below all of them; NULL: none */
	bool rootfs_is_mapped; /* the directory that is the root has an image's IDs, not the container's */
};

void container_files_clear(struct container_files *files);

/* Where the files of the image are, and those that the container has frozen. `files` is empty before. */
int container_files_find(struct engine *engine, const struct container *container,
			 const struct container_spec *spec, const struct container_map *map,
			 struct container_files *files, struct err *err);

/* The layers to mount, uppermost first; borrowed. */
const struct strlist *container_files_dirs(const struct container_files *files);

/* Make what is missing of the container's own directories in `directory`. */
int container_files_make(const struct container_spec *spec, const struct container_files *files,
			 const char *directory, struct err *err);

/* Give these directories, and `paths` besides, to the root of a container with a mapping of its own, and
 * make copies of layers that it needs. Nothing for one under its caller's mapping. */
int container_files_map(struct engine *engine, const struct container_spec *spec,
			const struct container_map *map, const char *directory,
			const struct strlist *paths, struct container_files *files,
			struct err *err);

/* Put into new volumes what the image has at their places, and give those that ask for it to the
 * container's user. */
int container_files_fill_volumes(struct engine *engine, const struct container_spec *spec,
				 const struct container_map *map, const struct identity *identity,
				 const struct container_files *files, struct err *err);
