#include "cli/volume-row.h"

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"
#include "engine/volume.h"

/* Whom it was made for, in options or in those of its mount: "uid=5", "o=size=1m,uid=5". */
static int64_t id_option(const struct volume *volume, const char *name)
{
	const char *value = strlist_env_get(&volume->options, name),
		   *mount = strlist_env_get(&volume->options, "o");
	autostrlist struct strlist words = STRLIST_EMPTY;
	int64_t id = 0;

	if (!value && mount) {
		strlist_split(&words, mount, ',');
		value = strlist_env_get(&words, name);
	}
	if (value)
		(void)number_parse(value, 0, UINT32_MAX, &id);
	return id;
}

struct json_object *volume_row(const struct volume *volume, bool for_template)
{
	struct json_object *row = json_object_new_object();
	autofree char *created = timestamp_format(volume->created_nsec / 1000);

	json_add_string(row, "Name", volume->name);
	json_add_string(row, "Driver", volume->driver);
	json_add_string(row, "Mountpoint", volume->mountpoint);
	json_add_string(row, "CreatedAt", created);
	json_object_object_add(row, "Labels", json_from_pairs(&volume->labels));
	json_add_string(row, "Scope", "local");
	json_object_object_add(row, "Options", json_from_pairs(&volume->options));
	json_add_bool(row, "Anonymous", volume->is_anonymous);
	json_add_int(row, "MountCount", volume->use_count);
	json_add_bool(row, "NeedsCopyUp", volume->needs_copy_up);
	json_add_bool(row, "NeedsChown", volume->needs_copy_up);
	/* podman's documents leave out root, its templates know it. */
	int64_t uid = id_option(volume, "uid"), gid = id_option(volume, "gid");
	if (uid || for_template)
		json_add_int(row, "UID", uid);
	if (gid || for_template)
		json_add_int(row, "GID", gid);
	return row;
}
