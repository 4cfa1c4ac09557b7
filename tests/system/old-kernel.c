/* Preloaded into davit: a kernel that lacks what OLD_KERNEL names, a list of words:
 *
 *	lowerdir    overlayfs does not know "lowerdir+" and says nothing about it, as before Linux 6.5
 *	lowerdir-2  it does not know it and tells at once, as up to Linux 6.7
 *	idmap       mounts cannot be mapped: no kernel's fault since 5.12, but that of many file systems
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int too_new_fd = -1; /* of a context that was told what its kernel does not know */

static int lacks(const char *what)
{
	const char *list = getenv("OLD_KERNEL");
	size_t size = strlen(what);

	for (const char *at = list; at && (at = strstr(at, what)); at += size)
		if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
			return 1;
	return 0;
}

static int refuse(void)
{
	errno = EINVAL;
	return -1;
}

int fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	if (command == FSCONFIG_SET_STRING && strcmp(key, "lowerdir+") == 0) {
		if (lacks("lowerdir-2"))
			return refuse();
		if (lacks("lowerdir")) {
			too_new_fd = fd;
			return 0;
		}
	}
	if (command == FSCONFIG_CMD_CREATE && fd == too_new_fd) {
		too_new_fd = -1;
		return refuse();
	}
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

int mount_setattr(int fd, const char *path, unsigned int flags, struct mount_attr *attributes,
		  size_t size)
{
	if (attributes->attr_set & MOUNT_ATTR_IDMAP && lacks("idmap"))
		return refuse();
	return (int)syscall(SYS_mount_setattr, fd, path, flags, attributes, size);
}
