#include "engine/image-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container-mount.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/layer-view.h"
#include "oci/image-config.h"
#include "store/store.h"

/* One layer alone is a directory, and no mount. */
static int open_view(const struct strlist *dirs, bool in_userns, struct err *err)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (dirs->count == 0)
		return err_set(err, EINVAL, "the image has no layers");
	if (dirs->count > 1)
		return layer_view_open(dirs, in_userns, err);
	autoclose int fd = open_tree(AT_FDCWD, dirs->items[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return err_errno(err, "mount '%s'", dirs->items[0]);
	return take_fd(&fd);
}

static int attach(struct engine *engine, struct image *image, const char *path, struct err *err)
{
	autostrlist struct strlist dirs = STRLIST_EMPTY;
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = image_load_config(store, image, err);
	if (r < 0)
		return r;
	store_layer_dirs(store, &image->config->diff_ids, &dirs);
	autoclose int fd = open_view(&dirs, engine->is_rootless, err);
	if (fd < 0)
		return fd;
	r = file_make_dirs(AT_FDCWD, path, 0700, err);
	if (r < 0)
		return r;
	if (move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, "mount at '%s'", path);
	return 0;
}

int image_mount(struct engine *engine, struct image *image, char **ret_path, struct err *err)
{
	autofree char *path = container_mount_path(engine, image->id);

	int r = mount_refuse_outside(engine, "image mount", err);
	if (r == 0 && !container_is_mounted(engine, image->id))
		r = attach(engine, image, path, err);
	if (r < 0)
		return err_wrap(err, "mount image %.12s", image->id);
	*ret_path = take_ptr(&path);
	return 0;
}

int image_unmount(struct engine *engine, const struct image *image, bool force, struct err *err)
{
	int r = mount_refuse_outside(engine, "image unmount", err);

	if (r == 0)
		r = mount_take_away(engine, image->id, force, err);
	return r < 0 ? err_wrap(err, "unmount image %.12s", image->id) : 0;
}
