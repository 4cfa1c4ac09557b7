#include "runtime/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/pidfd.h"
#include "runtime/child.h"

struct mapper {
	struct child child; /* for its plan and report; it is no container's process */
	int user_ns_fd;
	int fds[PLAN_MAPPED_MAX]; /* the root, then mounts in order */
};

/* A detached clone of what lies at the path, as it is. */
static int clone_plain(const char *path, bool recursive)
{
	return open_tree(AT_FDCWD, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0U));
}

/* Give a clone the IDs of the user namespace. `mapped_below`: so gets what is mounted below it. Returns the clone, which
 * is closed on failure. */
static int map_clone(const struct mapper *mapper, int fd, bool mapped_below)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)mapper->user_ns_fd,
	};
	unsigned flags = AT_EMPTY_PATH | (mapped_below ? AT_RECURSIVE : 0U);

	if (fd < 0 || mount_setattr(fd, "", flags, &attributes, sizeof(attributes)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Cover the path by its mapped self, so that overlayfs finds it there. */
static int cover(const struct mapper *mapper, const char *path)
{
	int fd = map_clone(mapper, clone_plain(path, false), false);
	if (fd < 0)
		return -1;
	int r = move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
	int saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* Upper and work directory have to be on one mount: that of the directory both are in. */
static int cover_upper(struct mapper *mapper)
{
	const struct oci_overlay *overlay = &mapper->child.plan->config->overlay;
	const char *slash = strrchr(overlay->upper, '/');
	char parent[PATH_MAX];
	size_t size = slash ? (size_t)(slash - overlay->upper) : 0;

	if (size == 0 || size >= sizeof(parent) ||
	    strncmp(overlay->work, overlay->upper, size + 1) != 0)
		return child_fail_code(&mapper->child, CHILD_OVERLAY_MAP, -1, EXDEV);
	memcpy(parent, overlay->upper, size);
	parent[size] = '\0';
	return cover(mapper, parent) < 0 ? child_fail(&mapper->child, CHILD_OVERLAY_MAP, -1) : 0;
}

/* overlayfs works on its layers as who mounted it. On a mapped mount the host's root is nobody who
 * could own a new file, so become the container's root in the eyes of file systems, with all our
 * capabilities. */
static int become_mapped_root(struct mapper *mapper)
{
	const struct userns_map *map = &mapper->child.plan->map;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uid_t uid = userns_id_to_host(map->uid, map->uid_count, mapper->child.plan->root_uid);
	gid_t gid = userns_id_to_host(map->gid, map->gid_count, mapper->child.plan->root_gid);

	(void)setfsgid(gid);
	(void)setfsuid(uid);
	if (syscall(SYS_capget, &header, data) < 0)
		return child_fail(&mapper->child, CHILD_OVERLAY_MAP, -1);
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return child_fail(&mapper->child, CHILD_OVERLAY_MAP, -1);
	return 0;
}

/* Whether one of the overlays before this mount has covered the directory. */
static bool is_covered(const struct launch_plan *plan, const char *path, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		const struct mount_options *options = &plan->mounts[i].options;
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND || !options->idmap)
			continue;
		for (size_t k = 0; k < options->option_count; k++)
			if (options->options[k].value &&
			    strcmp(options->options[k].value, path) == 0)
				return true;
	}
	return false;
}

static int map_root(struct mapper *mapper)
{
	const struct launch_plan *plan = mapper->child.plan;
	const struct oci_overlay *overlay = &plan->config->overlay;

	if (!plan->has_overlay) {
		int fd = map_clone(mapper, clone_plain(plan->root_source, true), true);
		if (fd < 0)
			return child_fail(&mapper->child, CHILD_OVERLAY_MAP, 0);
		mapper->fds[0] = fd;
		return 0;
	}
	for (size_t i = 0; i < overlay->lowers.count; i++)
		if (!is_covered(plan, overlay->lowers.items[i], plan->mount_count) &&
		    cover(mapper, overlay->lowers.items[i]) < 0)
			return child_fail(&mapper->child, CHILD_OVERLAY_MAP, (int)i);
	if (overlay->upper && cover_upper(mapper) < 0)
		return -1;
	if (become_mapped_root(mapper) < 0)
		return -1;
	int fd = child_make_overlay(&mapper->child);
	if (fd < 0)
		return -1;
	mapper->fds[0] = fd;
	return 0;
}

/* With option idmap what lies below has the container's IDs. What the container writes has them on
 * disk, for the upper directory is given to its root. */
static int make_overlay(struct mapper *mapper, const struct plan_mount *mount, int index)
{
	const struct mount_options *options = &mount->options;

	for (size_t i = 0; options->idmap && i < options->option_count; i++) {
		const struct file_system_option *option = &options->options[i];
		if (strncmp(option->key, "lowerdir", 8) == 0 &&
		    !is_covered(mapper->child.plan, option->value, (size_t)index) &&
		    cover(mapper, option->value) < 0)
			return child_fail(&mapper->child, CHILD_MOUNT_MAP, index);
	}
	return child_make_file_system(&mapper->child, mount, index, mount->type);
}

static int make_bind(struct mapper *mapper, const struct plan_mount *mount, int index)
{
	const struct mount_options *options = &mount->options;

	int fd = child_clone_source(mount);
	if (fd < 0)
		return child_fail(&mapper->child, CHILD_BIND_SOURCE, index);
	if (options->idmap)
		fd = map_clone(mapper, fd, options->idmap_recursive);
	return fd < 0 ? child_fail(&mapper->child, CHILD_MOUNT_MAP, index) : fd;
}

/* Each in its place behind the root. */
static int make_mounts(struct mapper *mapper, bool binds)
{
	const struct launch_plan *plan = mapper->child.plan;
	size_t at = plan->map_root;

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		if (!mount->by_mapper)
			continue;
		int *fd = &mapper->fds[at++];
		if ((mount->kind == PLAN_MOUNT_BIND) != binds)
			continue;
		*fd = binds ? make_bind(mapper, mount, (int)i)
			    : make_overlay(mapper, mount, (int)i);
		if (*fd < 0)
			return -1;
	}
	return 0;
}

static int send_go_with_mounts(struct mapper *mapper)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(mapper->fds))];
	} control = { 0 };
	size_t size = mapper->child.plan->mapped_count * sizeof(int);
	struct iovec part = { (char[]){ 'g' }, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = CMSG_SPACE(size),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&control.header), mapper->fds, size);
	if (sendmsg(mapper->child.control_fd, &message, MSG_NOSIGNAL) < 0)
		return child_fail(&mapper->child, CHILD_START, 0);
	return 0;
}

static _Noreturn void mapper_main(struct mapper *mapper, int report_fd)
{
	const struct launch_plan *plan = mapper->child.plan;
	int r = 0;

	/* Clones of mounts that shall stay connected to the host are taken while they are. */
	if (plan->bind_before_private)
		r = make_mounts(mapper, true);
	if (r == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		r = child_fail(&mapper->child, CHILD_PROPAGATION, 0);
	if (r == 0 && !plan->bind_before_private)
		r = make_mounts(mapper, true);
	/* The root last: it changes who we are for file systems. */
	if (r == 0)
		r = make_mounts(mapper, false);
	if (r == 0 && plan->map_root)
		r = map_root(mapper);
	if (r == 0)
		r = send_go_with_mounts(mapper);
	if (r < 0)
		(void)send(report_fd, &mapper->child.report, sizeof(mapper->child.report),
			   MSG_NOSIGNAL);
	_exit(0);
}

int mapper_send_mounts(const struct launch_plan *plan, int user_ns_fd, int control_fd,
		       struct err *err)
{
	struct mapper mapper = {
		.child = { .plan = plan,
			   .control_fd = control_fd,
			   .root_fd = -1,
			   .outer_root_fd = -1,
			   .proc_fd = -1 },
		.user_ns_fd = user_ns_fd,
	};
	struct child_report report;
	int pair[2], status = 0;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	pid_t pid = fork();
	if (pid == 0)
		mapper_main(&mapper, pair[1]);
	int saved = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		errno = saved;
		return err_errno(err, "fork");
	}
	do
		n = recv(pair[0], &report, sizeof(report), 0);
	while (n < 0 && errno == EINTR);
	close(pair[0]);
	(void)process_reap(pid, &status);
	if (n == (ssize_t)sizeof(report))
		return launch_plan_explain(plan, &report, err);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, EIO, "map the IDs of the root file system: the helper died");
	return 0;
}
