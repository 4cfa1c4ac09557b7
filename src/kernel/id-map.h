/* Arithmetic of ID mappings: parsing, looking up, putting one behind another. Pure.
 *
 * A list of extents maps IDs of the inside to IDs of the outside, in any order; no ID of either side
 * may come twice. See user_namespaces(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/userns.h"

struct err;
struct strlist;

struct id_map {
	struct id_extent *extents; /* owned */
	size_t count;
};

void id_map_clear(struct id_map *map);
static inline void id_map_clear_auto(struct id_map *map)
{
	id_map_clear(map);
}
#define autoidmap __attribute__((cleanup(id_map_clear_auto)))

/* Append; joined with the last extent where it continues it. Nothing for a size of 0. */
void id_map_add(struct id_map *map, uint32_t inside, uint32_t outside, uint32_t size);

/* What an ID outside is inside; UINT32_MAX if it is not mapped. userns_id_to_host() is the other
 * way. */
uint32_t id_map_to_inside(const struct id_extent *extents, size_t count, uint32_t outside);

/* How many IDs are mapped. */
uint64_t id_map_total(const struct id_map *map);

/* -EINVAL if an ID of one side comes twice, `what` names the option. */
int id_map_check(const struct id_map *map, const char *what, struct err *err);

/* `map` leads from inside to IDs that `base` leads further out: append where they end to *ret_map.
 * -ERANGE if `base` lacks one of them; *ret_missing tells which. */
int id_map_compose(const struct id_map *map, const struct id_extent *base, size_t base_count,
		   struct id_map *ret_map, uint32_t *ret_missing);

/* The same the other way: `map` leads to IDs that `base` leads to, and *ret_map to where that comes from. */
int id_map_compose_inverse(const struct id_map *map, const struct id_extent *base,
			   size_t base_count, struct id_map *ret_map, uint32_t *ret_missing);

/* Take the IDs from `outside` on out of the map, what is left of an extent stays. */
void id_map_remove_outside(struct id_map *map, uint32_t outside, uint32_t size);
void id_map_remove_inside(struct id_map *map, uint32_t inside, uint32_t size);

/* "INSIDE:OUTSIDE:SIZE" for each extent, as containers are recorded with and `inspect` shows. */
void id_map_format(const struct id_map *map, struct strlist *lines);
/* The same back; "INSIDE:OUTSIDE" is one ID. -EINVAL with words. */
int id_map_parse_line(const char *line, struct id_extent *ret_extent, struct err *err);
int id_map_parse(const struct strlist *lines, struct id_map *ret_map, struct err *err);

bool id_maps_equal(const struct id_extent *a, size_t a_count, const struct id_extent *b,
		   size_t b_count);
