#include "cli/volume-row.h"

#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/volume.h"

/* {"KEY": "VALUE"} from KEY=VALUE. */
static struct json_object *pairs(const struct strlist *list)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i], *value = strchrnul(text, '=');
		autofree char *key = xstrndup(text, (size_t)(value - text));

		json_add_string(object, key, *value ? value + 1 : "");
	}
	return object;
}

struct json_object *volume_row(const struct volume *volume)
{
	struct json_object *row = json_object_new_object();
	autofree char *created = timestamp_format(volume->created_nsec / 1000);

	json_add_string(row, "Name", volume->name);
	json_add_string(row, "Driver", volume->driver);
	json_add_string(row, "Mountpoint", volume->mountpoint);
	json_add_string(row, "CreatedAt", created);
	json_object_object_add(row, "Labels", pairs(&volume->labels));
	json_add_string(row, "Scope", "local");
	json_object_object_add(row, "Options", pairs(&volume->options));
	json_add_bool(row, "Anonymous", volume->is_anonymous);
	json_add_int(row, "MountCount", volume->use_count);
	json_add_bool(row, "NeedsCopyUp", volume->needs_copy_up);
	json_add_bool(row, "NeedsChown", volume->needs_copy_up);
	return row;
}
