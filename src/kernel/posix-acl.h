/* Access control lists as the attributes that hold them: system.posix_acl_access and system.posix_acl_default. See acl(5)
 * and the kernel's posix_acl_xattr.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_extent;
struct id_map;

#define POSIX_ACL_DEFAULT "system.posix_acl_default"

bool posix_acl_is_name(const char *attribute);

/* id_map_to_inside() or userns_id_to_host(). */
typedef uint32_t posix_acl_id_mapper(const struct id_extent *extents, size_t count, uint32_t id);

/* Replace the IDs in the value of one; a map that is NULL leaves them. -EOVERFLOW for an ID outside of a map. */
int posix_acl_map_ids(void *value, size_t size, const struct id_map *uids,
		      const struct id_map *gids, posix_acl_id_mapper *map_id);
