/* /sys/fs/cgroup of the container, for reading.
 *
 * On a host with the unified hierarchy it is one mount. On v1 and hybrid hosts it is a tmpfs with a
 * directory a hierarchy, as programs expect it there that look up their memory limit. Only those
 * hierarchies appear in which the container has a group of its own, none for an ordinary user's:
 * the others would show the host's. Which these are /proc/self/cgroup tells before the cgroup namespace is made and all of
 * them read "/". */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/mount.h"

int child_read_cgroups(struct child *child)
{
	size_t size = 0;

	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return child_fail(child, CHILD_CGROUP_NAMESPACE, 0);
	while (size < sizeof(child->cgroups) - 1) {
		ssize_t n = read(fd, child->cgroups + size, sizeof(child->cgroups) - 1 - size);
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	child->cgroups[size] = '\0';
	close(fd);
	return 0;
}

/* Cut "ID:CONTROLLERS:PATH\n" at *at. Returns the controllers, NULL at the end; *ret_own tells
 * whether the group is not the root of its hierarchy. */
static char *next_hierarchy(char **at, bool *ret_own)
{
	char *line = *at;
	char *end = strchr(line, '\n');
	char *controllers = strchr(line, ':');

	if (!end || !controllers || controllers > end)
		return NULL;
	char *path = strchr(controllers + 1, ':');
	if (!path || path > end)
		return NULL;
	*at = end + 1;
	*path = *end = '\0';
	*ret_own = strcmp(path + 1, "/") != 0;
	return controllers + 1;
}

static int configure_v1(int context_fd, const char *controllers)
{
	char name[64];

	if (strncmp(controllers, "name=", 5) == 0)
		return fsconfig(context_fd, FSCONFIG_SET_STRING, "name", controllers + 5, 0);
	for (const char *at = controllers;;) {
		const char *end = strchrnul(at, ',');
		size_t size = (size_t)(end - at);
		if (size >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, at, size);
		name[size] = '\0';
		if (fsconfig(context_fd, FSCONFIG_SET_FLAG, name, NULL, 0) < 0)
			return -1;
		if (!*end)
			return 0;
		at = end + 1;
	}
}

static int make_hierarchy(const char *controllers, unsigned attributes)
{
	bool unified = !*controllers;
	int fd = -1;

	int context_fd = fsopen(unified ? "cgroup2" : "cgroup", FSOPEN_CLOEXEC);
	if (context_fd < 0)
		return -errno;
	(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", "cgroup", 0);
	if ((unified || configure_v1(context_fd, controllers) == 0) &&
	    fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context_fd, FSMOUNT_CLOEXEC, attributes);
	int r = fd < 0 ? -errno : fd;
	close(context_fd);
	return r;
}

/* Hierarchies of several controllers go by each of their names, too. */
static void link_controllers(int tree_fd, const char *controllers)
{
	char name[64];

	for (const char *at = controllers; strchr(controllers, ',');) {
		const char *end = strchrnul(at, ',');
		size_t size = (size_t)(end - at);
		if (size < sizeof(name)) {
			memcpy(name, at, size);
			name[size] = '\0';
			(void)symlinkat(controllers, tree_fd, name); /* a convenience */
		}
		if (!*end)
			return;
		at = end + 1;
	}
}

static int attach_hierarchy(int tree_fd, const char *controllers, unsigned attributes)
{
	const char *name = !*controllers			   ? "unified"
			   : strncmp(controllers, "name=", 5) == 0 ? controllers + 5
								   : controllers;
	int fd = make_hierarchy(controllers, attributes);

	if (fd < 0)
		return fd;
	int r = mkdirat(tree_fd, name, 0755) < 0 ? -errno : 0;
	int target_fd = -1;
	if (r == 0) {
		target_fd = openat(tree_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = target_fd < 0 ? -errno : mount_attach(fd, target_fd);
	}
	if (target_fd >= 0)
		close(target_fd);
	close(fd);
	if (r == 0)
		link_controllers(tree_fd, name);
	return r;
}

static int make_tree(void)
{
	int fd = -1;

	int context_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (context_fd < 0)
		return -errno;
	(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", "cgroup", 0);
	if (fsconfig(context_fd, FSCONFIG_SET_STRING, "mode", "755", 0) == 0 &&
	    fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context_fd, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int r = fd < 0 ? -errno : fd;
	close(context_fd);
	return r;
}

int child_mount_cgroup_v1(struct child *child, const struct plan_mount *mount, int index)
{
	unsigned attributes = (unsigned)mount->options.set & ~(unsigned)MOUNT_ATTR__ATIME;
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
	char *at = child->cgroups;
	bool own;

	int tree_fd = make_tree();
	if (tree_fd < 0)
		return child_fail_code(child, CHILD_MOUNT, index, tree_fd);
	int r = child_attach(child, tree_fd, mount, index, true);
	for (char *controllers; r == 0 && (controllers = next_hierarchy(&at, &own));) {
		if (!own)
			continue;
		r = attach_hierarchy(tree_fd, controllers, attributes);
		if (r < 0)
			r = child_fail_code(child, CHILD_MOUNT, index, r);
	}
	if (r == 0 && mount_setattr(tree_fd, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
		r = child_fail(child, CHILD_MOUNT_FLAGS, index);
	close(tree_fd);
	return r;
}
