#include "kernel/id-map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"

void id_map_clear(struct id_map *map)
{
	free(map->extents);
	*map = (struct id_map){ 0 };
}

void id_map_add(struct id_map *map, uint32_t inside, uint32_t outside, uint32_t size)
{
	struct id_extent *last = map->count ? &map->extents[map->count - 1] : NULL;

	if (size == 0)
		return;
	if (last && last->inside + last->size == inside && last->outside + last->size == outside) {
		last->size += size;
		return;
	}
	map->extents = xreallocarray(map->extents, map->count + 1, sizeof(*map->extents));
	map->extents[map->count++] = (struct id_extent){ inside, outside, size };
}

uint32_t id_map_to_inside(const struct id_extent *extents, size_t count, uint32_t outside)
{
	for (size_t i = 0; i < count; i++)
		if (outside >= extents[i].outside && outside - extents[i].outside < extents[i].size)
			return extents[i].inside + (outside - extents[i].outside);
	return UINT32_MAX;
}

uint64_t id_map_total(const struct id_map *map)
{
	uint64_t total = 0;

	for (size_t i = 0; i < map->count; i++)
		total += map->extents[i].size;
	return total;
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

int id_map_check(const struct id_map *map, const char *what, struct err *err)
{
	for (size_t i = 0; i < map->count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct id_extent *a = &map->extents[i], *b = &map->extents[j];
			bool inside = overlap(a->inside, a->size, b->inside, b->size);
			if (inside || overlap(a->outside, a->size, b->outside, b->size))
				return err_set(err, EINVAL,
					       "%s: '%u:%u:%u' and '%u:%u:%u' have %s IDs in "
					       "common; each may be mapped once",
					       what, b->inside, b->outside, b->size, a->inside,
					       a->outside, a->size, inside ? "container" : "host");
		}
	return 0;
}

int id_map_compose(const struct id_map *map, const struct id_extent *base, size_t base_count,
		   struct id_map *ret_map, uint32_t *ret_missing)
{
	for (size_t i = 0; i < map->count; i++) {
		struct id_extent rest = map->extents[i];
		while (rest.size) {
			const struct id_extent *found = NULL;
			for (size_t b = 0; b < base_count && !found; b++)
				if (rest.outside >= base[b].inside &&
				    rest.outside - base[b].inside < base[b].size)
					found = &base[b];
			if (!found) {
				*ret_missing = rest.outside;
				return -ERANGE;
			}
			uint32_t skip = rest.outside - found->inside;
			uint32_t size = found->size - skip;
			if (size > rest.size)
				size = rest.size;
			id_map_add(ret_map, rest.inside, found->outside + skip, size);
			rest.inside += size;
			rest.outside += size;
			rest.size -= size;
		}
	}
	return 0;
}

int id_map_compose_inverse(const struct id_map *map, const struct id_extent *base,
			   size_t base_count, struct id_map *ret_map, uint32_t *ret_missing)
{
	autofree struct id_extent *inverse = xcalloc(base_count, sizeof(*inverse));

	for (size_t i = 0; i < base_count; i++)
		inverse[i] = (struct id_extent){ base[i].outside, base[i].inside, base[i].size };
	return id_map_compose(map, inverse, base_count, ret_map, ret_missing);
}

/* `by_inside` tells which side `from` is of. */
static void remove_range(struct id_map *map, uint32_t from, uint32_t size, bool by_inside)
{
	struct id_map kept = { 0 };

	for (size_t i = 0; i < map->count; i++) {
		const struct id_extent *e = &map->extents[i];
		uint32_t start = by_inside ? e->inside : e->outside;
		uint64_t end = (uint64_t)start + e->size, stop = (uint64_t)from + size;
		if (!overlap(start, e->size, from, size)) {
			id_map_add(&kept, e->inside, e->outside, e->size);
			continue;
		}
		if (from > start)
			id_map_add(&kept, e->inside, e->outside, from - start);
		if (stop < end) {
			uint32_t skip = (uint32_t)(stop - start);
			id_map_add(&kept, e->inside + skip, e->outside + skip,
				   (uint32_t)(end - stop));
		}
	}
	id_map_clear(map);
	*map = kept;
}

void id_map_remove_outside(struct id_map *map, uint32_t outside, uint32_t size)
{
	remove_range(map, outside, size, false);
}

void id_map_remove_inside(struct id_map *map, uint32_t inside, uint32_t size)
{
	remove_range(map, inside, size, true);
}

void id_map_format(const struct id_map *map, struct strlist *lines)
{
	for (size_t i = 0; i < map->count; i++)
		strlist_addf(lines, "%u:%u:%u", map->extents[i].inside, map->extents[i].outside,
			     map->extents[i].size);
}

int id_map_parse_line(const char *line, struct id_extent *ret_extent, struct err *err)
{
	const char *at = line;
	int64_t numbers[3] = { 0, 0, 1 };
	int count = 0, r = 0;

	while (r == 0 && count < 3) {
		r = number_take(&at, 0, UINT32_MAX - 1, &numbers[count]);
		if (r == 0)
			count++;
		if (*at != ':')
			break;
		at++;
	}
	if (r < 0 || *at || count < 2 || at[-1] == ':' || numbers[2] == 0 ||
	    numbers[0] + numbers[2] > UINT32_MAX || numbers[1] + numbers[2] > UINT32_MAX)
		return err_set(err, EINVAL,
			       "'%s' is no ID mapping; write it as CONTAINER:FROM[:SIZE], e.g. "
			       "0:1:65536",
			       line);
	*ret_extent = (struct id_extent){ (uint32_t)numbers[0], (uint32_t)numbers[1],
					  (uint32_t)numbers[2] };
	return 0;
}

int id_map_parse(const struct strlist *lines, struct id_map *ret_map, struct err *err)
{
	autoidmap struct id_map map = { 0 };

	for (size_t i = 0; i < lines->count; i++) {
		struct id_extent extent;
		int r = id_map_parse_line(lines->items[i], &extent, err);
		if (r < 0)
			return r;
		id_map_add(&map, extent.inside, extent.outside, extent.size);
	}
	*ret_map = map;
	map = (struct id_map){ 0 };
	return 0;
}

bool id_maps_equal(const struct id_extent *a, size_t a_count, const struct id_extent *b,
		   size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (a[i].inside != b[i].inside || a[i].outside != b[i].outside ||
		    a[i].size != b[i].size)
			return false;
	return true;
}
