#include "cli/mount-options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/container-options.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/mount-spec.h"
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
static int add_defaults(const struct strlist *volumes, const char *cwd, struct mount_list *list,
			struct err *err)
{
	for (size_t i = 0; i < volumes->count; i++) {
		int r = mount_spec_parse_volume(volumes->items[i], cwd, mount_list_grow(list), err);
		if (r < 0)
			return r;
		if (mount_list_has(list, list->items[list->count].destination))
			mount_spec_clear(&list->items[list->count]);
		else
			list->count++;
	}
	return 0;
}

int mount_options_read(struct engine *engine, const struct container_args *args,
		       struct mount_list *list, struct err *err)
{
	autofree char *cwd = getcwd(NULL, 0);
	int r = 0;

	if (!cwd)
		return err_errno(err, "current directory");
	for (size_t i = 0; r == 0 && i < args->volumes.count; i++) {
		r = mount_spec_parse_volume(args->volumes.items[i], cwd, mount_list_grow(list),
					    err);
		if (r == 0)
			r = mount_list_added(list, err);
	}
	for (size_t i = 0; r == 0 && i < args->mounts.count; i++) {
		r = mount_spec_parse_mount(args->mounts.items[i], cwd, mount_list_grow(list), err);
		if (r == 0)
			r = mount_list_added(list, err);
	}
	for (size_t i = 0; r == 0 && i < args->tmpfs.count; i++) {
		r = mount_spec_parse_tmpfs(args->tmpfs.items[i], mount_list_grow(list), err);
		if (r == 0)
			r = mount_list_added(list, err);
	}
	for (size_t i = 0; r == 0 && i < args->volumes_from.count; i++)
		r = collect_volumes_from(engine, args->volumes_from.items[i], list, err);
	if (r == 0)
		r = add_defaults(&engine->settings.volumes, cwd, list, err);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = check_source(&list->items[i], err);
	return r;
}

static int add_mount(struct engine *engine, struct mount_spec *mount, struct container_spec *spec,
		     struct err *err)
{
	int r = 0;

	if (mount->kind == MOUNT_VOLUME && mount->source) {
		r = volume_ensure(engine, mount->source, err);
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

int mount_options_apply(struct engine *engine, const struct oci_image_config *image,
			struct mount_list *list, struct container_spec *spec, struct err *err)
{
	int r = image ? add_defaults(&image->volumes, "/", list, err) : 0;

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
