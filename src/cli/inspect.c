#include "cli/inspect.h"

#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/container-inspect.h"
#include "engine/container.h"
#include "engine/volume.h"

int inspect_container(struct engine *engine, const char *name, struct json_object **ret_json,
		      struct err *err)
{
	autocontainer struct container *container = NULL;

	int r = container_find(engine, name, CONTAINER_WITH_SPEC, &container, err);
	return r < 0 ? r : container_inspect(engine, container, ret_json, err);
}

static void add_pairs(struct json_object *object, const char *key, const struct strlist *pairs)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < pairs->count; i++) {
		autofree char *name = xstrdup(pairs->items[i]);
		*strchrnul(name, '=') = '\0';
		json_add_string(map, name, strlist_env_get(pairs, name));
	}
	json_object_object_add(object, key, map);
}

int inspect_volume(struct engine *engine, const char *name, struct json_object **ret_json,
		   struct err *err)
{
	autovolume struct volume *volume = NULL;

	int r = volume_find(engine, name, &volume, err);
	if (r < 0)
		return r;
	struct json_object *json = json_object_new_object();
	autofree char *created = timestamp_format(volume->created_nsec / 1000);
	json_add_string(json, "Name", volume->name);
	json_add_string(json, "Driver", volume->driver);
	json_add_string(json, "Mountpoint", volume->mountpoint);
	json_add_string(json, "CreatedAt", created);
	add_pairs(json, "Labels", &volume->labels);
	json_add_string(json, "Scope", "local");
	add_pairs(json, "Options", &volume->options);
	json_add_int(json, "MountCount", 0);
	json_add_bool(json, "NeedsCopyUp", volume->needs_copy_up);
	json_add_bool(json, "NeedsChown", volume->needs_copy_up);
	json_add_bool(json, "Anonymous", volume->is_anonymous);
	*ret_json = json;
	return 0;
}
