/* What `inspect`, `container inspect`, `image inspect` and `volume inspect` share. */
#pragma once

struct cli;
struct engine;
struct err;
struct json_object;

#include <stdbool.h>

struct inspect_request {
	const char *format;
	const char *type; /* "container", "image", "volume" or "all" */
	bool latest;	  /* the container that was made last, instead of names */
	bool size;	  /* of containers: how much room they take */
	bool security;	  /* of containers: what they can do, instead of everything else */
};

/* One object by name or ID, as podman's document; owned by the caller. -ENOENT if there is none. For a container
 * `name` may be NULL: the one that was made last. */
int inspect_container(struct engine *engine, const struct inspect_request *request,
		      const char *name, struct json_object **ret_json, struct err *err);
int inspect_volume(struct engine *engine, const char *name, struct json_object **ret_json,
		   struct err *err);

/* Print them all. Returns the exit status or an error. */
int inspect_objects(struct cli *cli, const struct inspect_request *request, int argc, char **argv,
		    struct err *err);
