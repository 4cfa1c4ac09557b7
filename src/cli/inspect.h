/* What `inspect`, `container inspect`, `image inspect` and `volume inspect` share. */
#pragma once

struct cli;
struct engine;
struct err;
struct json_object;

/* One object by name or ID, as podman's document; owned by the caller. -ENOENT if there is none. */
int inspect_container(struct engine *engine, const char *name, struct json_object **ret_json,
		      struct err *err);
int inspect_volume(struct engine *engine, const char *name, struct json_object **ret_json,
		   struct err *err);

/* Print them all; `type` is "container", "image", "volume" or "all". Returns the exit status or an
 * error. */
int inspect_objects(struct cli *cli, const char *format, const char *type, int argc, char **argv,
		    struct err *err);
