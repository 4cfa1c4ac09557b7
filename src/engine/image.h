/* Images as a user speaks of them: found by short names, removed by podman's rules, pruned. The
 * rows and files are store/image.h's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"
#include "store/image.h" /* IWYU pragma: export */

struct engine;
struct err;

/* The local image that a user's word means: ID, name, short name, beginning of an ID. -ENOENT if
 * there is none, -EEXIST if several are meant. Costs one or two SELECTs when the name is full; the
 * registries' configuration is read only for short names that are not localhost's. */
int image_resolve(struct engine *engine, const char *word, struct image **ret_image,
		  struct err *err);

/* "NAME" → "localhost/NAME:latest": the full name for something that is made or tagged here. A name
 * that is full keeps its registry. -EINVAL for what is no name or has a digest. */
int image_local_name(const char *word, char **ret_name, struct err *err);

/* What a removal does about a container; given by whoever knows containers. */
struct image_removal {
	bool force;    /* IDs with several names too, and containers with `remove_container` */
	bool all;      /* all images are meant, so several names are no surprise */
	bool no_prune; /* kept for scripts; layers are never images here, so there is nothing to
			  prune */
	int (*remove_container)(struct engine *engine, const char *id, struct err *err);
};

/* Remove names and images as `rmi WORD` does: a name among several is only untagged. What was done
 * is appended to `untagged` (full names) and `deleted` (IDs), also when it fails later on. -ENOENT:
 * no such image; -EBUSY: in use; -ENOTUNIQ: an ID that has several names, without force. */
int image_remove(struct engine *engine, const char *word, const struct image_removal *removal,
		 struct strlist *untagged, struct strlist *deleted, struct err *err);

/* Put to the end what a removal began: the files of removed images. Called once, after them all. */
int image_empty_trash(struct engine *engine, struct err *err);
/* The same in a process that nobody waits for. What it cannot do is left to the next one. */
void image_empty_trash_aside(struct engine *engine);

struct image_prune {
	bool all;	     /* all that no container uses, not only those without a name */
	bool leftovers;	     /* also blobs and layers that belong to no image */
	int64_t before_nsec; /* only images created earlier; 0: any */
	struct strlist labels, not_labels; /* "KEY" or "KEY=VALUE", all of which must hold */
};
/* IDs of what was removed are appended. */
int image_prune(struct engine *engine, const struct image_prune *prune, struct strlist *deleted,
		struct err *err);

/* Whether the labels ("KEY=VALUE") have "KEY" or "KEY=VALUE". */
bool labels_match(const struct strlist *labels, const char *wanted);
