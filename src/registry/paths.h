/* Where the files of the container tools about registries lie. Computed once, at start, from the
 * environment; everything else in this room is told. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct registry_paths {
	char *registries_conf;	       /* the one main file that is read; it may be missing */
	bool registries_conf_required; /* the environment named it, so it may not be missing */
	struct strlist registries_conf_dirs; /* drop-ins, in order */
	char *alias_cache;	       /* short names that the user has chosen a registry for */
	char *auth_file;	       /* read and written */
	struct strlist auth_fallbacks; /* only read, in order */
	struct strlist policies;       /* policy.json: the first that exists */
	struct strlist certs_dirs;     /* parents of HOST[:PORT] directories, all are used */
};

/* @get_environment:  getenv(), or a stand-in for tests
 * @uid:              0 takes the system's places, others their own */
void registry_paths_init(struct registry_paths *paths, char *(*get_environment)(const char *name),
			 unsigned uid);
void registry_paths_clear(struct registry_paths *paths);
