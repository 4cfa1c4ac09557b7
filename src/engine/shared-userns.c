#include "engine/shared-userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-map.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/userns-mode.h"
#include "kernel/aside.h"
#include "kernel/id-map.h"
#include "kernel/pidfd.h"

/* ---- the maps of a user namespace ---- */

struct question {
	int fd;
	struct id_map uid, gid; /* the answer, to IDs of our own user namespace */
};

static int read_map(const char *path, struct id_map *ret_map, struct err *err)
{
	unsigned inside, outside, size;
	FILE *file = fopen(path, "re");

	if (!file)
		return err_errno(err, "open '%s'", path);
	while (fscanf(file, "%u %u %u", &inside, &outside, &size) == 3)
		id_map_add(ret_map, inside, outside, size);
	fclose(file);
	return 0;
}

/* Aside, for there is no way back. The kernel tells who is inside what its IDs are to the parent. */
static int read_inside(void *arg, struct err *err)
{
	struct question *question = arg;

	(void)prctl(PR_SET_DUMPABLE, 0); /* others may live there, who shall not look into us */
	if (setns(question->fd, CLONE_NEWUSER) < 0)
		return err_errno(err, "enter the user namespace");
	int r = read_map("/proc/self/uid_map", &question->uid, err);
	return r < 0 ? r : read_map("/proc/self/gid_map", &question->gid, err);
}

static bool is_ours(int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat("/proc/self/ns/user", &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* To IDs of the caller's mapping, as they are recorded. */
static int record_map(const struct id_map *host, const struct id_extent *base, size_t count,
		      struct strlist *lines, struct err *err)
{
	autoidmap struct id_map own = { 0 };
	uint32_t missing;

	if (id_map_compose_inverse(host, base, count, &own, &missing) < 0)
		return err_set(err, EPERM,
			       "the user namespace has ID %u of the host, which is not this user's",
			       missing);
	id_map_format(&own, lines);
	return 0;
}

static int record_maps(struct engine *engine, const char *path, int fd, struct container_spec *spec,
		       struct err *err)
{
	struct question question = { .fd = fd };
	const struct userns_map *base;

	if (!userns_is_our_child(fd))
		return err_set(err, EPERM,
			       "user namespace '%s' was not made by this user directly below his "
			       "own; only such a one can be joined",
			       path);
	int r = engine_map(engine, &base, err);
	if (r == 0)
		r = aside_run(ASIDE_SHARE_FILES, read_inside, &question, err);
	(void)prctl(PR_SET_DUMPABLE, 1);
	/* That of a container without --userns: nothing has to follow it. */
	bool is_callers =
		r == 0 &&
		id_maps_equal(question.uid.extents, question.uid.count, base->uid,
			      base->uid_count) &&
		id_maps_equal(question.gid.extents, question.gid.count, base->gid, base->gid_count);
	if (r == 0 && !is_callers)
		r = record_map(&question.uid, base->uid, base->uid_count, &spec->uid_maps, err);
	if (r == 0 && !is_callers)
		r = record_map(&question.gid, base->gid, base->gid_count, &spec->gid_maps, err);
	id_map_clear(&question.uid);
	id_map_clear(&question.gid);
	return r;
}

/* ---- when a container is made ---- */

static int open_path(const char *path, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "cannot find specified user namespace path: '%s'", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWUSER)
		return err_set(err, EINVAL,
			       "'%s' is no user namespace; name a file such as /proc/PID/ns/user",
			       path);
	return take_fd(&fd);
}

static int resolve_path(struct engine *engine, const char *path, struct container_spec *spec,
			struct err *err)
{
	autoclose int fd = open_path(path, err);

	if (fd < 0)
		return fd;
	if (is_ours(fd))
		return 0;
	spec->userns_mode = xasprintf("ns:%s", path);
	return record_maps(engine, path, fd, spec, err);
}

int shared_userns_resolve(struct engine *engine, const struct userns_mode *mode,
			  struct container_spec *spec, struct err *err)
{
	autocontainer struct container *donor = NULL;
	autocontainer_spec struct container_spec *of_donor = NULL;

	if (mode->kind == USERNS_PATH)
		return resolve_path(engine, mode->target, spec, err);
	int r = container_find(engine, mode->target, CONTAINER_WITH_SPEC, &donor, err);
	if (r == 0)
		r = container_spec_of(donor, &of_donor, err);
	if (r < 0)
		return err_wrap(err, "looking up container to share user namespace with");
	/* Root's container without one lives in the host's. */
	if (!engine->is_rootless && !of_donor->uid_maps.count)
		return 0;
	spec->userns_mode = xasprintf("container:%s", donor->id);
	strlist_extend(&spec->uid_maps, &of_donor->uid_maps);
	strlist_extend(&spec->gid_maps, &of_donor->gid_maps);
	return 0;
}

/* ---- at a start ---- */

/* What is behind PREFIX in the container's mode; NULL if it has another. */
static const char *target_of(const struct container_spec *spec, const char *prefix)
{
	size_t size = strlen(prefix);

	return spec->userns_mode && strncmp(spec->userns_mode, prefix, size) == 0
		       ? spec->userns_mode + size
		       : NULL;
}

void shared_userns_needed(const struct container_spec *spec, struct strlist *ids)
{
	const char *id = target_of(spec, "container:");

	if (id && !strlist_contains(ids, id))
		strlist_add(ids, id);
}

static int open_of_container(struct engine *engine, const char *id, struct err *err)
{
	autocontainer struct container *donor = NULL;

	int r = container_find(engine, id, 0, &donor, err);
	if (r < 0)
		return r;
	autoclose int pid_fd = container_is_alive(donor) ? pidfd_open_process(donor->run.pid) : -1;
	autofree char *path = xasprintf("/proc/%d/ns/user", (int)donor->run.pid);
	autoclose int fd = pid_fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	/* Asked after opening: had the number been given away before, this would tell. */
	container_refresh(engine, donor, 0);
	if (pid_fd < 0 || !container_is_alive(donor))
		return err_set(err, ESRCH,
			       "container %s, whose user namespace is to be shared, is not "
			       "running; start it with 'davit start %s'",
			       donor->name, donor->name);
	if (fd < 0 || pidfd_signal(pid_fd, 0) < 0)
		return err_set(err, ESRCH, "container %s has just ended", donor->name);
	return take_fd(&fd);
}

static bool has_map(struct question *question, const struct userns_map *map, struct err *err)
{
	bool same =
		aside_run(ASIDE_SHARE_FILES, read_inside, question, err) == 0 &&
		id_maps_equal(question->uid.extents, question->uid.count, map->uid,
			      map->uid_count) &&
		id_maps_equal(question->gid.extents, question->gid.count, map->gid, map->gid_count);

	(void)prctl(PR_SET_DUMPABLE, 1);
	id_map_clear(&question->uid);
	id_map_clear(&question->gid);
	return same;
}

int shared_userns_open(struct engine *engine, const struct container_spec *spec,
		       const struct container_map *map, int *ret_fd, struct err *err)
{
	const char *id = target_of(spec, "container:"), *path = target_of(spec, "ns:");

	*ret_fd = -1;
	if (!id && !path)
		return 0;
	autoclose int fd = id ? open_of_container(engine, id, err) : open_path(path, err);
	if (fd < 0)
		return fd;
	struct question question = { .fd = fd };
	if (!userns_is_our_child(fd) || !has_map(&question, &map->map, err))
		return err_set(err, EINVAL,
			       "%s '%s' no longer has the user IDs that this container was made "
			       "with; make it anew",
			       id ? "container" : "user namespace", id ?: path);
	*ret_fd = take_fd(&fd);
	return 0;
}
