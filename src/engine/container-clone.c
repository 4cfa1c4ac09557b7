#include "engine/container-clone.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/container-snapshot.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"

int container_clone_spec(struct engine *engine, const struct container_base *base,
			 struct container_spec **ret_spec, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;

	int r = container_spec_of(base->container, &spec, err);
	if (r < 0)
		return r;
	char **once[] = { &spec->cid_file,   &spec->pid_file,	   &spec->monitor_pid_file,
			  &spec->log_path,   &spec->static_ip,	   &spec->static_mac,
			  &spec->base_layer, &spec->base_container };
	for (size_t i = 0; i < ARRAY_SIZE(once); i++)
		free(take_ptr(once[i]));
	spec->base_layer = xstrdup(base->layer_id);
	spec->base_container = xstrdup(base->container->id);
	/* Root's clone of --userns auto gets a range of its own; a user's keeps that of the files. */
	if (!engine->is_rootless && spec->userns_size) {
		strlist_clear(&spec->uid_maps);
		strlist_clear(&spec->gid_maps);
	}
	*ret_spec = take_ptr(&spec);
	return 0;
}
