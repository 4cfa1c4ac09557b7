#include "engine/layer-view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/aside.h"

struct layer_view {
	const struct strlist *dirs;
	bool in_userns;
};

/* -1 with errno. Kernels before "lowerdir+" say EINVAL, some of them not before the last call. */
static int join_one_by_one(const struct layer_view *view)
{
	autoclose int context_fd = fsopen("overlay", FSOPEN_CLOEXEC);

	if (context_fd < 0)
		return -1;
	for (size_t i = 0; i < view->dirs->count; i++)
		if (fsconfig(context_fd, FSCONFIG_SET_STRING, "lowerdir+", view->dirs->items[i],
			     0) < 0)
			return -1;
	if ((view->in_userns &&
	     fsconfig(context_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
	    fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(context_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
}

/* fsconfig(2) takes no more than 255 bytes and mount(2) a page, so the layers are named by descriptors. */
static int open_by_short_names(const struct layer_view *view, int *fds, struct strbuf *options,
			       struct err *err)
{
	strbuf_adds(options, view->in_userns ? "userxattr,lowerdir=" : "lowerdir=");
	for (size_t i = 0; i < view->dirs->count; i++) {
		fds[i] = open(view->dirs->items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			return err_errno(err, "open '%s'", view->dirs->items[i]);
		strbuf_addf(options, "%s/proc/self/fd/%d", i ? ":" : "", fds[i]);
	}
	return 0;
}

/* On a directory of a mount namespace that nobody else sees, and taken off it again. */
static int join_by_one_string(void *arg, struct err *err)
{
	const struct layer_view *view = arg;
	const char *place = view->dirs->items[0];
	autostrbuf struct strbuf options = STRBUF_EMPTY;
	autofree int *fds = xcalloc(view->dirs->count, sizeof(*fds));
	int fd = -1;

	for (size_t i = 0; i < view->dirs->count; i++)
		fds[i] = -1;
	/* The new namespace first: overlayfs takes only layers on mounts of the caller's own. */
	int r = unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
			? err_errno(err, "make a mount namespace to join the image's layers")
			: open_by_short_names(view, fds, &options, err);
	if (r == 0 && (mount("overlay", place, "overlay", MS_RDONLY, options.data) < 0 ||
		       (fd = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) < 0))
		r = err_errno(err, "join the image's layers");
	for (size_t i = 0; i < view->dirs->count; i++)
		fd_close(&fds[i]);
	return r < 0 ? r : fd;
}

int layer_view_open(const struct strlist *layer_dirs, bool in_userns, struct err *err)
{
	struct layer_view view = { layer_dirs, in_userns };

	if (layer_dirs->count == 1) {
		int fd = open(layer_dirs->items[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_errno(err, "open '%s'", layer_dirs->items[0]) : fd;
	}
	int fd = join_one_by_one(&view);
	if (fd < 0 && errno == EINVAL)
		return aside_run(ASIDE_SHARE_FILES, join_by_one_string, &view, err);
	return fd < 0 ? err_errno(err, "join the image's layers") : fd;
}
