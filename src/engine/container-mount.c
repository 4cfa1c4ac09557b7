#include "engine/container-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container-inside.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"

char *container_mount_path(const struct engine *engine, const char *id)
{
	return xasprintf("%s/mounts/%s", engine->runroot, id);
}

static bool is_mount_point(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &stx) == 0 &&
	       (stx.stx_attributes_mask & stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

bool container_is_mounted(const struct engine *engine, const char *id)
{
	autofree char *path = container_mount_path(engine, id);

	return is_mount_point(path);
}

/* ---- the mount, from a process inside of the container to us ---- */

static int send_root(const struct inside_view *view, void *arg, struct err *err)
{
	(void)view;
	/* Not of the view's, which may be such a clone already: those cannot be cloned. */
	autoclose int fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "clone the root mount");
	ssize_t n = fd_send(*(const int *)arg, "m", 1, fd);
	return n < 0 ? err_set(err, (int)-n, "hand over the root mount: %s", strerror((int)-n)) : 0;
}

static int attach_root(struct engine *engine, struct container *container, const char *path,
		       struct err *err)
{
	autoinside struct container_inside *inside = NULL;
	int pair[2];

	int r = container_inside_open(engine, container, INSIDE_ROOT_ONLY, &inside, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	autoclose int ours = pair[0], theirs = pair[1];
	r = container_inside_run(inside, send_root, &theirs, err);
	if (r < 0)
		return r;
	autoclose int fd = fd_receive(ours, MSG_DONTWAIT);
	if (fd < 0)
		return err_set(err, EIO, "the root mount was not handed over");
	r = file_make_dirs(AT_FDCWD, path, 0700, err);
	if (r < 0)
		return r;
	/* While the container cannot be started or mounted by another command. */
	if (!is_mount_point(path) &&
	    move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(err, "mount at '%s'", path);
	return 0;
}

int mount_refuse_outside(const struct engine *engine, const char *command, struct err *err)
{
	if (!engine->is_rootless || engine->is_unshared)
		return 0;
	return err_set(err, EPERM,
		       "cannot run command \"davit %s\" in rootless mode, must execute `davit "
		       "unshare` first",
		       command);
}

int container_mount(struct engine *engine, struct container *container, char **ret_path,
		    struct err *err)
{
	autofree char *path = container_mount_path(engine, container->id);

	int r = mount_refuse_outside(engine, "mount", err);
	if (r == 0 && !is_mount_point(path)) {
		r = attach_root(engine, container, path, err);
		if (r == 0)
			event_container(engine, container, EVENT_MOUNT);
	}
	if (r < 0)
		return err_wrap(err, "mount container '%s'", container->name);
	*ret_path = take_ptr(&path);
	return 0;
}

int mount_take_away(const struct engine *engine, const char *id, bool force, struct err *err)
{
	autofree char *path = container_mount_path(engine, id);

	if (!is_mount_point(path))
		return 0;
	if (umount2(path, UMOUNT_NOFOLLOW | (force ? MNT_DETACH : 0)) < 0) {
		if (errno == EBUSY)
			return err_set(err, EBUSY,
				       "somebody uses '%s'; --force takes it away all the same",
				       path);
		return err_errno(err, "unmount '%s'", path);
	}
	(void)rmdir(path); /* it may be mounted elsewhere: then that ends, too */
	return 1;
}

int container_unmount(struct engine *engine, const struct container *container, bool force,
		      struct err *err)
{
	int r = mount_refuse_outside(engine, "unmount", err);

	if (r == 0)
		r = mount_take_away(engine, container->id, force, err);
	if (r > 0)
		event_container(engine, container, EVENT_UNMOUNT);
	return r < 0 ? err_wrap(err, "unmount container '%s'", container->name) : 0;
}

void container_forget_mount(const struct engine *engine, const char *id)
{
	autofree char *path = container_mount_path(engine, id);

	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 && errno == ENOENT)
		return; /* as mostly */
	/* Even where this is not our mount namespace, it ends the mount in others. */
	(void)rmdir(path);
}
