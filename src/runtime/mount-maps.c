/* An ID-mapped mount takes its map from a user namespace, which somebody has to be in while it is made: a process that
 * does nothing else. See mount_setattr(2), "ID-mapped mounts". */
#include "runtime/mount-maps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/pidfd.h"
#include "kernel/userns.h"
#include "oci/runtime-config.h"
#include "runtime/mount-options.h"

static bool same_extents(const struct id_extent *a, size_t a_count, const struct id_extent *b,
			 size_t b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof(*a)) == 0;
}

static bool has_own_maps(const struct oci_runtime_config *config, const struct oci_mount *mount)
{
	if (!mount->uid_map_count)
		return false;
	return !config->namespaces[OCI_NS_USER].wanted ||
	       !same_extents(mount->uid_maps, mount->uid_map_count, config->uid_maps,
			     config->uid_map_count) ||
	       !same_extents(mount->gid_maps, mount->gid_map_count, config->gid_maps,
			     config->gid_map_count);
}

/* The child's part: says when it is there, and stays until the other end is closed. */
static _Noreturn void be_in_namespace(int fd)
{
	char byte = 0;

	if (unshare(CLONE_NEWUSER) < 0)
		byte = (char)errno;
	if (send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		(void)recv(fd, &byte, 1, 0);
	_exit(0);
}

static int open_map(pid_t pid, int fd, const struct userns_map *map, struct err *err)
{
	char path[40], byte;

	if (recv(fd, &byte, 1, 0) != 1)
		return err_set(err, EIO, "make a user namespace: the helper died");
	if (byte)
		return userns_explain_refusal(byte, err);
	int r = userns_write_maps(pid, map, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? err_errno(err, "open '%s'", path) : r;
}

static int make_map(const struct oci_mount *mount, struct err *err)
{
	const struct userns_map map = {
		.uid = mount->uid_maps,
		.gid = mount->gid_maps,
		.uid_count = mount->uid_map_count,
		.gid_count = mount->gid_map_count,
	};
	int pair[2], status;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		be_in_namespace(pair[1]);
	}
	int r = pid < 0 ? err_errno(err, "fork") : 0;
	close(pair[1]);
	if (r == 0)
		r = open_map(pid, pair[0], &map, err);
	close(pair[0]);
	if (pid > 0)
		(void)process_reap(pid, &status);
	return r;
}

static int refuse_user(struct err *err)
{
	return err_set(err, EPERM,
		       "uidMappings and gidMappings are for root of the host only: the kernel lets "
		       "nobody else map the IDs of a file system");
}

static int map_mount(struct oci_mount *mount, const struct mount_options *options, struct err *err)
{
	if (geteuid() != 0)
		return refuse_user(err);
	autoclose int map_fd = make_map(mount, err);
	if (map_fd < 0)
		return map_fd;
	autoclose int fd = open_tree(AT_FDCWD, mount->source,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
					     (options->bind_recursive ? AT_RECURSIVE : 0U));
	if (fd < 0)
		return err_errno(err, "open '%s'", mount->source);
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)map_fd,
	};
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (options->idmap_recursive ? AT_RECURSIVE : 0U),
			  &attributes, sizeof(attributes)) < 0) {
		if (errno == EPERM)
			return refuse_user(err);
		return err_errno(err, "map the IDs of '%s'; its file system may not be able to",
				 mount->source);
	}
	/* It was cloned out of the host's mounts, and would stay connected with them. */
	attributes = (struct mount_attr){ .propagation = MS_PRIVATE };
	if (!options->propagation && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
						   &attributes, sizeof(attributes)) < 0)
		return err_errno(err, "disconnect the mount of '%s'", mount->source);
	/* The runtime takes 0 for none. */
	mount->mount_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return mount->mount_fd < 0 ? err_errno(err, "keep the mount of '%s'", mount->source) : 0;
}

int runtime_map_mounts(struct oci_runtime_config *config, struct err *err)
{
	for (size_t i = 0; i < config->mount_count; i++) {
		struct oci_mount *mount = &config->mounts[i];
		struct mount_options options;
		if (!has_own_maps(config, mount) || mount->mount_fd > 0)
			continue;
		int r = mount_options_parse(&mount->options, &options, err);
		if (r == 0) {
			r = map_mount(mount, &options, err);
			mount_options_clear(&options);
		}
		if (r < 0) {
			runtime_close_mapped_mounts(config);
			return err_wrap(err, "mount '%s'", mount->destination);
		}
	}
	return 0;
}

void runtime_close_mapped_mounts(struct oci_runtime_config *config)
{
	for (size_t i = 0; i < config->mount_count; i++) {
		struct oci_mount *mount = &config->mounts[i];
		if (!has_own_maps(config, mount) || mount->mount_fd <= 0)
			continue;
		close(mount->mount_fd);
		mount->mount_fd = 0;
	}
}
