/* Copies what an image has under a tmpfs mount ("tmpcopyup"): regular files, directories, links,
 * owners, modes and times. Extended attributes and hard links are left out, as other runtimes do.
 * Runs between clone and exec, so the stack is the only memory: depth is bounded. */
#include "runtime/copy-up.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 64

/* As the kernel fills it, see getdents(2). */
struct kernel_dirent {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static int copy_directory(int from_fd, int to_fd, int depth);

static int copy_owner_and_mode(int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	/* An owner that is not mapped here cannot be given; the file stays ours. */
	if (fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EINVAL && errno != EPERM)
		return -errno;
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return -errno;
	(void)futimens(fd, times); /* the times are a courtesy */
	return 0;
}

static int copy_file(int from_dir_fd, int to_dir_fd, const char *name, const struct stat *st)
{
	char buffer[16384];
	int r = 0;

	int from_fd = openat(from_dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from_fd < 0)
		return -errno;
	int to_fd = openat(to_dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to_fd < 0)
		r = -errno;
	while (r == 0) {
		ssize_t n = read(from_fd, buffer, sizeof(buffer));
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		for (ssize_t done = 0; r == 0 && done < n;) {
			ssize_t written = write(to_fd, buffer + done, (size_t)(n - done));
			if (written < 0)
				r = -errno;
			else
				done += written;
		}
	}
	if (r == 0)
		r = copy_owner_and_mode(to_fd, st);
	if (to_fd >= 0)
		close(to_fd);
	close(from_fd);
	return r;
}

static int copy_link(int from_dir_fd, int to_dir_fd, const char *name, const struct stat *st)
{
	char target[PATH_MAX];

	ssize_t n = readlinkat(from_dir_fd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to_dir_fd, name) < 0)
		return -errno;
	(void)fchownat(to_dir_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_subdirectory(int from_dir_fd, int to_dir_fd, const char *name, int depth)
{
	int from_fd = openat(from_dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int to_fd = -1, r = 0;

	if (from_fd < 0)
		return -errno;
	if (mkdirat(to_dir_fd, name, 0700) < 0)
		r = -errno;
	if (r == 0) {
		to_fd = openat(to_dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = to_fd < 0 ? -errno : copy_directory(from_fd, to_fd, depth + 1);
	}
	if (r == 0) {
		/* Last, or a read-only mode would keep us out. */
		struct stat st;
		r = fstat(from_fd, &st) < 0 ? -errno : copy_owner_and_mode(to_fd, &st);
	}
	if (to_fd >= 0)
		close(to_fd);
	close(from_fd);
	return r;
}

static int copy_entry(int from_fd, int to_fd, const char *name, int depth)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(from_fd, to_fd, name, &st);
	case S_IFDIR:
		return copy_subdirectory(from_fd, to_fd, name, depth);
	case S_IFLNK:
		return copy_link(from_fd, to_fd, name, &st);
	case S_IFIFO:
		return mkfifoat(to_fd, name, st.st_mode & 07777) < 0 ? -errno : 0;
	default:
		return 0; /* sockets are dead, devices are not an image's to give */
	}
}

static int copy_directory(int from_fd, int to_fd, int depth)
{
	char buffer[8192] __attribute__((aligned(8)));

	if (depth > DEPTH_MAX)
		return -ELOOP;
	for (;;) {
		long n = syscall(SYS_getdents64, from_fd, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const struct kernel_dirent *entry = (void *)(buffer + at);
			int r = copy_entry(from_fd, to_fd, entry->name, depth);
			if (r < 0)
				return r;
			at += entry->size;
		}
	}
	return 0;
}

int copy_up_directory(int from_fd, int to_fd, bool with_mode)
{
	struct stat st;

	int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = from < 0 || to < 0 ? -errno : copy_directory(from, to, 0);

	if (r == 0 && with_mode)
		r = fstat(from, &st) < 0 ? -errno : copy_owner_and_mode(to, &st);

	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return r;
}
