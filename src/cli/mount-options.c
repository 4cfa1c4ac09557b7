#include "cli/mount-options.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/container-options.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/mount-spec.h"
#include "engine/volume-backing.h"
#include "engine/volume.h"
#include "oci/image-config.h"

static struct mount_spec *mount_list_grow(struct mount_list *list)
{
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count] = (struct mount_spec){ 0 };
	return &list->items[list->count];
}

static bool mount_list_has(const struct mount_list *list, const char *destination)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].destination, destination) == 0)
			return true;
	return false;
}

static int mount_list_added(struct mount_list *list, struct err *err)
{
	struct mount_spec *added = &list->items[list->count];

	if (mount_list_has(list, added->destination)) {
		int r = err_set(err, EINVAL,
				"%s: duplicate mount destination; mount one thing there",
				added->destination);
		mount_spec_clear(added);
		return r;
	}
	list->count++;
	return 0;
}

/* A mount of type glob: one bind mount for each path that matches, below the target or, without one, where it
 * is on the host. */
static int expand_glob(const struct mount_spec *pattern, struct mount_list *list, struct err *err)
{
	glob_t found;
	int r = glob(pattern->source, GLOB_NOSORT, NULL, &found);

	if (r != 0)
		return err_set(err, ENOENT,
			       "no file matches '%s', to be mounted by --mount type=glob; give "
			       "another pattern",
			       pattern->source);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i], *slash = strrchr(path, '/');
		struct mount_spec *mount = mount_list_grow(list);
		mount->kind = MOUNT_BIND;
		mount->source = xstrdup(path);
		mount->destination = pattern->destination ? path_join(pattern->destination,
								      slash ? slash + 1 : path)
							  : xstrdup(path);
		strlist_extend(&mount->options, &pattern->options);
		mount->read_only = pattern->read_only;
		mount->chown_to_user = pattern->chown_to_user;
		r = mount_list_added(list, err);
	}
	globfree(&found);
	return r;
}

static int read_mount(const char *text, const char *cwd, struct mount_list *list, struct err *err)
{
	struct mount_spec mount;

	int r = mount_spec_parse_mount(text, cwd, &mount, err);
	if (r < 0)
		return r;
	if (!mount.is_glob) {
		*mount_list_grow(list) = mount;
		return mount_list_added(list, err);
	}
	r = expand_glob(&mount, list, err);
	mount_spec_clear(&mount);
	return r;
}

static int collect_volumes_from(struct engine *engine, const char *text, struct mount_list *list,
				struct err *err)
{
	const char *colon = strchr(text, ':');
	autofree char *name = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
	autocontainer struct container *container = NULL;
	autocontainer_spec struct container_spec *other = NULL;

	if (colon && strcmp(colon, ":ro") != 0 && strcmp(colon, ":rw") != 0 &&
	    strcmp(colon, ":z") != 0)
		return err_set(err, EINVAL,
			       "unknown option '%s' of --volumes-from '%s'; it is ro, rw or z",
			       colon + 1, text);
	int r = container_find(engine, name, CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_spec_of(container, &other, err);
	for (size_t i = 0; r == 0 && i < other->mounts.count; i++) {
		struct mount_spec *mount = mount_list_grow(list);
		r = mount_spec_load(other->mounts.items[i], mount, err);
		if (r < 0)
			break;
		if (colon && strcmp(colon, ":ro") == 0)
			mount->read_only = true;
		if (mount_list_has(list, mount->destination))
			mount_spec_clear(mount); /* the command line's own mount counts */
		else
			list->count++;
	}
	return r;
}

static int check_source(const struct mount_spec *mount, struct err *err)
{
	struct stat st;

	if (mount->kind != MOUNT_BIND || stat(mount->source, &st) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(err, ENOENT,
			       "'%s' to be mounted at '%s' does not exist; make it first, or name "
			       "a volume",
			       mount->source, mount->destination);
	return err_errno(err, "'%s' to be mounted at '%s'", mount->source, mount->destination);
}

/* What containers.conf or the image ask for gives way to what the command line has at the same place. */
static void mount_list_add_default(struct mount_list *list)
{
	struct mount_spec *added = &list->items[list->count];

	if (mount_list_has(list, added->destination))
		mount_spec_clear(added);
	else
		list->count++;
}

static int add_defaults(const struct strlist *volumes, const char *cwd, struct mount_list *list,
			struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		int r = mount_spec_parse_volume(volumes->items[i], cwd, mount_list_grow(list), err);
		if (r < 0)
			return r;
		mount_list_add_default(list);
	}
	return 0;
}

int mount_options_read(struct engine *engine, const struct container_args *args,
		       struct mount_list *list, struct err *err)
{
	autofree char *cwd = getcwd(NULL, 0);
	int r = 0;

	if (!cwd && (args->volumes.count || args->mounts.count))
		return err_errno(err, "current directory"); /* sources may be relative to it */
	for (size_t i = 0; r == 0 && i < args->volumes.count; i++) {
		r = mount_spec_parse_volume(args->volumes.items[i], cwd, mount_list_grow(list),
					    err);
		if (r == 0)
			r = mount_list_added(list, err);
	}
	for (size_t i = 0; r == 0 && i < args->mounts.count; i++) {
		r = read_mount(args->mounts.items[i], cwd, list, err);
	}
	for (size_t i = 0; r == 0 && i < args->tmpfs.count; i++) {
		r = mount_spec_parse_tmpfs(args->tmpfs.items[i], mount_list_grow(list), err);
		if (r == 0)
			r = mount_list_added(list, err);
	}
	for (size_t i = 0; r == 0 && i < args->volumes_from.count; i++)
		r = collect_volumes_from(engine, args->volumes_from.items[i], list, err);
	if (r == 0)
		r = add_defaults(&engine->settings.volumes, cwd ?: "/", list, err);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = check_source(&list->items[i], err);
	return r;
}

/* The image has to be here: it is not what the container is made of, so no option says where it comes from. */
static int find_mounted_image(struct engine *engine, struct mount_spec *mount, struct err *err)
{
	autoimage struct image *image = NULL;
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = image_resolve(engine, mount->source, &image, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT,
			       "image '%s' to be mounted at '%s' is not here; pull it first",
			       mount->source, mount->destination);
	if (r == 0)
		r = image_load_config(store, image, err);
	if (r < 0)
		return r;
	free(mount->source);
	mount->source = xstrdup(image->id);
	strlist_extend(&mount->layers, &image->config->diff_ids);
	return 0;
}

static int use_volume(struct engine *engine, struct mount_spec *mount, struct err *err)
{
	autovolume struct volume *volume = NULL;

	int r = volume_ensure(engine, mount->source, err);
	if (r == 0)
		r = volume_find(engine, mount->source, &volume, err);
	if (r == 0 && mount_spec_subpath(mount) && volume->options.count)
		return err_set(
			err, EINVAL,
			"volume '%s' is a mount of its own, of which no subpath can be mounted; "
			"leave it out",
			mount->source);
	if (r == 0)
		r = volume_backing_apply(&volume->options, mount, err);
	return r < 0 ? err_wrap(err, "volume '%s'", mount->source) : 0;
}

static int add_mount(struct engine *engine, struct mount_spec *mount, struct container_spec *spec,
		     struct err *err)
{
	int r = 0;

	if (mount->kind == MOUNT_IMAGE) {
		r = find_mounted_image(engine, mount, err);
	} else if (mount->kind == MOUNT_VOLUME && mount->source) {
		r = use_volume(engine, mount, err);
	} else if (mount->kind == MOUNT_VOLUME) {
		autovolume struct volume *volume = NULL;
		r = volume_create(engine, NULL, NULL, NULL, &volume, err);
		if (r == 0)
			mount->source = xstrdup(volume->name);
	}
	if (r == 0)
		strlist_take(&spec->mounts, mount_spec_store(mount));
	return r;
}

/* Volumes that the image itself declares: --image-volume. */
static int add_image_volumes(const struct container_args *args,
			     const struct oci_image_config *image, struct mount_list *list,
			     struct err *err)
{
	const char *mode = args->image_volume ?: "anonymous";

	if (!image || strcmp(mode, "ignore") == 0)
		return 0;
	if (strcmp(mode, "tmpfs") != 0)
		return add_defaults(&image->volumes, "/", list, err);
	for (size_t i = 0; i < image->volumes.count; i++) {
		int r = mount_spec_parse_tmpfs(image->volumes.items[i], mount_list_grow(list), err);
		if (r < 0)
			return r;
		mount_list_add_default(list);
	}
	return 0;
}

int mount_options_apply(struct engine *engine, const struct container_args *args,
			const struct oci_image_config *image, struct mount_list *list,
			struct container_spec *spec, struct err *err)
{
	int r = add_image_volumes(args, image, list, err);

	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = add_mount(engine, &list->items[i], spec, err);
	return r;
}

void mount_list_clear(struct mount_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		mount_spec_clear(&list->items[i]);
	free(list->items);
	*list = (struct mount_list){ 0 };
}
