#include "engine/container-files.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container-layers.h"
#include "engine/container-map.h"
#include "engine/container-own-layers.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/mount-spec.h"
#include "engine/skeleton.h"
#include "engine/volume-backing.h"
#include "engine/volume.h"
#include "kernel/userns.h"

void container_files_clear(struct container_files *files)
{
	strlist_clear(&files->layer_dirs);
	strlist_clear(&files->mapped_dirs);
	strlist_clear(&files->own_paths);
	free(files->skeleton);
	*files = (struct container_files){ .skeleton = NULL };
}

/* A directory that was made for this very mapping is used as it is, all others have an image's IDs. */
static int find_rootfs_owner(const struct engine *engine, const struct container_spec *spec,
			     const struct container_map *map, struct container_files *files,
			     struct err *err)
{
	struct stat st;

	if (spec->rootfs_idmap && !container_map_is_mounted(engine, map))
		return err_set(
			err, EINVAL,
			"root file system '%s': 'idmap' is for root, and for containers with a "
			"mapping of their own; give --userns=auto or --uidmap, or leave it out",
			spec->rootfs);
	if (!container_map_is_mounted(engine, map))
		return 0;
	if (stat(spec->rootfs, &st) < 0)
		return err_errno(err, "root file system '%s'", spec->rootfs);
	files->rootfs_is_mapped =
		spec->rootfs_idmap ||
		st.st_uid != userns_id_to_host(map->map.uid, map->map.uid_count, 0);
	return 0;
}

int container_files_find(struct engine *engine, const struct container *container,
			 const struct container_spec *spec, const struct container_map *map,
			 struct container_files *files, struct err *err)
{
	autostrlist struct strlist copies = STRLIST_EMPTY;
	int r = container_frozen_dirs(engine, container, &files->layer_dirs, err);

	if (r == 0) { /* what was frozen has the container's owners anyway */
		strlist_extend(&files->mapped_dirs, &files->layer_dirs);
		r = container_layer_dirs(engine, spec, &files->layer_dirs, err);
	}
	if (r == 0 && spec->rootfs && !spec->rootfs_is_lower)
		return find_rootfs_owner(engine, spec, map, files, err);
	if (r < 0)
		return r;
	container_map_layer_dirs(engine, map, spec, &copies);
	strlist_extend(&files->mapped_dirs, &copies);
	if (!copies.count)
		strlist_clear(&files->mapped_dirs);
	/* The skeleton belongs to the caller. Where that is not the container's root, mount points are
	 * made in the container's own layer instead. */
	return files->mapped_dirs.count ? 0 : skeleton_open(engine, &files->skeleton, err);
}

const struct strlist *container_files_dirs(const struct container_files *files)
{
	return files->mapped_dirs.count ? &files->mapped_dirs : &files->layer_dirs;
}

static int make_directory(const char *parent, const char *name, mode_t mode, struct err *err)
{
	autofree char *path = path_join(parent, name);

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_errno(err, "create directory '%s'", path);
	return 0;
}

static int make_overlay_directories(const char *parent, size_t number, struct err *err)
{
	autofree char *name = xasprintf("overlay-%zu", number);
	autofree char *directory = path_join(parent, name);
	int r = make_directory(parent, name, 0700, err);

	if (r == 0)
		r = make_directory(directory, "upper", 0755, err);
	return r < 0 ? r : make_directory(directory, "work", 0700, err);
}

/* The upper directory's own attributes are those of "/" inside, so they follow the uppermost
 * layer's. */
int container_files_make(const struct container_spec *spec, const struct container_files *files,
			 const char *directory, struct err *err)
{
	struct stat st;
	int r = make_directory(directory, "upper", 0755, err);

	if (r == 0)
		r = make_directory(directory, "work", 0700, err);
	if (r == 0 && files->layer_dirs.count && stat(files->layer_dirs.items[0], &st) == 0 &&
	    (st.st_mode & 07777) != 0755) {
		autofree char *upper = path_join(directory, "upper");
		(void)chmod(upper,
			    st.st_mode & 07777); /* a root directory of mode 755 serves as well */
	}
	for (size_t i = 0; r == 0 && i < spec->mounts.count; i++) {
		struct mount_spec mount;
		r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			break;
		if (mount.is_overlay || (mount.kind == MOUNT_IMAGE && !mount.read_only))
			r = make_overlay_directories(directory, i, err);
		mount_spec_clear(&mount);
	}
	return r;
}

/* Where the kernel maps the container's own layer when it is mounted, it has the image's IDs on disk. */
int container_files_map(struct engine *engine, const struct container_spec *spec,
			const struct container_map *map, const char *directory,
			const struct strlist *paths, struct container_files *files, struct err *err)
{
	autostrlist struct strlist all = STRLIST_EMPTY, layers = STRLIST_EMPTY;

	if (!map->is_own)
		return 0;
	if (!container_map_is_mounted(engine, map)) {
		strlist_take(&all, path_join(directory, "upper"));
		strlist_take(&all, path_join(directory, "work"));
	}
	strlist_extend(&all, paths);
	strlist_extend(&layers, &spec->layers);
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		strlist_extend(&layers, &mount.layers);
		/* There where the mount has one. */
		strlist_addf(&all, "%s/overlay-%zu/upper", directory, i);
		strlist_addf(&all, "%s/overlay-%zu/work", directory, i);
		mount_spec_clear(&mount);
	}
	return container_map_files(engine, map, &layers, &all, &files->own_paths, err);
}

static int fill_volume(struct engine *engine, const struct container_map *map,
		       const struct identity *identity, const struct container_files *files,
		       const struct mount_spec *mount, struct err *err)
{
	const struct strlist *dirs = container_files_dirs(files);
	bool is_volume = mount->kind == MOUNT_VOLUME;
	const char *backing = is_volume ? volume_backing_of(mount) : NULL;
	struct identity owner = *identity;

	/* This works under the caller's mapping. What is mapped when it is mounted has the image's IDs
	 * on disk. */
	if (!container_map_is_mounted(engine, map) ||
	    !(is_volume || strlist_contains(&mount->options, "idmap")))
		container_map_identity(map, &owner);
	int r = 0;
	if (backing && backing[0] != '/')
		return 0;
	if (is_volume && !backing)
		r = volume_fill(engine, mount->source, dirs, mount->destination, !mount->no_copy,
				&owner, err);
	/* A file system that is made anew belongs to the user from its beginning. */
	if (r < 0 || !mount->chown_to_user || (!is_volume && mount->kind != MOUNT_BIND))
		return r;
	autofree char *data = backing	  ? xstrdup(backing)
			      : is_volume ? volume_data_path(engine, mount->source)
					  : xstrdup(mount->source);
	return volume_chown(engine, data, &owner, err);
}

int container_files_fill_volumes(struct engine *engine, const struct container_spec *spec,
				 const struct container_map *map, const struct identity *identity,
				 const struct container_files *files, struct err *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		r = fill_volume(engine, map, identity, files, &mount, err);
		mount_spec_clear(&mount);
		if (r < 0)
			return r;
	}
	return 0;
}
