#include "engine/userns-auto.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

#define SIZE_MIN    1024
#define EXTENTS_MAX 340 /* user_namespaces(7) */

uint32_t userns_auto_size(uint32_t highest_id)
{
	return highest_id < SIZE_MIN ? SIZE_MIN : highest_id + 1;
}

static int compare_outside(const void *a, const void *b)
{
	const struct id_extent *x = a, *y = b;

	return x->outside < y->outside ? -1 : x->outside > y->outside;
}

/* What is neither used nor forced, in order. */
static void free_ids(const struct userns_auto *input, struct id_map *ret_free)
{
	const struct id_map *taken[] = { input->used, input->forced };

	for (size_t i = 0; i < input->available->count; i++) {
		const struct id_extent *e = &input->available->extents[i];
		id_map_add(ret_free, e->outside, e->outside, e->size);
	}
	for (size_t t = 0; t < ARRAY_SIZE(taken); t++)
		for (size_t i = 0; i < taken[t]->count; i++)
			id_map_remove_outside(ret_free, taken[t]->extents[i].outside,
					      taken[t]->extents[i].size);
	if (ret_free->count)
		qsort(ret_free->extents, ret_free->count, sizeof(*ret_free->extents),
		      compare_outside);
}

/* Leave the lowest `size` IDs: the first piece that has them all, or else pieces from below on. */
static void choose(struct id_map *ids, uint64_t size)
{
	struct id_map chosen = { 0 };

	for (size_t i = 0; i < ids->count && !chosen.count; i++)
		if (ids->extents[i].size >= size)
			id_map_add(&chosen, 0, ids->extents[i].outside, (uint32_t)size);
	for (size_t i = 0; i < ids->count && id_map_total(&chosen) < size; i++) {
		uint64_t left = size - id_map_total(&chosen);
		const struct id_extent *e = &ids->extents[i];
		id_map_add(&chosen, (uint32_t)id_map_total(&chosen), e->outside,
			   e->size < left ? e->size : (uint32_t)left);
	}
	id_map_clear(ids);
	*ids = chosen;
}

int userns_auto_map(const struct userns_auto *input, const char *file, struct id_map *ret_map,
		    struct err *err)
{
	autoidmap struct id_map inside = { 0 }, ids = { 0 }, map = { 0 };
	uint32_t missing;

	/* The IDs inside that are to be led somewhere, numbered through by `outside`. */
	id_map_add(&inside, 0, 0, input->size);
	for (size_t i = 0; i < input->forced->count; i++)
		id_map_remove_inside(&inside, input->forced->extents[i].inside,
				     input->forced->extents[i].size);
	uint64_t wanted = id_map_total(&inside);
	uint32_t number = 0;
	for (size_t i = 0; i < inside.count; i++) {
		inside.extents[i].outside = number;
		number += inside.extents[i].size;
	}

	free_ids(input, &ids);
	uint64_t there = id_map_total(&ids);
	if (there < wanted)
		return err_set(err, ENOSPC,
			       "--userns auto: %" PRIu64
			       " IDs are wanted, and of those in %s %" PRIu64
			       " are free; remove containers that have some, give a smaller size=, "
			       "or enlarge the range",
			       wanted, file, there);
	choose(&ids, wanted);
	(void)id_map_compose(&inside, ids.extents, ids.count, &map, &missing); /* all are there */
	for (size_t i = 0; i < input->forced->count; i++)
		id_map_add(&map, input->forced->extents[i].inside,
			   input->forced->extents[i].outside, input->forced->extents[i].size);
	if (map.count > EXTENTS_MAX)
		return err_set(err, ENOSPC,
			       "--userns auto: the free IDs in %s are in too many pieces; remove "
			       "containers that have some",
			       file);
	*ret_map = map;
	map = (struct id_map){ 0 };
	return 0;
}
