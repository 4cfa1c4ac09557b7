/* The control group of a container: where it is, and what is done with it while it runs. */
#pragma once

struct cgroup;
struct container;
struct container_spec;
struct engine;
struct err;

/* The path to make it by, see cgroup_path(); NULL if the container has none. Owned by the caller. */
char *container_cgroup_path(const struct container_spec *spec, const char *id);

/* Find it again. -ENOENT if it has none, by its spec or because this host gave it none. */
int container_cgroup_open(struct engine *engine, const struct container *container,
			  const struct container_spec *spec, struct cgroup **ret_cgroup,
			  struct err *err);
