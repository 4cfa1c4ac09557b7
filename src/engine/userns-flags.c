#include "engine/userns-flags.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "kernel/id-map.h"

struct mapping {
	bool for_users, for_groups, replaces, from_host;
	struct id_extent extent;
};

static int parse(const char *text, struct mapping *ret_mapping, struct err *err)
{
	struct mapping mapping = { 0 };
	size_t flags = strspn(text, "ug+");
	autofree char *rest = xstrdup(text + flags);
	char *at = strstr(rest, ":@");

	mapping.for_users = memchr(text, 'u', flags);
	mapping.for_groups = memchr(text, 'g', flags);
	mapping.replaces = memchr(text, '+', flags);
	if (!mapping.for_users && !mapping.for_groups)
		mapping.for_users = mapping.for_groups = true;
	if (at) {
		mapping.from_host = true;
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	}
	int r = id_map_parse_line(rest, &mapping.extent, err);
	if (r < 0)
		return err_set(err, EINVAL,
			       "'%s' is no ID mapping; write it as [FLAGS]CONTAINER:FROM[:SIZE], "
			       "e.g. 0:1:65536",
			       text);
	*ret_mapping = mapping;
	return 0;
}

/* Of host IDs to intermediate ones. An extent may come to be several. */
static int find_host_ids(const struct mapping *mapping, const char *text,
			 const struct id_extent *base, size_t count, bool groups,
			 struct id_map *ret_map, struct err *err)
{
	autoidmap struct id_map wanted = { 0 };
	uint32_t missing;

	id_map_add(&wanted, mapping->extent.inside, mapping->extent.outside, mapping->extent.size);
	if (id_map_compose_inverse(&wanted, base, count, ret_map, &missing) == 0)
		return 0;
	return err_set(err, ERANGE,
		       "'%s': %s ID %u of the host is not this user's to map; see /etc/sub%cid%s",
		       text, groups ? "group" : "user", missing, groups ? 'g' : 'u',
		       mapping->for_users && mapping->for_groups
			       ? ", or put flag u or g before the mapping"
			       : "");
}

static int make_map(const struct strlist *texts, bool groups, bool is_rootless,
		    const struct id_extent *base, size_t count, struct id_map *ret_map,
		    struct err *err)
{
	autoidmap struct id_map map = { 0 };
	bool is_first = true;

	for (size_t i = 0; i < texts->count; i++) {
		autoidmap struct id_map added = { 0 };
		struct mapping mapping = { 0 };
		int r = parse(texts->items[i], &mapping, err);
		if (r < 0)
			return r;
		if (groups ? !mapping.for_groups : !mapping.for_users)
			continue;
		if (mapping.from_host && is_rootless)
			r = find_host_ids(&mapping, texts->items[i], base, count, groups, &added,
					  err);
		else
			id_map_add(&added, mapping.extent.inside, mapping.extent.outside,
				   mapping.extent.size);
		if (r < 0)
			return r;
		if (mapping.replaces && is_first)
			for (size_t b = 0; b < count; b++)
				id_map_add(&map, base[b].inside, base[b].inside, base[b].size);
		is_first = false;
		for (size_t a = 0; a < added.count; a++) {
			const struct id_extent *e = &added.extents[a];
			if (mapping.replaces) {
				id_map_remove_inside(&map, e->inside, e->size);
				id_map_remove_outside(&map, e->outside, e->size);
			}
			id_map_add(&map, e->inside, e->outside, e->size);
		}
	}
	if (!map.count)
		return err_set(err, EINVAL,
			       "the mappings leave no %s ID; give one for them too, without flag "
			       "%c",
			       groups ? "group" : "user", groups ? 'u' : 'g');
	*ret_map = map;
	map = (struct id_map){ 0 };
	return 0;
}

int userns_flags_maps(const struct strlist *uids, const struct strlist *gids,
		      const struct userns_flags_input *input, struct id_map *ret_uid,
		      struct id_map *ret_gid, struct err *err)
{
	autoidmap struct id_map uid = { 0 }, gid = { 0 };

	int r = make_map(uids, false, input->is_rootless, input->base, input->base_count, &uid,
			 err);
	if (r == 0)
		r = make_map(gids, true, input->is_rootless, input->other_base,
			     input->other_base_count, &gid, err);
	if (r < 0)
		return r;
	*ret_uid = uid;
	*ret_gid = gid;
	uid = gid = (struct id_map){ 0 };
	return 0;
}
