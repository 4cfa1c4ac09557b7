#include "cli/inspect.h"

#include "cli/volume-row.h"
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

int inspect_volume(struct engine *engine, const char *name, struct json_object **ret_json,
		   struct err *err)
{
	autovolume struct volume *volume = NULL;

	int r = volume_find(engine, name, &volume, err);
	if (r == 0)
		*ret_json = volume_row(volume);
	return r;
}
