/* Mounts by descriptor, and paths inside a hostile root.
 *
 * These functions are called between clone3(2) and execve(2): only async-signal-safe calls, results
 * as -errno. The thin names for fsopen(2), move_mount(2) and friends are glibc's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A path descriptor of `path` as seen by a process whose root is `root_fd`: no link, "..", or race
 * with another process leads outside. `resolve` adds RESOLVE_* flags of openat2(2), `flags` add to
 * O_PATH | O_CLOEXEC. -EAGAIN is retried. */
int mount_open_in_root(int root_fd, const char *path, int flags, uint64_t resolve);

/* Open what lies there for reading, if it is a plain file: what is made up by the kernel (/proc/kmsg) or is no file may have
 * effects already when it is opened, or never end. -EINVAL if it is something else. */
int mount_open_plain_file(int root_fd, const char *path);

enum mount_target {
	MOUNT_TARGET_DIRECTORY = 1 << 0,   /* what is missing at the end becomes a directory, not an
					      empty file */
	MOUNT_TARGET_NO_SYMLINKS = 1 << 1, /* any link in the path is -ELOOP */
};

/* The same, and what is missing is made: directories 0755, files 0644. Dangling links of the image,
 * such as /etc/resolv.conf → ../run/…, are followed inside the root and their target is made. */
int mount_make_target(int root_fd, const char *path, enum mount_target kind);

/* Put the detached mount on the target. Both descriptors are borrowed. 0 or -errno. */
int mount_attach(int mount_fd, int target_fd);
