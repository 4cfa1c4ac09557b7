/* What differs between two root file systems: `davit diff`. */
#pragma once

#include <stddef.h>

struct container;
struct engine;
struct err;
struct image;

enum change_kind {
	CHANGE_MODIFIED = 'C',
	CHANGE_ADDED = 'A',
	CHANGE_DELETED = 'D',
};

struct change {
	enum change_kind kind;
	char *path; /* absolute */
};

struct change_list {
	struct change *items; /* in the order of their paths */
	size_t count;
};

void change_list_clear(struct change_list *list);
#define autochanges __attribute__((cleanup(change_list_clear)))

/* One side of a comparison: a container (found with its spec) or an image; the other is NULL. */
struct change_side {
	const struct container *container;
	struct image *image;
};

/* What `side` has that is not as in `base`; both NULL in `base`: as in the image of a container, or
 * in the layers below the uppermost one of an image, which takes a look at what changed only. Two
 * sides are compared file by file: kind, mode, owner, size and time. */
int changes_find(struct engine *engine, const struct change_side *side,
		 const struct change_side *base, struct change_list *ret_list, struct err *err);
