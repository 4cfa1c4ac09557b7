/* Who makes the group. Two managers:
 *
 * - cgroupfs: davit makes the directory. That takes a fraction of a millisecond, and is possible where
 *   the caller may write: everywhere for root, below the nearest delegated group for others.
 * - systemd: a scope for each container, by a call that takes several milliseconds. From a login
 *   session it is an ordinary user's only way to have limits, and on any host it puts containers
 *   where systemd accounts, limits and orders them.
 *
 * Unless an option or containers.conf says otherwise, root's containers are made by the first, and
 * those of others by the second where the first gives them no limits. */
#include "engine/container-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/run-directory.h"
#include "kernel/cgroup.h"
#include "kernel/systemd.h"
#include "oci/runtime-config.h"

enum manager { MANAGER_ANY, MANAGER_CGROUPFS, MANAGER_SYSTEMD };

static bool mode_is(const struct container_spec *spec, const char *mode)
{
	return spec->cgroups && strcmp(spec->cgroups, mode) == 0;
}

char *container_cgroup_path(const struct container_spec *spec, const char *id)
{
	return mode_is(spec, "disabled") ? NULL : cgroup_path(spec->cgroup_parent, id);
}

void container_cgroup_clear(struct container_cgroup *cgroup)
{
	cgroup_free(cgroup->group);
	fd_close(&cgroup->monitors_fd);
	free(cgroup->socket);
	free(cgroup->unit);
	free(cgroup->slice);
	free(cgroup->description);
	*cgroup = CONTAINER_CGROUP_EMPTY;
}

/* ---- which manager ---- */

static bool is_slice(const char *parent)
{
	const char *dot = parent ? strrchr(parent, '.') : NULL;

	return dot && strcmp(dot, ".slice") == 0 && !strchr(parent, '/');
}

char *container_cgroup_manager(const struct engine *engine)
{
	autofree char *of_login = xasprintf("/run/user/%u", (unsigned)engine->uid);

	return cgroup_is_v2()
		       ? systemd_private_socket(
				 engine->uid, engine_getenv(engine, "XDG_RUNTIME_DIR") ?: of_login)
		       : NULL;
}

static int choose(const struct engine *engine, const struct container_spec *spec,
		  enum manager *ret_manager, struct err *err)
{
	const char *name = engine->settings.cgroup_manager;
	bool is_systemd = name && strcmp(name, "systemd") == 0;

	*ret_manager = !name ? MANAGER_ANY : is_systemd ? MANAGER_SYSTEMD : MANAGER_CGROUPFS;
	if (is_slice(spec->cgroup_parent)) {
		if (name && !is_systemd)
			return err_set(err, EINVAL,
				       "cgroup parent '%s' is a slice of systemd; use "
				       "--cgroup-manager=systemd with it",
				       spec->cgroup_parent);
		*ret_manager = MANAGER_SYSTEMD;
	} else if (*ret_manager == MANAGER_SYSTEMD && spec->cgroup_parent && *spec->cgroup_parent) {
		return err_set(err, EINVAL,
			       "cgroup parent '%s' is no slice of systemd, such as machine.slice; "
			       "use --cgroup-manager=cgroupfs with it",
			       spec->cgroup_parent);
	}
	if (*ret_manager != MANAGER_SYSTEMD)
		return 0;
	autofree char *socket = container_cgroup_manager(engine);
	if (socket)
		return 0;
	/* containers.conf belongs to several programs, and may be for another host. */
	if (!engine->cgroup_manager_was_chosen && !is_slice(spec->cgroup_parent)) {
		*ret_manager = MANAGER_ANY;
		return 0;
	}
	return err_set(err, EOPNOTSUPP,
		       "systemd cannot make control groups here: %s; use "
		       "--cgroup-manager=cgroupfs",
		       !cgroup_is_v2() ? "this host has cgroup v1"
				       : "no manager of this user is running");
}

/* ---- making it ---- */

/* Limits that are only defaults and that this host does not let us set: say so, once until the next
 * boot. */
static void warn_left_out(const struct engine *engine, const char *left_out)
{
	autofree char *path = path_join(engine->runroot, "warned-limits");

	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		log_warn("containers run without the default limits for %s: this host gives this "
			 "user no cgroup with %s",
			 left_out, strchr(left_out, ',') ? "them" : "it");
}

/* Where it is follows from the container, unless it may be in several places. */
static int note_place(const struct container_cgroup *cgroup, const struct engine *engine,
		      bool is_elsewhere, const char *run_dir, struct err *err)
{
	if (!cgroup->group || (!engine->is_rootless && !is_elsewhere))
		return 0;
	return run_directory_write_cgroup(run_dir, cgroup_location(cgroup->group), err);
}

static void plan_scope(struct container_cgroup *cgroup, const struct engine *engine,
		       const struct container_spec *spec, const char *id)
{
	cgroup->socket = container_cgroup_manager(engine);
	cgroup->unit = xasprintf("davit-%s.scope", id);
	cgroup->slice = xstrdup(is_slice(spec->cgroup_parent) ? spec->cgroup_parent
				: engine->is_rootless	      ? "user.slice"
							      : "machine.slice");
	cgroup->description = xasprintf("davit container %.12s", id);
}

/* An ordinary user's own place does not give all limits: a scope may. */
static bool scope_is_better(const struct container_cgroup *cgroup, const struct engine *engine,
			    int result, const char *left_out)
{
	if (!engine->is_rootless || (result == 0 && cgroup->group && !left_out))
		return false;
	autofree char *socket = container_cgroup_manager(engine);
	return socket != NULL;
}

static void undo(struct container_cgroup *cgroup)
{
	struct err ignored; /* nobody has been in there */

	if (cgroup->group)
		(void)cgroup_remove(cgroup->group, &ignored);
	cgroup_free(cgroup->group);
	cgroup->group = NULL;
}

int container_cgroup_prepare(struct container_cgroup *cgroup, struct engine *engine,
			     const struct container_spec *spec, const char *id,
			     const struct oci_runtime_config *config, const char *run_dir,
			     struct err *err)
{
	autofree char *left_out = NULL;
	enum manager manager;
	bool is_split = mode_is(spec, "split");

	if (!config->cgroups_path)
		return 0;
	int r = choose(engine, spec, &manager, err);
	if (r < 0)
		return r;
	if (is_split) {
		autofree char *name = xasprintf("davit-%s", id);
		r = cgroup_create_split(name, &config->resources, &cgroup->group, &left_out, err);
	} else if (manager == MANAGER_SYSTEMD && mode_is(spec, "no-conmon")) {
		return err_set(err, EINVAL,
			       "--cgroups=no-conmon leaves the monitor where it is, and a scope of "
			       "systemd is made around it; use --cgroup-manager=cgroupfs with it");
	} else if (manager == MANAGER_SYSTEMD) {
		plan_scope(cgroup, engine, spec, id);
		return 0;
	} else {
		r = cgroup_create(config->cgroups_path, &config->resources, &cgroup->group,
				  &left_out, err);
		if (manager == MANAGER_ANY && !mode_is(spec, "no-conmon") &&
		    scope_is_better(cgroup, engine, r, left_out)) {
			undo(cgroup);
			plan_scope(cgroup, engine, spec, id);
			cgroup->is_optional = true;
			return 0;
		}
	}
	if (r < 0)
		return r;
	if (left_out)
		warn_left_out(engine, left_out);
	if (cgroup->group && !is_split && !mode_is(spec, "no-conmon"))
		cgroup->monitors_fd = cgroup_open_monitors(cgroup->group);
	return note_place(cgroup, engine, is_split, run_dir, err);
}

int container_cgroup_enter(struct container_cgroup *cgroup, struct engine *engine,
			   const struct oci_runtime_config *config, const char *run_dir,
			   struct err *err)
{
	autofree char *left_out = NULL;

	if (!cgroup->socket)
		return 0;
	struct systemd_scope scope = {
		.unit = cgroup->unit,
		.slice = cgroup->slice,
		.description = cgroup->description,
		.pid = getpid(),
	};
	bool is_there;
	int r = cgroup_create_in_scope(cgroup->socket, &scope, &config->resources, &is_there,
				       &cgroup->group, &left_out, err);
	if (r == -EEXIST && !is_there) {
		/* The monitor of the last run is still there; its cleaning may wait for us. */
		autofree char *unit = xasprintf("%.*s-%d.scope", (int)strcspn(cgroup->unit, "."),
						cgroup->unit, (int)getpid());
		scope.unit = unit;
		r = cgroup_create_in_scope(cgroup->socket, &scope, &config->resources, &is_there,
					   &cgroup->group, &left_out, err);
	}
	if (r < 0 && !is_there && cgroup->is_optional) {
		log_warn("%s", err->text);
		r = cgroup_create(config->cgroups_path, &config->resources, &cgroup->group,
				  &left_out, err);
	}
	if (r < 0)
		return r;
	if (left_out)
		warn_left_out(engine, left_out);
	return note_place(cgroup, engine, true, run_dir, err);
}

/* ---- finding it ---- */

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
