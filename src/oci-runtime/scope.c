/* A scope is made around a process, and that is us: so the container's first process can be born in the group below it,
 * also where moving there from outside is not allowed. We stay in a group "monitor" beside it until we end. When the
 * container has ended, too, the scope is empty and goes away by itself. */
#include "oci-runtime/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "kernel/systemd.h"
#include "oci/runtime-config.h"

int scope_names(const char *cgroups_path, const char *id, char **ret_slice, char **ret_unit,
		struct err *err)
{
	const char *path = cgroups_path ? cgroups_path : "", *prefix, *name;

	if (!*path) {
		*ret_slice = NULL;
		*ret_unit = xasprintf("davit-runtime-%s.scope", id);
		return 0;
	}
	prefix = strchr(path, ':');
	name = prefix ? strchr(prefix + 1, ':') : NULL;
	if (!name || !name[1] || strchr(name + 1, ':') || strchr(path, '/'))
		return err_set(err, EINVAL,
			       "config.json: linux.cgroupsPath: '%s' is not SLICE:PREFIX:NAME, as "
			       "it has to be with --systemd-cgroup",
			       path);
	size_t slice_size = (size_t)(prefix - path), tail = strlen(".slice");
	if (slice_size && (slice_size <= tail || strncmp(prefix - tail, ".slice", tail) != 0))
		return err_set(err, EINVAL,
			       "config.json: linux.cgroupsPath: '%.*s' is not the name of a slice, "
			       "such as 'machine.slice'",
			       (int)slice_size, path);
	*ret_slice = slice_size ? xstrndup(path, slice_size) : NULL;
	*ret_unit = name == prefix + 1 ? xasprintf("%s.scope", name + 1)
				       : xasprintf("%.*s-%s.scope", (int)(name - prefix - 1),
						   prefix + 1, name + 1);
	return 0;
}

/* In a user namespace of an engine's we are its root, and the manager is the user's. */
static char *manager_socket(void)
{
	const char *session = getenv("XDG_RUNTIME_DIR");
	char *host = geteuid() == 0 ? systemd_private_socket(0, NULL) : NULL;

	if (host && access(host, W_OK) == 0)
		return host;
	free(host);
	/* Any number but root's has its session's. */
	return systemd_private_socket(geteuid() ? geteuid() : (uid_t)-1, session);
}

int scope_make_cgroup(const struct oci_runtime_config *config, struct cgroup **ret_cgroup,
		      struct err *err)
{
	autofree char *slice = NULL, *unit = NULL, *left_out = NULL;
	bool is_there;

	if (!cgroup_is_v2())
		return err_set(
			err, ENOTSUP,
			"--systemd-cgroup: needs a host with cgroup v2 alone; leave the option "
			"out");
	int r = scope_names(config->cgroups_path, config->id, &slice, &unit, err);
	if (r < 0)
		return r;
	autofree char *socket = manager_socket();
	if (!socket)
		return err_set(err, ENOENT,
			       "--systemd-cgroup: systemd is not running here, or XDG_RUNTIME_DIR "
			       "does not tell where; leave the option out");
	autofree char *description = xasprintf("container %s", config->id);
	struct systemd_scope scope = {
		.unit = unit,
		.slice = slice,
		.description = description,
		.pid = getpid(),
	};
	r = cgroup_create_in_scope(socket, &scope, &config->resources, &is_there, ret_cgroup,
				   &left_out, err);
	return r < 0 ? err_wrap(err, "--systemd-cgroup") : 0;
}
