#include "cli/inspect.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/container-operands.h"
#include "cli/volume-row.h"
#include "engine/container-inspect.h"
#include "engine/container.h"
#include "engine/security.h"
#include "engine/volume.h"

int inspect_container(struct engine *engine, const struct inspect_request *request,
		      const char *name, struct json_object **ret_json, struct err *err)
{
	autocontainer struct container *container = NULL;
	autojson struct json_object *json = NULL;

	int r = find_container_or_latest(engine, name, CONTAINER_WITH_SPEC, &container, err);
	if (r == 0 && request->security)
		r = container_security(engine, container, &json, err);
	else if (r == 0)
		r = container_inspect(engine, container, &json, err);
	if (r == 0 && request->size)
		r = container_inspect_size(engine, container, json, err);
	if (r == 0)
		*ret_json = take_ptr(&json);
	return r;
}

int inspect_volume(struct engine *engine, const char *name, struct json_object **ret_json,
		   struct err *err)
{
	autovolume struct volume *volume = NULL;

	int r = volume_find(engine, name, &volume, err);
	if (r == 0)
		*ret_json = volume_row(volume, false);
	return r;
}
