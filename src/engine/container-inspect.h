/* What `davit inspect` tells about a container: podman's document, so that templates written for it
 * work. */
#pragma once

struct container;
struct engine;
struct err;
struct json_object;

/* Owned by the caller. The container was found with CONTAINER_WITH_SPEC. */
int container_inspect(struct engine *engine, const struct container *container,
		      struct json_object **ret_json, struct err *err);

/* Add how much room it takes, which costs a walk over its files. */
int container_inspect_size(struct engine *engine, struct container *container,
			   struct json_object *json, struct err *err);
