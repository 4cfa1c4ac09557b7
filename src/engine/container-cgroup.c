#include "engine/container-cgroup.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/run-directory.h"
#include "kernel/cgroup.h"

char *container_cgroup_path(const struct container_spec *spec, const char *id)
{
	if (spec->cgroups && strcmp(spec->cgroups, "disabled") == 0)
		return NULL;
	return cgroup_path(spec->cgroup_parent, id);
}

int container_cgroup_open(struct engine *engine, const struct container *container,
			  const struct container_spec *spec, struct cgroup **ret_cgroup,
			  struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autofree char *location = run_directory_read_cgroup(run_dir);
	autofree char *path = container_cgroup_path(spec, container->id);

	if (!path)
		return err_set(err, ENOENT, "container '%s' has no control group", container->name);
	return cgroup_open(location ? location : path, ret_cgroup, err);
}
