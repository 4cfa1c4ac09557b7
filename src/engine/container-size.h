/* How much room containers take: what they wrote themselves, and the image below. */
#pragma once

#include <stddef.h>
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

/* The same for any directories of the store: the bytes of each list of them together. */
int container_measure_trees(struct engine *engine, const struct strlist *trees, size_t count,
			    int64_t *ret_bytes, struct err *err);
