#include "cli/volume-row.h"

#include "base/duration.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/volume.h"

struct json_object *volume_row(const struct volume *volume)
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
	return row;
}
