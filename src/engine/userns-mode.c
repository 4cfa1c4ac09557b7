#include "engine/userns-mode.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/number.h"
#include "engine/userns-flags.h"

void userns_mode_clear(struct userns_mode *mode)
{
	strlist_clear(&mode->uid_maps);
	strlist_clear(&mode->gid_maps);
	free(mode->target);
	*mode = (struct userns_mode){ 0 };
}

static int parse_id(const char *mode, const char *key, const char *value, int64_t min, int64_t *ret,
		    struct err *err)
{
	if (number_parse(value, min, UINT32_MAX - 1, ret) < 0)
		return err_set(err, EINVAL,
			       "--userns %s: '%s' is no %s; give a whole number from %lld on", mode,
			       value, strcmp(key, "size") == 0 ? "size" : "ID", (long long)min);
	return 0;
}

static int parse_option(struct userns_mode *mode, const char *name, const char *key,
			const char *value, struct err *err)
{
	bool keep_id = mode->kind == USERNS_KEEP_ID;
	int64_t size = 0;

	if (keep_id && strcmp(key, "uid") == 0)
		return parse_id(name, key, value, 0, &mode->uid, err);
	if (keep_id && strcmp(key, "gid") == 0)
		return parse_id(name, key, value, 0, &mode->gid, err);
	if (strcmp(key, "size") == 0) {
		int r = parse_id(name, key, value, 1, &size, err);
		mode->size = (uint32_t)size;
		return r;
	}
	if (!keep_id && (strcmp(key, "uidmapping") == 0 || strcmp(key, "gidmapping") == 0)) {
		struct id_extent ignored;
		int r = id_map_parse_line(value, &ignored, err);
		if (r < 0)
			return err_wrap(err, "--userns auto, %s", key);
		strlist_add(key[0] == 'u' ? &mode->uid_maps : &mode->gid_maps, value);
		return 0;
	}
	return err_set(err, EINVAL, "--userns %s: unknown option '%s'; known are %s", name, key,
		       keep_id ? "uid, gid and size" : "size, uidmapping and gidmapping");
}

static int parse_options(struct userns_mode *mode, const char *name, const char *text,
			 struct err *err)
{
	autostrlist struct strlist options = STRLIST_EMPTY;

	strlist_split(&options, text, ',');
	for (size_t i = 0; i < options.count; i++) {
		char *equals = strchr(options.items[i], '=');
		if (!equals)
			return err_set(err, EINVAL,
				       "--userns %s: option '%s' has no value; write it as "
				       "NAME=VALUE",
				       name, options.items[i]);
		*equals = '\0';
		int r = parse_option(mode, name, options.items[i], equals + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int userns_mode_parse(const char *text, struct userns_mode *ret_mode, struct err *err)
{
	static const struct {
		const char *name;
		enum userns_kind kind;
		enum { NOTHING, OPTIONS, TARGET } behind;
	} rows[] = {
		{ "", USERNS_HOST, NOTHING },
		{ "host", USERNS_HOST, NOTHING },
		{ "private", USERNS_PRIVATE, NOTHING },
		{ "keep-id", USERNS_KEEP_ID, OPTIONS },
		{ "nomap", USERNS_NOMAP, NOTHING },
		{ "auto", USERNS_AUTO, OPTIONS },
		{ "container", USERNS_CONTAINER, TARGET },
		{ "ns", USERNS_PATH, TARGET },
	};
	autouserns struct userns_mode mode = { .uid = -1, .gid = -1 };
	const char *colon = strchr(text ?: "", ':');
	autofree char *name = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text ?: "");
	size_t row = 0;

	while (row < ARRAY_SIZE(rows) && strcmp(rows[row].name, name) != 0)
		row++;
	if (row == ARRAY_SIZE(rows))
		return err_set(err, EINVAL,
			       "unknown user namespace '%s'; --userns is host, private, keep-id, "
			       "nomap, auto, container:NAME or ns:PATH",
			       text);
	mode.kind = rows[row].kind;
	if (rows[row].behind == NOTHING && colon)
		return err_set(err, EINVAL, "--userns %s takes nothing behind it", name);
	if (rows[row].behind == TARGET) {
		if (!colon || !colon[1])
			return err_set(err, EINVAL, "--userns %s: %s is missing; write it as %s",
				       name, row == ARRAY_SIZE(rows) - 1 ? "the path" : "the name",
				       row == ARRAY_SIZE(rows) - 1 ? "ns:PATH" : "container:NAME");
		mode.target = xstrdup(colon + 1);
	}
	if (rows[row].behind == OPTIONS && colon) {
		int r = parse_options(&mode, name, colon + 1, err);
		if (r < 0)
			return r;
	}
	*ret_mode = mode;
	mode = (struct userns_mode){ 0 };
	return 0;
}

/* How many IDs the caller's mapping has besides his own, which come behind it without gaps. */
static uint32_t subordinate_count(const struct id_extent *extents, size_t count)
{
	return count > 1 ? extents[count - 1].inside + extents[count - 1].size - 1 : 0;
}

/* The caller at `id`, everybody else from 0 on. */
static int keep_id_map(uint32_t id, uint32_t size, uint32_t available, struct id_map *map,
		       struct err *err)
{
	/* Subordinate IDs that are wanted: all, or what fits beside the caller. */
	uint32_t below = id < available ? id : available, above = available - below;

	if (size && id >= size)
		return err_set(err, ERANGE,
			       "--userns keep-id: ID %u does not fit into a size of %u; give a "
			       "size of at least %llu",
			       id, size, id + 1ULL);
	if (size && size - 1 > available)
		return err_set(err, ERANGE,
			       "--userns keep-id: a size of %u needs %u subordinate IDs, and this "
			       "user has %u; add some with usermod --add-subuids and "
			       "--add-subgids",
			       size, size - 1, available);
	if (size)
		above = size - 1 - id;
	id_map_add(map, 0, 1, below);
	id_map_add(map, id, 0, 1);
	id_map_add(map, id + 1, below + 1, above);
	return 0;
}

static int explicit_maps(const struct userns_mode *mode, const struct userns_caller *caller,
			 struct id_map *uid, struct id_map *gid, struct err *err)
{
	const struct userns_map *base = caller->base;

	/* One of the two alone is meant for both. */
	const struct strlist *uids = mode->uid_maps.count ? &mode->uid_maps : &mode->gid_maps;
	const struct strlist *gids = mode->gid_maps.count ? &mode->gid_maps : &mode->uid_maps;
	struct userns_flags_input input = {
		.is_rootless = caller->is_rootless,
		.base = base->uid,
		.base_count = base->uid_count,
		.other_base = base->gid,
		.other_base_count = base->gid_count,
	};
	int r = userns_flags_maps(uids, gids, &input, uid, gid, err);
	if (r == 0)
		r = id_map_check(uid, "--uidmap", err);
	if (r == 0)
		r = id_map_check(gid, "--gidmap", err);
	return r;
}

static int check_in_base(const struct id_map *map, const struct id_extent *base, size_t count,
			 const char *what, const char *file, struct err *err)
{
	autoidmap struct id_map composed = { 0 };
	uint32_t missing;

	if (id_map_compose(map, base, count, &composed, &missing) == 0)
		return 0;
	uint32_t available = subordinate_count(base, count);
	return err_set(err, ERANGE,
		       "map %s: intermediate ID %u is beyond the %u that %s grants this user; add "
		       "some with usermod --add-sub%cids, or map fewer",
		       what, missing, available, file, what[0]);
}

int userns_mode_maps(const struct userns_mode *mode, const struct userns_caller *caller,
		     struct id_map *ret_uid, struct id_map *ret_gid, struct err *err)
{
	static const char *const names[] = {
		[USERNS_KEEP_ID] = "keep-id", [USERNS_NOMAP] = "nomap"
	};
	autoidmap struct id_map uid = { 0 }, gid = { 0 };
	const struct userns_map *base = caller->base;
	uint32_t uids = subordinate_count(base->uid, base->uid_count);
	uint32_t gids = subordinate_count(base->gid, base->gid_count);
	int r = 0;

	if (!caller->is_rootless && (mode->kind == USERNS_KEEP_ID || mode->kind == USERNS_NOMAP))
		return err_set(err, EPERM,
			       "--userns %s is for ordinary users; root has --userns auto and "
			       "--uidmap",
			       names[mode->kind]);
	switch (mode->kind) {
	case USERNS_KEEP_ID:
		r = keep_id_map(mode->uid >= 0 ? (uint32_t)mode->uid : caller->uid, mode->size,
				uids, &uid, err);
		if (r == 0)
			r = keep_id_map(mode->gid >= 0 ? (uint32_t)mode->gid : caller->gid,
					mode->size, gids, &gid, err);
		break;
	case USERNS_NOMAP:
		if (!uids || !gids)
			return err_set(err, EPERM,
				       "--userns nomap needs subordinate IDs, and this user has "
				       "none; add some with usermod --add-subuids and "
				       "--add-subgids, see davit-rootless(7)");
		id_map_add(&uid, 0, 1, uids);
		id_map_add(&gid, 0, 1, gids);
		break;
	case USERNS_MAPS:
		r = explicit_maps(mode, caller, &uid, &gid, err);
		break;
	default:
		break;
	}
	if (r == 0)
		r = check_in_base(&uid, base->uid, base->uid_count, "uid", "/etc/subuid", err);
	if (r == 0)
		r = check_in_base(&gid, base->gid, base->gid_count, "gid", "/etc/subgid", err);
	if (r < 0)
		return r;
	*ret_uid = uid;
	*ret_gid = gid;
	uid = gid = (struct id_map){ 0 };
	return 0;
}
