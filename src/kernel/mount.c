#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* As many as the kernel follows in one path. */
#define LINKS_MAX 40

int mount_open_in_root(int root_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve };

	/* -EAGAIN: something was renamed while ".." was walked; the kernel cannot vouch for it. */
	for (int tries = 0; tries < 1000; tries++) {
		int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int mount_open_plain_file(int root_fd, const char *path)
{
	struct statfs fs;
	struct stat st;
	char name[32];
	int result = -EINVAL;

	int path_fd = mount_open_in_root(root_fd, path, 0, 0);
	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(path_fd, &fs) == 0 &&
	    fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
		result = open(name, O_RDONLY | O_CLOEXEC);
		if (result < 0)
			result = -errno;
	}
	close(path_fd);
	return result;
}

static int make_entry(int parent_fd, const char *name, bool directory)
{
	if (directory)
		return mkdirat(parent_fd, name, 0755) < 0 ? -errno : 0;
	int fd =
		openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* `path` is DIR/LINK/REST with DIR of `parent_size` and LINK ending at `link_end`: replace LINK by
 * what it says. */
static int follow_link(char *path, size_t parent_size, size_t link_end, int parent_fd,
		       const char *name)
{
	char said[PATH_MAX], joined[PATH_MAX];
	size_t at = 0, rest = strlen(path + link_end);

	ssize_t n = readlinkat(parent_fd, name, said, sizeof(said));
	if (n < 0)
		return errno == EINVAL ? -EEXIST : -errno;
	size_t keep = said[0] == '/' ? 0 : parent_size;
	if (n == 0 || keep + 1 + (size_t)n + rest + 1 > sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(joined, path, keep);
	at = keep;
	joined[at++] = '/';
	memcpy(joined + at, said, (size_t)n);
	at += (size_t)n;
	memcpy(joined + at, path + link_end, rest + 1);
	memcpy(path, joined, at + rest + 1);
	return 0;
}

/* Make the first missing part of `path`, or replace the dangling link it starts with. Returns 1
 * when there is more to do, 0 when the last part was made. */
static int make_first_missing(int root_fd, char *path, enum mount_target kind)
{
	int parent_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
	uint64_t resolve = kind & MOUNT_TARGET_NO_SYMLINKS ? RESOLVE_NO_SYMLINKS : 0;
	size_t parent_size = 0;
	char prefix[PATH_MAX];

	if (parent_fd < 0)
		return -errno;
	for (size_t at = 0;;) {
		while (path[at] == '/')
			at++;
		size_t end = at;
		while (path[end] && path[end] != '/')
			end++;
		size_t next = end;
		while (path[next] == '/')
			next++;
		if (at == end) { /* all of it is there by now */
			close(parent_fd);
			return 1;
		}
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		int fd = mount_open_in_root(root_fd, prefix, 0, resolve);
		if (fd >= 0) {
			close(parent_fd);
			parent_fd = fd;
			parent_size = end;
			at = end;
			continue;
		}
		if (fd != -ENOENT) {
			close(parent_fd);
			return fd;
		}
		bool last = !path[next];
		const char *name = prefix + at;
		int r = make_entry(parent_fd, name, !last || (kind & MOUNT_TARGET_DIRECTORY));
		if (r == -EEXIST && !(kind & MOUNT_TARGET_NO_SYMLINKS)) {
			r = follow_link(path, parent_size, end, parent_fd, name);
			last = false;
		}
		close(parent_fd);
		return r < 0 ? r : !last;
	}
}

int mount_make_target(int root_fd, const char *path, enum mount_target kind)
{
	uint64_t resolve = kind & MOUNT_TARGET_NO_SYMLINKS ? RESOLVE_NO_SYMLINKS : 0;
	char work[PATH_MAX];

	int fd = mount_open_in_root(root_fd, path, 0, resolve);
	if (fd != -ENOENT)
		return fd;
	size_t size = strlen(path);
	if (size >= sizeof(work))
		return -ENAMETOOLONG;
	memcpy(work, path, size + 1);

	/* Each round makes one component or follows one link; a path cannot have more of either. */
	for (int rounds = 0; rounds < PATH_MAX / 2 + LINKS_MAX; rounds++) {
		int r = make_first_missing(root_fd, work, kind);
		if (r < 0)
			return r;
		fd = mount_open_in_root(root_fd, work, 0, resolve);
		if (fd != -ENOENT)
			return fd;
	}
	return -ELOOP;
}

int mount_attach(int mount_fd, int target_fd)
{
	int r = move_mount(mount_fd, "", target_fd, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	return r < 0 ? -errno : 0;
}
