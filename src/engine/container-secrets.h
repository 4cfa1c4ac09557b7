/* The secrets of containers.
 *
 * When a container is made its secrets' values are kept for it, in its directory: so it has the same ones at each start,
 * whatever becomes of the secrets. At a start what is to be seen as files is written into the run directory, which is on
 * memory and closed to others, and mounted from there read-only. Variables go to the process and nowhere else: not into
 * the record, and so not into inspect. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct container_map;
struct container_spec;
struct engine;
struct err;
struct json_object;
struct oci_runtime_config;

/* Put --secret into a spec, with what the secret is called now and always. -ENOENT if there is none of the name. */
int container_secrets_add(struct engine *engine, const struct strlist *words,
			  struct container_spec *spec, struct err *err);

/* For the container whose directory this is: keep the values that are not kept yet, as the secrets are now. */
int container_secrets_keep(struct engine *engine, const struct container_spec *spec,
			   const char *directory, struct err *err);

/* Is any of them gone? */
bool container_secrets_are_missing(const struct container_spec *spec, const char *directory);

/* For a start: write the files. */
int container_secrets_write(struct engine *engine, const struct container_spec *spec,
			    const struct container_map *map, const char *directory,
			    const char *run_dir, struct err *err);
/* Mount them. */
int container_secrets_plan(const struct container_spec *spec, const char *run_dir,
			   struct oci_runtime_config *config, struct err *err);

/* Append the variables, KEY=VALUE. */
int container_secrets_environment(const struct container_spec *spec, const char *directory,
				  struct strlist *env, struct err *err);
/* The lists that hold them are wiped before their memory is given back. */
void container_secrets_wipe(struct strlist *env);

/* For inspect: Config.Secrets; and the variables' names in an environment, with stars for values. */
struct json_object *container_secrets_json(const struct container_spec *spec);
void container_secrets_hide(const struct container_spec *spec, struct strlist *env);
