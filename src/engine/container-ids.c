#include "engine/container-ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container-layers.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/userns-auto.h"
#include "engine/userns-mode.h"
#include "store/database.h"

#define RANGES_USER "containers"

static const char *const files[] = { "/etc/subuid", "/etc/subgid" };

/* Ranges of subuid(5) as pieces of host IDs. */
static void take_outside(const struct id_extent *extents, size_t count, struct id_map *ret_map)
{
	for (size_t i = 0; i < count; i++)
		id_map_add(ret_map, extents[i].outside, extents[i].outside, extents[i].size);
}

static int available_to_root(struct id_map *ret_maps[2], struct err *err)
{
	for (int i = 0; i < 2; i++) {
		struct id_extent *extents = NULL;
		size_t count = 0;
		userns_ranges_of(files[i], RANGES_USER, &extents, &count);
		take_outside(extents, count, ret_maps[i]);
		free(extents);
		if (!count)
			return err_set(err, EPERM,
				       "--userns auto: %s grants no range to the user '" RANGES_USER
				       "'; add the line '" RANGES_USER ":2147483647:2147483648' "
				       "to it",
				       files[i]);
	}
	return 0;
}

int container_ids_available(struct engine *engine, struct id_map *ret_uid, struct id_map *ret_gid,
			    struct err *err)
{
	const struct userns_map *base;
	struct id_map *maps[2] = { ret_uid, ret_gid };

	if (!engine->is_rootless)
		return available_to_root(maps, err);
	int r = engine_map(engine, &base, err);
	if (r < 0)
		return r;
	if (base->is_single_id)
		return err_set(err, EPERM,
			       "--userns auto needs subordinate IDs, and this user has none; add "
			       "some with usermod --add-subuids and --add-subgids, see "
			       "davit-rootless(7)");
	/* All but the first, which is the user's own. */
	for (size_t i = 1; i < base->uid_count; i++)
		id_map_add(ret_uid, base->uid[i].inside, base->uid[i].inside, base->uid[i].size);
	for (size_t i = 1; i < base->gid_count; i++)
		id_map_add(ret_gid, base->gid[i].inside, base->gid[i].inside, base->gid[i].size);
	return 0;
}

static int named(struct engine *engine, const char *file, const char *name,
		 const struct id_extent *base, size_t base_count, struct strlist *maps,
		 struct err *err)
{
	autoidmap struct id_map host = { 0 }, own = { 0 };
	uint32_t missing;

	userns_ranges_of(file, name, &host.extents, &host.count);
	if (!host.count)
		return err_set(err, ENOENT,
			       "%s grants no range to '%s'; add one with usermod --add-sub%cids",
			       file, name, file[strlen("/etc/sub")]);
	if (id_map_compose_inverse(&host, base, base_count, &own, &missing) < 0)
		return err_set(err, EPERM,
			       "%s: ID %u of '%s' is not user %u's to map; only root may use the "
			       "ranges of others",
			       file, missing, name, engine->uid);
	id_map_format(&own, maps);
	return 0;
}

int container_ids_named(struct engine *engine, const char *uid_name, const char *gid_name,
			struct strlist *uid_maps, struct strlist *gid_maps, struct err *err)
{
	const struct userns_map *base;

	int r = engine_map(engine, &base, err);
	if (r == 0)
		r = named(engine, files[0], uid_name ?: gid_name, base->uid, base->uid_count,
			  uid_maps, err);
	if (r == 0)
		r = named(engine, files[1], gid_name ?: uid_name, base->gid, base->gid_count,
			  gid_maps, err);
	return r;
}

/* Root's --userns private is the same with all defaults. */
static int read_mode(const struct engine *engine, const struct container_spec *spec,
		     struct userns_mode *ret_mode, struct err *err)
{
	int r = userns_mode_parse(spec->userns_mode, ret_mode, err);

	if (r == 0 && ret_mode->kind == USERNS_PRIVATE && !engine->is_rootless)
		ret_mode->kind = USERNS_AUTO;
	return r;
}

/* A user's container that begins with the files of another one: they belong to the IDs of that. */
static bool keeps_ranges(const struct engine *engine, const struct container_spec *spec)
{
	return spec->base_layer && engine->is_rootless;
}

int container_ids_size(struct engine *engine, struct container_spec *spec, struct err *err)
{
	autouserns struct userns_mode mode = { 0 };
	autostrlist struct strlist dirs = STRLIST_EMPTY;

	if (keeps_ranges(engine, spec))
		return 0;
	int r = read_mode(engine, spec, &mode, err);
	if (r < 0 || mode.kind != USERNS_AUTO)
		return r;
	if (!mode.size) {
		r = container_layer_dirs(engine, spec, &dirs, err);
		if (r < 0)
			return r;
		mode.size = userns_auto_size(identity_highest_id(&dirs, spec->user));
	}
	spec->userns_size = mode.size;
	return 0;
}

/* What one other container has. Under keep-id and nomap it has all that its user has, as every
 * container of a user without --userns; these do not count, or there would never be any left. */
static int add_used(const char *text, struct id_map *uid, struct id_map *gid, struct err *err)
{
	autojson struct json_object *json = NULL;
	autocontainer_spec struct container_spec *spec = NULL;
	autoidmap struct id_map uids = { 0 }, gids = { 0 };

	int r = json_parse(text, strlen(text), &json, err);
	if (r == 0)
		r = container_spec_from_json(json, &spec, err);
	if (r < 0)
		return r;
	if (spec->userns_mode && !spec->userns_size)
		return 0;
	r = id_map_parse(&spec->uid_maps, &uids, err);
	if (r == 0)
		r = id_map_parse(&spec->gid_maps, &gids, err);
	if (r < 0)
		return r;
	take_outside(uids.extents, uids.count, uid);
	take_outside(gids.extents, gids.count, gid);
	return 0;
}

static int find_used(struct database *db, struct id_map *uid, struct id_map *gid, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(
		db, "SELECT spec FROM containers WHERE spec LIKE '%\"uid_maps\":%'", &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0)
		r = add_used(statement_text(query, 0), uid, gid, err);
	return r;
}

int container_ids_allocate(struct engine *engine, struct database *db, struct container_spec *spec,
			   struct err *err)
{
	autouserns struct userns_mode mode = { 0 };
	struct id_map available[2] = { { 0 } }, used[2] = { { 0 } };
	struct strlist *results[] = { &spec->uid_maps, &spec->gid_maps };

	if (!spec->userns_size || keeps_ranges(engine, spec))
		return 0;
	const struct strlist *forced[] = { &mode.uid_maps, &mode.gid_maps };
	int r = read_mode(engine, spec, &mode, err);
	if (r == 0)
		r = container_ids_available(engine, &available[0], &available[1], err);
	if (r == 0)
		r = find_used(db, &used[0], &used[1], err);
	for (int i = 0; r == 0 && i < 2; i++) {
		autoidmap struct id_map own = { 0 }, map = { 0 };
		struct userns_auto input = {
			.available = &available[i],
			.used = &used[i],
			.forced = &own,
			.size = (uint32_t)spec->userns_size,
		};
		r = id_map_parse(forced[i], &own, err);
		if (r == 0)
			r = userns_auto_map(&input, files[i], &map, err);
		if (r == 0)
			r = id_map_check(&map, "--userns auto", err);
		if (r < 0)
			break;
		strlist_clear(results[i]);
		id_map_format(&map, results[i]);
	}
	for (int i = 0; i < 2; i++) {
		id_map_clear(&available[i]);
		id_map_clear(&used[i]);
	}
	return r;
}
