/* The control group of a container: making it with the container, and finding it again. */
#pragma once

#include <stdbool.h>

struct cgroup;
struct container;
struct container_spec;
struct engine;
struct err;
struct oci_runtime_config;

/* The path to make it by, see cgroup_path(); NULL if the container has none. Owned by the caller. */
char *container_cgroup_path(const struct container_spec *spec, const char *id);

/* The group of a container that is being started. */
struct container_cgroup {
	struct cgroup *group; /* NULL: none, or not yet */
	int monitors_fd;      /* the group that the launcher is to be born in, -1: the caller's */
	/* A scope is to be made around the launcher. */
	char *socket, *unit, *slice, *description;
	bool is_optional; /* without it, do what can be done without */
};

#define CONTAINER_CGROUP_EMPTY ((struct container_cgroup){ .monitors_fd = -1 })

void container_cgroup_clear(struct container_cgroup *cgroup); /* forgets; the group stays */

/* In the command: make the group, or decide that it takes a scope, which needs the launcher. A limit
 * that cannot be set is an error; defaults are warned about once. */
int container_cgroup_prepare(struct container_cgroup *cgroup, struct engine *engine,
			     const struct container_spec *spec, const char *id,
			     const struct oci_runtime_config *config, const char *run_dir,
			     struct err *err);

/* In the launcher: make the scope, if one was decided on, and the group in it. */
int container_cgroup_enter(struct container_cgroup *cgroup, struct engine *engine,
			   const struct oci_runtime_config *config, const char *run_dir,
			   struct err *err);

/* Where the systemd listens that makes this caller's scopes; NULL without one. Owned by the caller. */
char *container_cgroup_manager(const struct engine *engine);

/* Find it again. -ENOENT if it has none, by its spec or because this host gave it none. */
int container_cgroup_open(struct engine *engine, const struct container *container,
			  const struct container_spec *spec, struct cgroup **ret_cgroup,
			  struct err *err);
