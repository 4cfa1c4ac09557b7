/* What a container has written itself: everything of its root file system that is not the image's.
 *
 * Most have an upper directory and nothing else. A snapshot freezes that directory: it is renamed into a
 * layer of its own (store/frozen-layer.h), the container's `head_layer`, and the container gets a new upper
 * directory at its next start. Clones stand on the same layers. So all of it is, from bottom to top: the
 * chain of the head layer, then the upper directory.
 *
 * Such a change is one of the database, and one of names in the file system, which cannot be one. The first
 * leaves in `upper_move` what the second has to be: the ID of the layer that the upper directory becomes, or
 * "discard". Whoever takes the container's lock to start it or to change its layers makes up for it first;
 * all others see through it. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct container;
struct engine;
struct err;

#define UPPER_DISCARD "discard" /* as `upper_move` */

/* The directories, lowest first; appended. The last is the upper directory if the container has one that
 * counts; it may not have been made yet. Whiteouts and markers in them are overlayfs's. */
int container_own_layers(struct engine *engine, const struct container *container,
			 struct strlist *dirs, struct err *err);

/* The frozen ones only, uppermost first, as overlayfs wants them; appended. */
int container_frozen_dirs(struct engine *engine, const struct container *container,
			  struct strlist *dirs, struct err *err);

/* Do what `upper_move` says, if anything. The caller has the lock, and the container does not run. */
int container_finish_move(struct engine *engine, struct container *container, struct err *err);

/* Delete the container's record, and those of layers that only it has used. Their files are in the trash
 * then; image_empty_trash() frees the room. `volumes` are those that are to go with it: that is recorded in
 * the same step, so that volume_sweep() finds them if the caller does not get to remove them. */
int container_delete_record(struct engine *engine, const struct container *container,
			    const struct strlist *volumes, struct err *err);

/* Whether anything was written since the last snapshot. */
bool container_has_changes(const struct engine *engine, const struct container *container);
