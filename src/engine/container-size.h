/* How much room containers take: what they wrote themselves, and the image below. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdint.h>

struct container;
struct engine;
struct err;
struct strlist;

struct container_size {
	int64_t writable_bytes; /* in the container's own layers */
	int64_t image_bytes;	/* what it shares with others; 0 when the image is gone */
};

/* Sizes of several at once, in the order of the list: files of a rootless store belong to many IDs, so they
 * are looked at in a child inside the caller's mapping. A container that is removed meanwhile counts 0. */
int container_sizes(struct engine *engine, struct container *const *list, size_t count,
		    struct container_size *ret_sizes, struct err *err);

/* What all of them take together: layers that clones share, and files that flattened layers share, count once. With
 * snapshots, which the sizes of single containers leave out. */
struct container_totals {
	int64_t bytes;
	int64_t reclaimable_bytes; /* what none has that is not over */
};
int container_sizes_together(struct engine *engine, struct container *const *list, size_t count,
			     struct container_totals *ret_totals, struct err *err);

enum measure_flags {
	MEASURE_TOGETHER =
		1
		<< 0, /* a tree, and a file with several names, counts in the first list that has it */
};

/* Sizes of any directories of the store: the bytes of each list of them. A file with several names counts once in it. */
int container_measure_trees(struct engine *engine, const struct strlist *trees, size_t count,
			    enum measure_flags flags, int64_t *ret_bytes, struct err *err);
