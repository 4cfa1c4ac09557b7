/* Groups below one that was handed to us, and where the processes that stay with containers live.
 *
 * systemd knows a unit's processes by the group they are in, and ends all of them with the unit. A
 * container's monitor in the group of the service or session that happened to start it would end
 * with that. So it gets a group of its own: on a tree that davit manages itself one for all monitors,
 * "davit/monitors"; below a scope or a unit's own group "monitor", beside the container's. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/systemd.h"

#define PARENT	  "davit"
#define MONITORS  PARENT "/monitors"
#define MONITOR	  "monitor"
#define CONTAINER "container"

/* That of a group that was found again, where there is one. */
static int open_beside(const struct cgroup *group)
{
	static const char *const names[] = { "monitors", MONITOR };
	const char *path = cgroup_location(group);
	int fd = -1;

	if (!group->ops->clones_into)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names) && fd < 0; i++) {
		autofree char *beside =
			xasprintf("%.*s/%s", (int)(strrchr(path, '/') - path), path, names[i]);
		fd = open(beside, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd;
}

int cgroup_open_monitors(const struct cgroup *group)
{
	bool ignored;

	if (!group->base)
		return open_beside(group);
	autofree char *path = xasprintf("%s/" MONITORS, group->base);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && cgroup_make_directory(path, &ignored) == 0)
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

void cgroup_tidy(void)
{
	autostrbuf struct strbuf base = STRBUF_EMPTY;

	if (!cgroup_is_v2())
		return;
	if (geteuid() == 0)
		strbuf_adds(&base, CGROUP_ROOT);
	else if (cgroup_v2_own_group(&base) < 0)
		return;
	/* What is in use refuses to go. */
	while (base.size >= strlen(CGROUP_ROOT)) {
		autofree char *monitors = xasprintf("%s/" MONITORS, strbuf_text(&base)),
			      *parent = xasprintf("%s/" PARENT, strbuf_text(&base));
		(void)rmdir(monitors);
		(void)rmdir(parent);
		base.size = (size_t)(strrchr(base.data, '/') - base.data);
		base.data[base.size] = '\0';
	}
}

/* Make the group "monitor" below `base` and move there. */
static int enter_monitor_group(const char *base, struct err *err)
{
	autofree char *path = xasprintf("%s/" MONITOR, base);
	bool ignored;

	int r = cgroup_make_directory(path, &ignored);
	autoclose int fd = r < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = fd < 0 ? -errno : cgroup_write(fd, "cgroup.procs", "0");
	return r < 0 ? err_set(err, -r, "enter control group '%s': %s", path, strerror(-r)) : 0;
}

static int own_group(struct strbuf *path, struct err *err)
{
	int r = cgroup_v2_own_group(path);

	return r < 0 ? err_set(err, -r, "find our own control group: %s", strerror(-r)) : 0;
}

int cgroup_create_in_scope(const char *socket_path, const struct systemd_scope *scope,
			   const struct cgroup_resources *resources, bool *ret_is_there,
			   struct cgroup **ret_cgroup, char **ret_left_out, struct err *err)
{
	autostrbuf struct strbuf base = STRBUF_EMPTY;

	int r = systemd_start_scope(socket_path, scope, err);
	*ret_is_there = r == 0;
	if (r == 0)
		r = own_group(&base, err);
	if (r == 0)
		r = enter_monitor_group(strbuf_text(&base), err);
	return r < 0 ? r
		     : cgroup_create_below(strbuf_text(&base), CONTAINER, resources, ret_cgroup,
					   ret_left_out, err);
}

/* The caller is in "monitor" already when it has started another container before. */
static void leave_monitor_group(struct strbuf *path)
{
	const char tail[] = "/" MONITOR;

	if (path->size > strlen(tail) &&
	    strcmp(strbuf_text(path) + path->size - strlen(tail), tail) == 0) {
		path->size -= strlen(tail);
		path->data[path->size] = '\0';
	}
}

int cgroup_create_split(const char *name, const struct cgroup_resources *resources,
			struct cgroup **ret_cgroup, char **ret_left_out, struct err *err)
{
	autostrbuf struct strbuf base = STRBUF_EMPTY;

	if (!cgroup_is_v2())
		return err_set(err, EOPNOTSUPP,
			       "splitting a unit's control group needs cgroup v2; leave "
			       "--cgroups=split out");
	int r = own_group(&base, err);
	if (r < 0)
		return r;
	leave_monitor_group(&base);
	r = enter_monitor_group(strbuf_text(&base), err);
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return err_set(
			err, -r,
			"control group '%s' was not delegated to us; set Delegate=yes in its "
			"unit, or leave --cgroups=split out",
			strbuf_text(&base));
	return r < 0 ? r
		     : cgroup_create_below(strbuf_text(&base), name, resources, ret_cgroup,
					   ret_left_out, err);
}
