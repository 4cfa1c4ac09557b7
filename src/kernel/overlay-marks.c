#include "kernel/overlay-marks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/file.h"

bool overlay_is_whiteout_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

bool overlay_is_whiteout_file(int fd)
{
	char value[1];

	return fgetxattr(fd, "trusted.overlay.whiteout", value, 0) >= 0 ||
	       fgetxattr(fd, "user.overlay.whiteout", value, 0) >= 0;
}

bool overlay_is_whiteout(int dir_fd, const char *name, const struct stat *st)
{
	if (overlay_is_whiteout_device(st))
		return true;
	if (!S_ISREG(st->st_mode) || st->st_size > 0)
		return false;
	autoclose int self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = file_open_regular(self_fd, dir_fd, name, O_NONBLOCK);
	return fd >= 0 && overlay_is_whiteout_file(fd);
}

bool overlay_is_opaque(int fd)
{
	char value;

	return (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}
