#include "kernel/posix-acl.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "kernel/id-map.h"

#define PREFIX	     "system.posix_acl_"
#define VERSION_SIZE 4
#define ENTRY_SIZE   8 /* tag, permissions, ID */
#define TAG_USER     0x02
#define TAG_GROUP    0x08

bool posix_acl_is_name(const char *attribute)
{
	return strncmp(attribute, PREFIX, strlen(PREFIX)) == 0;
}

int posix_acl_map_ids(void *value, size_t size, const struct id_map *uids,
		      const struct id_map *gids, posix_acl_id_mapper *map_id)
{
	char *bytes = value;

	for (size_t at = VERSION_SIZE; at + ENTRY_SIZE <= size; at += ENTRY_SIZE) {
		uint16_t tag;
		uint32_t id;
		memcpy(&tag, bytes + at, sizeof(tag));
		memcpy(&id, bytes + at + 4, sizeof(id));
		const struct id_map *map = le16toh(tag) == TAG_USER    ? uids
					   : le16toh(tag) == TAG_GROUP ? gids
								       : NULL;
		if (!map)
			continue;
		id = map_id(map->extents, map->count, le32toh(id));
		if (id == UINT32_MAX)
			return -EOVERFLOW;
		id = htole32(id);
		memcpy(bytes + at + 4, &id, sizeof(id));
	}
	return 0;
}
