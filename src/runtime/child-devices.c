/* /dev of the container: nodes, links, the terminal.
 *
 * In the initial user namespace nodes are made; in others, and where making them is refused, the
 * host's nodes are bound. /dev was resolved once and every entry is made relative to a descriptor;
 * whatever lies in the way is not followed. */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/mount.h"

#define DEVPTS_MAGIC 0x1cd1

static const struct {
	const char *target, *name;
} links[] = {
	{ "/proc/self/fd", "fd" },	 { "/proc/self/fd/0", "stdin" },
	{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
	{ "pts/ptmx", "ptmx" },
};

static int bind_device(struct child *child, const struct plan_device *device)
{
	int r = 0;

	int fd = open_tree(AT_FDCWD, device->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -errno;
	int target_fd = mount_make_target(child->root_fd, device->path, 0);
	if (target_fd < 0)
		r = target_fd;
	if (r == 0)
		r = mount_attach(fd, target_fd);
	if (target_fd >= 0)
		close(target_fd);
	close(fd);
	return r;
}

static int same_device_exists(int dir_fd, const char *name, const struct plan_device *device)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	bool same = (st.st_mode & S_IFMT) == (device->type_and_mode & S_IFMT) &&
		    (S_ISFIFO(st.st_mode) || st.st_rdev == device->number);
	return same ? 0 : -EEXIST;
}

static int make_node(int dir_fd, const char *name, const struct plan_device *device)
{
	if (mknodat(dir_fd, name, device->type_and_mode, device->number) < 0)
		return errno == EEXIST ? same_device_exists(dir_fd, name, device) : -errno;
	if ((device->uid || device->gid) &&
	    fchownat(dir_fd, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* Open the directory of the device inside the root, making it when it is missing. */
static int open_parent(struct child *child, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t size = (size_t)(slash - path);

	if (size + 2 > sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, size);
	parent[size] = '\0';
	if (size == 0)
		memcpy(parent, "/", 2);
	*ret_name = slash + 1;
	return mount_make_target(child->root_fd, parent, MOUNT_TARGET_DIRECTORY);
}

static int make_device(struct child *child, const struct plan_device *device, int dev_fd)
{
	const char *name = device->path + strlen("/dev/");
	int dir_fd = dev_fd, r;

	if (child->plan->is_in_user_namespace)
		return bind_device(child, device);
	if (!device->is_default) {
		dir_fd = open_parent(child, device->path, &name);
		if (dir_fd < 0)
			return dir_fd;
	}
	r = make_node(dir_fd, name, device);
	if (dir_fd != dev_fd)
		close(dir_fd);
	return r == -EPERM || r == -EACCES ? bind_device(child, device) : r;
}

int child_make_devices(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	int dev_fd = -1;

	if (plan->make_default_devices) {
		dev_fd = mount_make_target(child->root_fd, "/dev",
					   MOUNT_TARGET_DIRECTORY | MOUNT_TARGET_NO_SYMLINKS);
		if (dev_fd < 0)
			return child_fail_code(child, CHILD_DEVICE_LINK, 0, dev_fd);
	}
	for (size_t i = 0; i < plan->device_count; i++) {
		int r = make_device(child, &plan->devices[i], dev_fd);
		if (r < 0)
			return child_fail_code(child, CHILD_DEVICE, (int)i, r);
	}
	if (dev_fd < 0)
		return 0;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		/* What the image, or a volume, has there is as good. */
		if (symlinkat(links[i].target, dev_fd, links[i].name) < 0 && errno != EEXIST)
			return child_fail(child, CHILD_DEVICE_LINK, (int)i);
	close(dev_fd);
	return 0;
}

/* ---- terminal ---- */

/* Let programs that look for /dev/console find the terminal. */
static int bind_console(struct child *child)
{
	int fd = open_tree(child->terminal_fd, "",
			   AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* A link would put it over a file of /proc. */
	int target_fd = mount_make_target(child->root_fd, "/dev/console", MOUNT_TARGET_NO_SYMLINKS);
	int r = target_fd < 0 ? target_fd : mount_attach(fd, target_fd);
	if (target_fd >= 0)
		close(target_fd);
	close(fd);
	return r;
}

/* Open what a path descriptor stands for. */
static int reopen(struct child *child, int path_fd, int flags)
{
	char path[32] = "self/fd/";
	size_t at = strlen(path);
	int digits = 1;

	for (int rest = path_fd; rest >= 10; rest /= 10)
		digits++;
	for (int i = digits, rest = path_fd; i > 0; rest /= 10)
		path[at + (size_t)--i] = (char)('0' + rest % 10);
	int fd = child_open_proc(child, path, flags | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int open_master(struct child *child)
{
	struct statfs fs;

	int fd = mount_open_in_root(child->root_fd, "/dev/pts/ptmx", 0, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd;
	/* An image could put any device there; only a devpts has terminals. */
	int r = fstatfs(fd, &fs) < 0 || fs.f_type != DEVPTS_MAGIC ? -ENODEV
								  : reopen(child, fd, O_RDWR);
	close(fd);
	return r;
}

int child_make_terminal(struct child *child, int *ret_master_fd)
{
	const struct oci_process *process = &child->plan->config->process;
	int unlock = 0;

	int master_fd = open_master(child);
	if (master_fd < 0)
		return child_fail_code(child, CHILD_TERMINAL, 0, master_fd);
	*ret_master_fd = master_fd;
	if (ioctl(master_fd, TIOCSPTLCK, &unlock) < 0)
		return child_fail(child, CHILD_TERMINAL, 0);
	child->terminal_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (child->terminal_fd < 0)
		return child_fail(child, CHILD_TERMINAL, 0);
	if (process->console_rows || process->console_columns) {
		struct winsize size = {
			.ws_row = process->console_rows,
			.ws_col = process->console_columns,
		};
		if (ioctl(child->terminal_fd, TIOCSWINSZ, &size) < 0)
			return child_fail(child, CHILD_TERMINAL, 0);
	}
	/* An ID that is not mapped can have no terminal of its own; it still has this one open. */
	if (process->uid && fchown(child->terminal_fd, process->uid, (gid_t)-1) < 0 &&
	    errno != EINVAL && errno != EPERM)
		return child_fail(child, CHILD_TERMINAL, 0);
	int r = child->plan->enters_container ? 0 : bind_console(child);
	return r < 0 ? child_fail_code(child, CHILD_TERMINAL, 0, r) : 0;
}

int child_open_null(struct child *child)
{
	struct stat st;

	int fd = mount_open_in_root(child->root_fd, "/dev/null", 0, RESOLVE_NO_SYMLINKS);
	if (fd >= 0) {
		int r = -ENODEV;
		if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			r = reopen(child, fd, O_RDWR);
		close(fd);
		if (r >= 0)
			return r;
	}
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}
