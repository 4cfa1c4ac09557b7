/* A container that does not run is mounted by the runtime itself: the first process of a container that shall never
 * have a command mounts all that lasts, and is ended again. What stays is a descriptor of its mount namespace. So every
 * way in which a root file system comes about (mapped, copied, of one layer, a plain directory) is here too. */
#include "engine/container-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container-files.h"
#include "engine/container-map.h"
#include "engine/container-mount.h"
#include "engine/container-own-layers.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/plan.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"
#include "store/store.h"

struct container_inside {
	struct userns_place place;
	int proc_fd;
	int lock_fd;	/* -1: it runs */
	bool root_only; /* to be cut out of a view that has more */
};

void container_inside_close(struct container_inside *inside)
{
	if (!inside)
		return;
	fd_close(&inside->place.user_ns_fd);
	fd_close(&inside->place.mount_ns_fd);
	fd_close(&inside->proc_fd);
	fd_close(&inside->lock_fd); /* last: the mounts are gone with the namespace */
	free(inside);
}

/* ---- one that runs ---- */

static bool is_ours(int ns_fd, const char *own)
{
	struct stat theirs, ours;

	return fstat(ns_fd, &theirs) == 0 && stat(own, &ours) == 0 &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

static int open_namespace(pid_t pid, const char *name, int *ret_fd, struct err *err)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno(err, "open the container's namespace '%s'", path) : 0;
}

static int enter_running(struct container_inside *inside, const struct container *container,
			 int init_fd, struct err *err)
{
	struct userns_place *place = &inside->place;

	int r = open_namespace(container->run.pid, "user", &place->user_ns_fd, err);
	if (r == 0)
		r = open_namespace(container->run.pid, "mnt", &place->mount_ns_fd, err);
	/* Only now is it certain whose these are. */
	if (pidfd_signal(init_fd, 0) < 0)
		return err_set(err, ESRCH, "container %s has just ended", container->name);
	if (r < 0)
		return r;
	if (is_ours(place->mount_ns_fd, "/proc/self/ns/mnt"))
		return err_set(err, EINVAL, "process %d is in no container",
			       (int)container->run.pid);
	if (is_ours(place->user_ns_fd, "/proc/self/ns/user"))
		fd_close(&place->user_ns_fd);
	/* Whose owner is a stranger, who could do as he likes with what enters. */
	else if (!userns_is_our_child(place->user_ns_fd))
		return err_set(
			err, EPERM,
			"the first process of container '%s' has made a user namespace of its "
			"own, which nobody else can enter safely",
			container->name);
	return 0;
}

/* ---- one that does not ---- */

struct preparation {
	struct container_spec *spec;
	struct container_map map;
	struct container_files files;
	struct identity identity;
	struct oci_runtime_config *config;
	char *directory, *run_dir;
};

static void preparation_clear(struct preparation *prep)
{
	container_spec_free(prep->spec);
	container_map_clear(&prep->map);
	container_files_clear(&prep->files);
	identity_clear(&prep->identity);
	oci_runtime_config_free(prep->config);
	free(prep->directory);
	free(prep->run_dir);
}

/* Two mounts of the same upper directory would know nothing of each other. */
static void use_mounted_root(const struct engine *engine, const char *id,
			     struct oci_runtime_config *config)
{
	strlist_clear(&config->overlay.lowers);
	free(take_ptr(&config->overlay.upper));
	free(take_ptr(&config->overlay.work));
	free(config->root_path);
	config->root_path = container_mount_path(engine, id);
}

static int make_config(struct engine *engine, const struct container *container, bool with_mounts,
		       struct preparation *prep, struct err *err)
{
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r < 0)
		return r;
	autofree char *volumes = store_path(store, STORE_VOLUMES);
	const struct plan_input input = {
		.spec = prep->spec,
		.settings = &engine->settings,
		.identity = &prep->identity,
		.map = &prep->map.map,
		.is_rootless = engine->is_rootless,
		.id = container->id,
		.name = container->name,
		.container_dir = prep->directory,
		.run_dir = prep->run_dir,
		.map_name = container_map_is_copied(engine, &prep->map) ? prep->map.name : NULL,
		.volumes_dir = volumes,
		.store_dir = engine->root,
		.layer_dirs = container_files_dirs(&prep->files),
		.skeleton = prep->files.skeleton,
		.rootfs_is_mapped = prep->files.rootfs_is_mapped,
	};
	r = plan_files_only(&input, with_mounts, &prep->config, err);
	if (r < 0)
		return r;
	strlist_extend(&prep->config->own_paths, &prep->files.own_paths);
	if (container_is_mounted(engine, container->id))
		use_mounted_root(engine, container->id, prep->config);
	return 0;
}

static int prepare(struct engine *engine, const struct container *container, bool with_mounts,
		   struct preparation *prep, struct err *err)
{
	const struct strlist none = STRLIST_EMPTY;
	struct err ignored; /* who the command would run as is of no interest but for new volumes */

	prep->directory = container_directory(engine, container->id);
	prep->run_dir = container_run_directory(engine, container->id);
	int r = container_spec_of(container, &prep->spec, err);
	if (r == 0)
		r = container_map_of(engine, prep->spec, &prep->map, err);
	if (r == 0)
		r = container_files_find(engine, container, prep->spec, &prep->map, &prep->files,
					 err);
	if (r == 0)
		(void)identity_resolve(&prep->files.layer_dirs, prep->spec->user,
				       &prep->spec->groups, &prep->identity, &ignored);
	if (r == 0)
		r = container_files_make(prep->spec, &prep->files, prep->directory, err);
	if (r == 0)
		r = container_files_map(engine, prep->spec, &prep->map, prep->directory, &none,
					&prep->files, err);
	if (r == 0 && with_mounts)
		r = container_files_fill_volumes(engine, prep->spec, &prep->map, &prep->identity,
						 &prep->files, err);
	return r < 0 ? r : make_config(engine, container, with_mounts, prep, err);
}

/* Of this very mapping, so that newuidmap(1) need not make one. */
static int open_join_namespace(struct engine *engine, const struct userns_map *map)
{
	pid_t pid = map->is_identity ? 0 : engine_join_pid_of(engine, map);
	struct err ignored; /* it has ended: then one is made */
	autoclose int fd = -1;

	if (pid <= 0 || open_namespace(pid, "user", &fd, &ignored) < 0 || !userns_is_our_child(fd))
		return -1;
	return take_fd(&fd);
}

static int mount_files(struct container_inside *inside, struct engine *engine,
		       const struct preparation *prep, struct err *err)
{
	autoclose int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	autoclose int join_fd = open_join_namespace(engine, &prep->map.map);
	const struct runtime_namespaces made = { .user_fd = join_fd, .network_fd = -1 };
	const struct runtime_stdio stdio = { { null_fd, null_fd, null_fd } };
	struct runtime_child child;

	if (null_fd < 0)
		return err_errno(err, "open '/dev/null'");
	int r = runtime_spawn(prep->config, NULL, &made, &stdio, &child, err);
	if (r == 0)
		r = runtime_ready(&child, err); /* ends it if it fails */
	if (r < 0)
		return r;
	inside->place.mount_ns_fd = take_fd(&child.mount_ns_fd);
	runtime_abandon(&child);
	if (prep->map.map.is_identity)
		return 0;
	inside->place.user_ns_fd = ioctl(inside->place.mount_ns_fd, NS_GET_USERNS);
	return inside->place.user_ns_fd < 0 ? err_errno(err, "open the user namespace") : 0;
}

static int enter_stopped(struct container_inside *inside, struct engine *engine,
			 const struct container *container, struct err *err)
{
	struct preparation prep = { 0 };

	int r = prepare(engine, container, !inside->root_only, &prep, err);
	if (r == 0)
		r = mount_files(inside, engine, &prep, err);
	preparation_clear(&prep);
	inside->root_only = false; /* there is nothing else */
	return r;
}

/* ---- both ---- */

/* Where 0 is not mapped, the first ID sets the container up; see launch_plan_make(). */
static void find_root_ids(const struct container_map *map, struct userns_place *place)
{
	const struct userns_map *ids = &map->map;

	if (userns_id_to_host(ids->uid, ids->uid_count, 0) == UINT32_MAX)
		place->uid = ids->uid[0].inside;
	if (userns_id_to_host(ids->gid, ids->gid_count, 0) == UINT32_MAX)
		place->gid = ids->gid[0].inside;
}

static int find_root(struct engine *engine, const struct container *container,
		     struct userns_place *place, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	struct container_map map;

	int r = container_spec_of(container, &spec, err);
	if (r == 0)
		r = container_map_of(engine, spec, &map, err);
	if (r < 0)
		return r;
	find_root_ids(&map, place);
	container_map_clear(&map);
	return 0;
}

/* Whatever is left of its last run goes before anything is mounted anew. */
static int lock_and_clean(struct engine *engine, struct container *container, int *ret_lock_fd,
			  struct err *err)
{
	int r = container_lock_found(engine, container, ret_lock_fd, err);

	if (r < 0 || !container->needs_cleanup)
		return r;
	r = container_cleanup_locked(engine, container, err);
	return r < 0 ? r : container_find_again(engine, container, err);
}

static int enter(struct container_inside *inside, struct engine *engine,
		 struct container *container, struct err *err)
{
	autoclose int lock_fd = -1, init_fd = -1;

	int r = lock_and_clean(engine, container, &lock_fd, err);
	if (r == 0)
		r = find_root(engine, container, &inside->place, err);
	if (r < 0)
		return r;
	if (!container_is_alive(container)) {
		inside->lock_fd = take_fd(&lock_fd);
		r = container_finish_move(engine, container, err);
		return r < 0 ? r : enter_stopped(inside, engine, container, err);
	}
	r = container_open_init(engine, container, &init_fd, err);
	return r < 0 ? r : enter_running(inside, container, init_fd, err);
}

int container_inside_open(struct engine *engine, struct container *container,
			  enum inside_flags flags, struct container_inside **ret_inside,
			  struct err *err)
{
	autoinside struct container_inside *inside = xcalloc(1, sizeof(*inside));

	inside->place.user_ns_fd = inside->place.mount_ns_fd = inside->lock_fd = -1;
	inside->root_only = flags & INSIDE_ROOT_ONLY;
	inside->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (inside->proc_fd < 0)
		return err_errno(err, "open '/proc'");
	int r = enter(inside, engine, container, err);
	if (r < 0)
		return r;
	*ret_inside = take_ptr(&inside);
	return 0;
}

struct job {
	const struct container_inside *inside;
	inside_body *body;
	void *arg;
};

static int work(void *arg, struct err *err)
{
	const struct job *job = arg;
	struct inside_view view = { .root_fd = -1, .proc_fd = job->inside->proc_fd };

	/* Clones of the root mount alone show what other mounts hide. */
	if (job->inside->root_only)
		view.root_fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	else
		view.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (view.root_fd < 0)
		return err_errno(err, "open the root of the container");
	return job->body(&view, job->arg, err);
}

int container_inside_spawn(struct container_inside *inside, inside_body *body, void *arg,
			   struct userns_worker **ret_worker, struct err *err)
{
	/* The child has a copy of it all. */
	struct job job = { .inside = inside, .body = body, .arg = arg };

	return userns_spawn_in(&inside->place, work, &job, ret_worker, err);
}

int container_inside_run(struct container_inside *inside, inside_body *body, void *arg,
			 struct err *err)
{
	struct userns_worker *worker;

	int r = container_inside_spawn(inside, body, arg, &worker, err);
	return r < 0 ? r : userns_wait(worker, err);
}

int container_inside_reopen(const struct inside_view *view, int path_fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "self/fd/%d", path_fd);
	int fd = openat(view->proc_fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
