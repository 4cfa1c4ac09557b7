/* The container's file systems.
 *
 * The new root is made as a detached mount and put on top of "/", where no absolute path can see
 * it: until pivot_root(2) the host's tree stays what "/" means, so sources and devices of the host
 * are opened by their names and everything of the container through root_fd. No directory of the
 * host is needed as a mount point. Every target is resolved by openat2(2) inside the root and
 * mounted on by descriptor, so a link in the image, or in a volume that another container writes
 * to, cannot send a mount elsewhere. */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include "runtime/copy-up.h"

/* fsconfig(2) takes values of up to 255 bytes. */
#define FSCONFIG_VALUE_MAX 255

static int set_attributes(int fd, unsigned flags, uint64_t set, uint64_t clear,
			  unsigned long propagation)
{
	struct mount_attr attributes = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};

	return mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attributes, sizeof(attributes));
}

/* Keep what the kernel says about a file system it refuses: "e overlay: …" lines. */
static int fail_context(struct child *child, enum child_step step, int index, int context_fd)
{
	int code = errno;
	char said[256];

	ssize_t n = read(context_fd, said, sizeof(said));
	child_fail_code(child, step, index, code);
	if (n > 2) {
		size_t size = (size_t)n - 2;
		if (size >= sizeof(child->report.said))
			size = sizeof(child->report.said) - 1;
		memcpy(child->report.said, said + 2, size);
		while (size > 0 && child->report.said[size - 1] == '\n')
			size--;
		child->report.said[size] = '\0';
	}
	return -1;
}

#define FD_PATH_MAX 32

/* "/proc/self/fd/N". Returns its length. */
static size_t fd_path(char path[FD_PATH_MAX], int fd)
{
	static const char prefix[] = "/proc/self/fd/";
	size_t start = sizeof(prefix) - 1, digits = 1;

	memcpy(path, prefix, start);
	for (int rest = fd; rest >= 10; rest /= 10)
		digits++;
	path[start + digits] = '\0';
	for (size_t at = start + digits; at > start; fd /= 10)
		path[--at] = (char)('0' + fd % 10);
	return start + digits;
}

/* ---- bind mounts ---- */

int child_clone_source(const struct plan_mount *mount)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	if (mount->options.bind_recursive)
		flags |= AT_RECURSIVE;
	if (!mount->subpath)
		return open_tree(AT_FDCWD, mount->source, flags);
	/* Containers write to the source: their links lead nowhere else. */
	int root_fd = open(mount->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -1;
	int fd = mount_open_in_root(root_fd, mount->subpath, 0, RESOLVE_NO_MAGICLINKS);
	close(root_fd);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	int tree_fd = open_tree(fd, "", flags | AT_EMPTY_PATH);
	int saved = errno;
	close(fd);
	errno = saved;
	return tree_fd;
}

int child_open_bind_sources(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	size_t mapped = plan->map_root;

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		child->bind_fds[i] = -1;
		if (mount->by_mapper) {
			child->bind_fds[i] = child->mapped_fds[mapped++];
			continue;
		}
		if (mount->kind != PLAN_MOUNT_BIND)
			continue;
		if (mount->mount_fd > 0) {
			child->bind_fds[i] = mount->mount_fd;
			continue;
		}
		child->bind_fds[i] = child_clone_source(mount);
		if (child->bind_fds[i] < 0)
			return child_fail(child, CHILD_BIND_SOURCE, (int)i);
	}
	return 0;
}

static int set_bind_flags(struct child *child, int fd, const struct plan_mount *mount)
{
	const struct mount_options *options = &mount->options;

	if ((options->set || options->clear) &&
	    set_attributes(fd, 0, options->set, options->clear, 0) < 0)
		return -1;
	if ((options->tree_set || options->tree_clear) &&
	    set_attributes(fd, AT_RECURSIVE, options->tree_set, options->tree_clear, 0) < 0)
		return -1;
	/* Clones made after all became private are private. */
	if (options->propagation)
		return set_attributes(fd, options->propagation_recursive ? AT_RECURSIVE : 0, 0, 0,
				      options->propagation);
	if (child->plan->bind_before_private)
		return set_attributes(fd, AT_RECURSIVE, 0, 0, MS_PRIVATE);
	return 0;
}

static int open_target(struct child *child, const struct plan_mount *mount, bool directory)
{
	enum mount_target kind = directory ? MOUNT_TARGET_DIRECTORY : 0;

	if (mount->no_symlinks)
		kind |= MOUNT_TARGET_NO_SYMLINKS;
	return mount_make_target(child->root_fd, mount->target, kind);
}

int child_attach(struct child *child, int fd, const struct plan_mount *mount, int index,
		 bool directory)
{
	int target_fd = open_target(child, mount, directory);
	if (target_fd < 0)
		return child_fail_code(child, CHILD_MOUNT_TARGET, index, target_fd);
	int r = mount_attach(fd, target_fd);
	close(target_fd);
	return r < 0 ? child_fail_code(child, CHILD_MOUNT, index, r) : 0;
}

static int mount_bind(struct child *child, const struct plan_mount *mount, int index)
{
	int fd = child->bind_fds[index];
	struct stat st;

	if (set_bind_flags(child, fd, mount) < 0)
		return child_fail(child, CHILD_MOUNT_FLAGS, index);
	if (fstat(fd, &st) < 0)
		return child_fail(child, CHILD_BIND_SOURCE, index);
	int r = child_attach(child, fd, mount, index, S_ISDIR(st.st_mode));
	close(fd);
	child->bind_fds[index] = -1;
	return r;
}

/* ---- other file systems ---- */

/* A user namespace that does not own the network, process or IPC namespace may not mount what shows
 * it; the host's mount of the same is bound, with every flag it has locked. */
static int mount_fallback(struct child *child, const struct plan_mount *mount, int index)
{
	const struct mount_options *options = &mount->options;
	int fd = open_tree(AT_FDCWD, mount->fallback_source,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0) {
		/* Not every host shows its message queues; a container can live without. */
		if (errno == ENOENT && strcmp(mount->type, "mqueue") == 0)
			return 0;
		return child_fail(child, CHILD_MOUNT, index);
	}
	if (set_attributes(fd, AT_RECURSIVE, options->set & ~(uint64_t)MOUNT_ATTR__ATIME, 0, 0) <
	    0) {
		child_fail(child, CHILD_MOUNT_FLAGS, index);
		close(fd);
		return -1;
	}
	int r = child_attach(child, fd, mount, index, true);
	close(fd);
	return r;
}

/* A detached mount of a new file system, -1 with errno after noting what it was. */
int child_make_file_system(struct child *child, const struct plan_mount *mount, int index,
			   const char *type)
{
	const struct mount_options *options = &mount->options;
	size_t directory = mount->first_directory;
	bool is_overlay = strcmp(type, "overlay") == 0;
	int context_fd = fsopen(type, FSOPEN_CLOEXEC);

	if (context_fd < 0)
		return child_fail(child, CHILD_MOUNT, index);
	if (mount->source && *mount->source)
		(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", mount->source, 0);
	for (size_t i = 0; i < options->option_count; i++) {
		const struct file_system_option *option = &options->options[i];
		const char *value = option->value;
		char by_fd[FD_PATH_MAX];
		if (child->directory_fds && is_overlay && plan_option_is_directory(option)) {
			(void)fd_path(by_fd, child->directory_fds[directory++]);
			value = by_fd;
		}
		int r = fsconfig(context_fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
				 option->key, value, 0);
		if (r < 0) {
			fail_context(child, CHILD_MOUNT_OPTION, index, context_fd);
			child->report.detail = (int)i;
			close(context_fd);
			return -1;
		}
	}
	int fd = -1;
	if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		fail_context(child, CHILD_MOUNT, index, context_fd);
	} else {
		unsigned attributes = (unsigned)options->set;
		if (options->copy_up)
			attributes &= ~(unsigned)MOUNT_ATTR_RDONLY;
		fd = fsmount(context_fd, FSMOUNT_CLOEXEC, attributes);
		if (fd < 0)
			child_fail(child, CHILD_MOUNT, index);
	}
	close(context_fd);
	return fd;
}

static int copy_up(struct child *child, const struct plan_mount *mount, int index, int fd)
{
	int from_fd = mount_open_in_root(child->root_fd, mount->target, O_DIRECTORY, 0);
	bool with_mode = true;

	for (size_t i = 0; i < mount->options.option_count; i++)
		if (strcmp(mount->options.options[i].key, "mode") == 0)
			with_mode = false;
	if (from_fd >= 0) {
		int r = copy_up_directory(from_fd, fd, with_mode);
		close(from_fd);
		if (r < 0)
			return child_fail_code(child, CHILD_MOUNT_COPY_UP, index, r);
	} else if (from_fd != -ENOENT && from_fd != -ENOTDIR) {
		return child_fail_code(child, CHILD_MOUNT_COPY_UP, index, from_fd);
	}
	if ((mount->options.set & MOUNT_ATTR_RDONLY) &&
	    set_attributes(fd, 0, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return child_fail(child, CHILD_MOUNT_FLAGS, index);
	return 0;
}

static int mount_file_system(struct child *child, const struct plan_mount *mount, int index)
{
	int fd = mount->by_mapper ? child->bind_fds[index]
				  : child_make_file_system(child, mount, index, mount->type);

	if (fd < 0) {
		bool refused = child->report.code == EPERM || child->report.code == EACCES;
		return refused && mount->fallback_source ? mount_fallback(child, mount, index) : -1;
	}
	if (mount->options.copy_up && copy_up(child, mount, index, fd) < 0) {
		close(fd);
		return -1;
	}
	int r = child_attach(child, fd, mount, index, true);
	close(fd);
	return r;
}

static int mount_cgroup(struct child *child, const struct plan_mount *mount, int index)
{
	const struct launch_plan *plan = child->plan;

	/* In the host's cgroup namespace, the host's view. */
	if (plan->shows_cgroup_v1 && !plan->config->namespaces[OCI_NS_CGROUP].wanted)
		return mount_fallback(child, mount, index);
	if (plan->shows_cgroup_v1)
		return child_mount_cgroup_v1(child, mount, index);
	int fd = child_make_file_system(child, mount, index, "cgroup2");
	if (fd < 0)
		return mount_fallback(child, mount, index);
	int r = child_attach(child, fd, mount, index, true);
	close(fd);
	return r;
}

int child_mount_all(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		int r = -1;
		switch (mount->kind) {
		case PLAN_MOUNT_BIND:
			r = mount_bind(child, mount, (int)i);
			break;
		case PLAN_MOUNT_FILE_SYSTEM:
			r = mount_file_system(child, mount, (int)i);
			break;
		case PLAN_MOUNT_CGROUP:
			r = mount_cgroup(child, mount, (int)i);
			break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the root ---- */

static const char *layer_path(const struct oci_overlay *overlay, size_t index)
{
	size_t lowers = overlay->lowers.count;

	return index < lowers	 ? overlay->lowers.items[index]
	       : index == lowers ? overlay->upper
				 : overlay->work;
}

static int open_directories(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	size_t at = 0;

	for (size_t i = 0; i < plan->mount_count && at < plan->directory_count; i++) {
		const struct mount_options *options = &plan->mounts[i].options;
		if (plan->mounts[i].kind == PLAN_MOUNT_BIND ||
		    strcmp(plan->mounts[i].type, "overlay") != 0)
			continue;
		for (size_t k = 0; k < options->option_count; k++) {
			if (!plan_option_is_directory(&options->options[k]))
				continue;
			int fd = open(options->options[k].value, O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0) {
				child_fail(child, CHILD_MOUNT_OPTION, (int)i);
				child->report.detail = (int)k;
				return -1;
			}
			child->directory_fds[at++] = fd;
		}
	}
	return 0;
}

/* While we are the user: who we become then is not let through his directories. */
int child_open_layers(struct child *child)
{
	const struct oci_overlay *overlay = &child->plan->config->overlay;
	size_t lowers = overlay->lowers.count;

	if (child->directory_fds && open_directories(child) < 0)
		return -1;
	if (!child->plan->has_overlay) {
		child->layer_fds = NULL;
		return 0;
	}
	for (size_t i = 0; i < lowers + (overlay->upper ? 2 : 0); i++) {
		child->layer_fds[i] =
			open(layer_path(overlay, i), O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (child->layer_fds[i] < 0)
			return child_fail(child, CHILD_OVERLAY, i < lowers ? (int)i : -1);
	}
	return 0;
}

/* Layers by path. A path too long for fsconfig(2) goes by descriptor. */
static int set_layer(struct child *child, int context_fd, const char *key, size_t index)
{
	const char *path = layer_path(&child->plan->config->overlay, index);
	char by_fd[FD_PATH_MAX];
	bool is_open = child->layer_fds != NULL;

	if (!is_open && strlen(path) <= FSCONFIG_VALUE_MAX)
		return fsconfig(context_fd, FSCONFIG_SET_STRING, key, path, 0);
	int fd = is_open ? child->layer_fds[index] : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	(void)fd_path(by_fd, fd);
	int r = fsconfig(context_fd, FSCONFIG_SET_STRING, key, by_fd, 0);
	int saved = errno;
	if (!is_open)
		close(fd);
	errno = saved;
	return r;
}

/* A volatile overlay leaves a mark that forbids its next mount, since a crash of the machine may
 * have torn it. After a mere restart of the container it is whole; who may have crashed in between
 * removes such containers. */
static bool remove_volatile_mark(struct child *child)
{
	const struct oci_overlay *overlay = &child->plan->config->overlay;
	const char *mark = child->plan->volatile_mark;
	int dir_fd = AT_FDCWD;

	if (!mark)
		return false;
	if (child->layer_fds) {
		dir_fd = child->layer_fds[overlay->lowers.count + 1];
		mark += strlen(overlay->work) + 1;
	}
	int fd = openat(dir_fd, mark, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)unlinkat(fd, "dirty", 0); /* older kernels have the directory only */
	close(fd);
	return unlinkat(dir_fd, mark, AT_REMOVEDIR) == 0;
}

/* The options by descriptors instead of names. Returns whether they fit. */
static bool options_by_fd(const struct child *child, const int *fds, char *text, size_t size)
{
	const struct oci_overlay *overlay = &child->plan->config->overlay;
	size_t lowers = overlay->lowers.count, at = 0;

	for (size_t i = 0; i < lowers + (overlay->upper ? 2 : 0); i++) {
		const char *before = i == 0	   ? "lowerdir="
				     : i < lowers  ? ":"
				     : i == lowers ? ",upperdir="
						   : ",workdir=";
		if (at + strlen(before) + FD_PATH_MAX + sizeof(",volatile,userxattr") > size)
			return false;
		memcpy(text + at, before, strlen(before));
		at += strlen(before);
		at += fd_path(text + at, fds[i]);
	}
	const char *ends[] = { overlay->upper && overlay->is_volatile ? ",volatile" : "",
			       child->plan->overlay_userxattr ? ",userxattr" : "" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		memcpy(text + at, ends[i], strlen(ends[i]) + 1);
		at += strlen(ends[i]);
	}
	return true;
}

static int mount_string(struct child *child, const char *place, const char *options)
{
	int r = mount("overlay", place, "overlay", 0, options);

	if (r < 0 && remove_volatile_mark(child))
		r = mount("overlay", place, "overlay", 0, options);
	if (r < 0)
		return child_fail(child, CHILD_OVERLAY, -1);
	int fd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? child_fail(child, CHILD_OVERLAY, -1) : fd;
}

/* Names of many layers do not fit, descriptors of 200 do. */
static int open_to_shorten(struct child *child, int *fds, size_t size)
{
	const struct oci_overlay *overlay = &child->plan->config->overlay;
	size_t count = overlay->lowers.count + (overlay->upper ? 2 : 0);

	if (count > size)
		return child_fail_code(child, CHILD_OVERLAY, -1, E2BIG);
	for (size_t i = 0; i < count; i++) {
		fds[i] = open(layer_path(overlay, i), O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			return child_fail(child, CHILD_OVERLAY, -1);
	}
	return 0;
}

/* Kernels before "lowerdir+": one string, which has to fit a page, on a directory. */
static int mount_overlay_by_string(struct child *child, bool *ret_attached)
{
	const struct launch_plan *plan = child->plan;
	const char *place =
		plan->config->root_path ? plan->config->root_path : plan->config->overlay.upper;
	char options[4096];
	int fds[sizeof(options) / sizeof("/proc/self/fd/0")];

	*ret_attached = true;
	if (!place)
		place = plan->config->overlay.lowers.items[0];
	bool is_short = strlen(plan->overlay_fallback) < sizeof(options);
	if (!child->layer_fds && is_short)
		return mount_string(child, place, plan->overlay_fallback);
	bool had_fds = child->layer_fds;
	if (!had_fds && open_to_shorten(child, fds, sizeof(fds) / sizeof(fds[0])) < 0)
		return -1;
	if (!options_by_fd(child, had_fds ? child->layer_fds : fds, options, sizeof(options)))
		return child_fail_code(child, CHILD_OVERLAY, -1, E2BIG);
	if (!had_fds)
		return mount_string(child, place, options);
	/* A directory that whoever we have become may reach; it is moved to "/" from there. */
	*ret_attached = false;
	return mount_string(child, "/proc", options);
}

static int configure_overlay(struct child *child, int context_fd, bool *ret_too_old)
{
	const struct oci_overlay *overlay = &child->plan->config->overlay;

	for (size_t i = 0; i < overlay->lowers.count; i++)
		if (set_layer(child, context_fd, "lowerdir+", i) < 0) {
			*ret_too_old = i == 0 && errno == EINVAL;
			return fail_context(child, CHILD_OVERLAY, (int)i, context_fd);
		}
	size_t upper = overlay->lowers.count;
	if (overlay->upper && (set_layer(child, context_fd, "upperdir", upper) < 0 ||
			       set_layer(child, context_fd, "workdir", upper + 1) < 0))
		return fail_context(child, CHILD_OVERLAY, -1, context_fd);
	if (overlay->upper && overlay->is_volatile &&
	    fsconfig(context_fd, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return fail_context(child, CHILD_OVERLAY, -1, context_fd);
	if (child->plan->overlay_userxattr &&
	    fsconfig(context_fd, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return fail_context(child, CHILD_OVERLAY, -1, context_fd);
	if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		/* Before Linux 6.5 overlayfs sees its options only now, and says nothing of them
		 * here. */
		bool invalid = errno == EINVAL;
		fail_context(child, CHILD_OVERLAY, -1, context_fd);
		*ret_too_old = invalid && !child->report.said[0];
		return -1;
	}
	return 0;
}

/* A descriptor of the root mount; *ret_attached tells whether it has its place already. */
static int make_overlay(struct child *child, bool *ret_attached)
{
	bool too_old = false;
	int fd = -1;

	int context_fd = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context_fd < 0)
		return child_fail(child, CHILD_OVERLAY, -1);
	(void)fsconfig(context_fd, FSCONFIG_SET_STRING, "source", "overlay", 0);
	int r = configure_overlay(child, context_fd, &too_old);
	if (r < 0 && !too_old && remove_volatile_mark(child)) {
		close(context_fd);
		context_fd = fsopen("overlay", FSOPEN_CLOEXEC);
		r = configure_overlay(child, context_fd, &too_old);
	}
	if (r == 0) {
		fd = fsmount(context_fd, FSMOUNT_CLOEXEC, 0);
		if (fd < 0)
			fail_context(child, CHILD_OVERLAY, -1, context_fd);
	}
	close(context_fd);
	if (too_old)
		fd = mount_overlay_by_string(child, ret_attached);
	return fd;
}

int child_make_overlay(struct child *child)
{
	bool attached = false;

	int fd = make_overlay(child, &attached);
	if (fd < 0 || !attached)
		return fd;
	/* Kernels before "lowerdir+": take it off its place again. */
	int clone_fd = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	close(fd);
	return clone_fd < 0 ? child_fail(child, CHILD_OVERLAY, -1) : clone_fd;
}

int child_open_root(struct child *child)
{
	child->root_fd = open_tree(AT_FDCWD, child->plan->root_source,
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (child->root_fd < 0)
		return child_fail(child, CHILD_ROOT, 0);
	if (child->plan->bind_before_private &&
	    set_attributes(child->root_fd, AT_RECURSIVE, 0, 0, MS_PRIVATE) < 0)
		return child_fail(child, CHILD_ROOT, 0);
	return 0;
}

int child_mount_root(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	bool attached = false;

	if (plan->map_root) {
		child->root_fd = child->mapped_fds[0];
	} else if (plan->has_overlay) {
		child->root_fd = make_overlay(child, &attached);
		if (child->root_fd < 0)
			return -1;
	} else if (child->root_fd < 0 && child_open_root(child) < 0) {
		return -1;
	}
	if (plan->root_is_layer && set_attributes(child->root_fd, 0, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return child_fail(child, CHILD_ROOT, 0);
	/* Hooks look for it at the path that the configuration names. */
	const char *place =
		plan->has_creation_hooks && plan->config->root_path ? plan->config->root_path : "/";
	if (!attached &&
	    move_mount(child->root_fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return child_fail(child, CHILD_ROOT, 0);
	return 0;
}

/* 1, 0, -1 with errno. A directory that is mounted twice has one inode, but not one mount. */
static int is_same_place(int one_fd, int other_fd)
{
	struct statx one, other;

	if (statx(one_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &one) < 0 ||
	    statx(other_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &other) < 0)
		return -1;
	return one.stx_mnt_id == other.stx_mnt_id && one.stx_ino == other.stx_ino;
}

/* setns(2), even into the namespace one is in, leads to that namespace's root: out of a chroot(2). */
static int go_to_outer_root(void)
{
	int self_fd = pidfd_open_process(getpid());

	if (self_fd < 0)
		return -1;
	int r = setns(self_fd, CLONE_NEWNS);
	close(self_fd);
	return r;
}

/* Who calls davit inside a chroot(2) sees a part of the tree as "/". To put aside that part only would leave all
 * around it in the container's namespace, where exec, cp and any process with CAP_SYS_CHROOT get to it. */
int child_make_private(struct child *child)
{
	int here_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), outer_fd = -1, same = -1;

	if (here_fd >= 0 && go_to_outer_root() == 0) {
		outer_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (outer_fd >= 0)
			same = is_same_place(here_fd, outer_fd);
	}
	/* Private in the whole namespace. Until the pivot, the caller's names are the ones that count. */
	if (same < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    (!same && (fchdir(here_fd) < 0 || chroot(".") < 0)))
		return child_fail(child, CHILD_PROPAGATION, 0);
	close(here_fd);
	if (same)
		close(outer_fd);
	else
		child->outer_root_fd = outer_fd;
	return 0;
}

static int pivot(struct child *child)
{
	if (child->outer_root_fd >= 0 && (fchdir(child->outer_root_fd) < 0 || chroot(".") < 0))
		return -1;
	/* The old root ends up on top of the new one, and goes. No put_old directory needed. */
	return fchdir(child->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
			       umount2(".", MNT_DETACH) < 0
		       ? -1
		       : 0;
}

/* Where "/" is the initial ramdisk there is no root to put aside. It stays below. */
static int enter_by_chroot(struct child *child)
{
	if (fchdir(child->root_fd) < 0 ||
	    (child->plan->has_creation_hooks && child->plan->config->root_path &&
	     mount(".", "/", NULL, MS_MOVE, NULL) < 0))
		return -1;
	return chroot(".");
}

int child_pivot(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (plan->root_readonly && set_attributes(child->root_fd, 0, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return child_fail(child, CHILD_PIVOT, 0);
	if ((plan->config->no_pivot ? enter_by_chroot(child) : pivot(child)) < 0 || chdir("/") < 0)
		return child_fail(child, CHILD_PIVOT, 0);
	if (plan->root_propagation != (MS_PRIVATE | MS_REC) &&
	    mount(NULL, "/", NULL, plan->root_propagation, NULL) < 0)
		return child_fail(child, CHILD_PIVOT, 0);
	return 0;
}

/* ---- masked and read-only paths ---- */

static int mask_one(struct child *child, const char *path, int *empty_fd)
{
	struct stat st;
	int from_fd = -1, r = 0;
	bool is_new = false;

	int target_fd = mount_open_in_root(child->root_fd, path, 0, 0);
	if (target_fd == -ENOENT || target_fd == -ENOTDIR || target_fd == -EACCES)
		return 0; /* what is not there, or not for root either, needs no mask */
	if (target_fd < 0)
		return target_fd;
	if (fstat(target_fd, &st) < 0) {
		r = -errno;
	} else if (S_ISDIR(st.st_mode)) {
		/* One empty file system serves all of them: its first mount goes to the first
		 * place, clones of that to the others. (Before Linux 6.15 what has no place yet
		 * cannot be cloned.) */
		if (*empty_fd < 0) {
			is_new = true;
			int context_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
			if (context_fd >= 0 &&
			    fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
				*empty_fd = fsmount(context_fd, FSMOUNT_CLOEXEC,
						    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
			r = *empty_fd < 0 ? -errno : 0;
			if (context_fd >= 0)
				close(context_fd);
		}
		from_fd = *empty_fd;
	} else {
		from_fd = child->null_fd;
	}
	if (r == 0 && is_new) {
		r = mount_attach(from_fd, target_fd);
	} else if (r == 0) {
		int fd =
			open_tree(from_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		r = fd < 0 ? -errno : mount_attach(fd, target_fd);
		if (fd >= 0)
			close(fd);
	}
	close(target_fd);
	return r;
}

static int make_read_only(struct child *child, const char *path)
{
	int target_fd = mount_open_in_root(child->root_fd, path, 0, 0);

	if (target_fd == -ENOENT || target_fd == -ENOTDIR)
		return 0;
	if (target_fd < 0)
		return target_fd;
	int fd = open_tree(target_fd, "",
			   AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	int r = fd < 0 ? -errno : 0;
	if (r == 0 && set_attributes(fd, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = mount_attach(fd, target_fd);
	if (fd >= 0)
		close(fd);
	close(target_fd);
	return r;
}

int child_mask_paths(struct child *child)
{
	const struct oci_runtime_config *config = child->plan->config;
	int empty_fd = -1;

	if (config->masked_paths.count) {
		child->null_fd = open("/dev/null", O_PATH | O_CLOEXEC);
		if (child->null_fd < 0)
			return child_fail(child, CHILD_MASK, 0);
	}
	for (size_t i = 0; i < config->masked_paths.count; i++) {
		int r = mask_one(child, config->masked_paths.items[i], &empty_fd);
		if (r < 0)
			return child_fail_code(child, CHILD_MASK, (int)i, r);
	}
	for (size_t i = 0; i < config->readonly_paths.count; i++) {
		int r = make_read_only(child, config->readonly_paths.items[i]);
		if (r < 0)
			return child_fail_code(child, CHILD_READONLY, (int)i, r);
	}
	if (empty_fd >= 0)
		close(empty_fd);
	return 0;
}
