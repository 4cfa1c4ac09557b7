/* How much room everything takes, and how much of that could be had back: `davit system df`. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/container-size.h"
#include "engine/image.h"

struct container;
struct engine;
struct err;
struct volume;

struct disk_usage {
	/* Layers that several images have are counted once. */
	struct image_list images;
	int64_t *image_unique; /* bytes that no other image has, for each */
	int64_t image_bytes, image_reclaimable;
	struct container **containers;
	struct container_size *container_sizes; /* each for itself, also what clones share */
	struct container_totals container_totals;
	size_t container_count;
	struct volume **volumes;
	int64_t *volume_bytes;
	size_t volume_count;
};

enum disk_usage_flags {
	DISK_USAGE_EACH = 1 << 0, /* sizes of single containers, instead of totals */
};

/* Walks over all that containers and volumes hold. */
int disk_usage_load(struct engine *engine, enum disk_usage_flags flags,
		    struct disk_usage *ret_usage, struct err *err);
void disk_usage_clear(struct disk_usage *usage);
#define autodisk_usage __attribute__((cleanup(disk_usage_clear)))

/* Bytes in the layers of all images; those that are in images without containers to *ret_reclaimable. */
int disk_usage_of_images(struct engine *engine, int64_t *ret_bytes, int64_t *ret_reclaimable,
			 struct err *err);
/* What each of these volumes holds. Those that are a directory of the host's, or memory, count 0. */
int disk_usage_of_volumes(struct engine *engine, struct volume *const *list, size_t count,
			  int64_t *ret_bytes, struct err *err);
