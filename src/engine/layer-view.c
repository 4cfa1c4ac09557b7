#include "engine/layer-view.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

static int add_lowers(int context_fd, const struct strlist *layer_dirs)
{
	for (size_t i = 0; i < layer_dirs->count; i++)
		if (fsconfig(context_fd, FSCONFIG_SET_STRING, "lowerdir+", layer_dirs->items[i],
			     0) < 0) {
			if (errno != EINVAL || i > 0)
				return -1;
			/* Kernels before "lowerdir+". */
			autofree char *joined = strlist_join(layer_dirs, ":");
			return fsconfig(context_fd, FSCONFIG_SET_STRING, "lowerdir", joined, 0);
		}
	return 0;
}

int layer_view_open(const struct strlist *layer_dirs, bool in_userns, struct err *err)
{
	if (layer_dirs->count == 1) {
		int fd = open(layer_dirs->items[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_errno(err, "open '%s'", layer_dirs->items[0]) : fd;
	}
	autoclose int context_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context_fd < 0 || add_lowers(context_fd, layer_dirs) < 0 ||
	    (in_userns && fsconfig(context_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) ||
	    fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_errno(err, "join the image's layers");
	int fd = fsmount(context_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	return fd < 0 ? err_errno(err, "mount the image's layers") : fd;
}
