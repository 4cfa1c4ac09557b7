#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"

int file_read(int dir_fd, const char *path, struct strbuf *buf, size_t limit, struct err *err)
{
	autoclose int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	int r = fd_read_all(fd, buf, limit);
	if (r == -EFBIG)
		return err_set(err, EFBIG, "'%s' is larger than the %zu bytes allowed", path,
			       limit);
	if (r < 0) {
		errno = -r;
		return err_errno(err, "read '%s'", path);
	}
	return 0;
}

int file_write(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
	       enum file_write_flags flags, struct err *err)
{
	char random[17];
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash + 1 - path) : 0;
	autofree char *aside = NULL;

	if (!(flags & FILE_WRITE_IN_PLACE)) {
		random_hex(random, 8);
		aside = xasprintf("%.*s.tmp-%s", folder, path, random);
	}
	autoclose int fd = openat(
		dir_fd, aside ?: path,
		O_WRONLY | O_CREAT | (aside ? O_EXCL : O_TRUNC) | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_errno(err, "create '%s'", path);
	int r = fd_write_all(fd, data, size);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && (flags & FILE_WRITE_SYNC) && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && aside && renameat(dir_fd, aside, dir_fd, path) < 0)
		r = -errno;
	if (r < 0) {
		/* The write's own failure is the one to tell. */
		(void)unlinkat(dir_fd, aside ?: path, 0);
		errno = -r;
		return err_errno(err, "write '%s'", path);
	}
	return 0;
}

int file_make_dirs(int dir_fd, const char *path, mode_t mode, struct err *err)
{
	if (mkdirat(dir_fd, path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_errno(err, "create directory '%s'", path);

	autofree char *copy = xstrdup(path);
	for (char *at = copy + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
			return err_errno(err, "create directory '%s'", copy);
		*at = '/';
	}
	if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
		return err_errno(err, "create directory '%s'", path);
	return 0;
}

/* Removing a tree holds one descriptor a level, but trees from images can be deeper than
 * descriptors go. What lies deeper than DEPTH_MAX is moved up to the top and removed in another
 * round. */
#define DEPTH_MAX 64

struct removal {
	int top_fd;
	dev_t dev;
	bool moved; /* something was moved to the top */
};

static int remove_below(struct removal *removal, int dir_fd, const char *name, int depth,
			struct err *err);

/* Empty the directory `fd`, which is closed. */
static int remove_children(struct removal *removal, int fd, const char *name, int depth,
			   struct err *err)
{
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return err_errno(err, "read directory '%s'", name);
	}
	int r = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = remove_below(removal, fd, entry->d_name, depth, err);
	closedir(dir);
	return r;
}

/* Open a directory to empty it. `dev` is where it has to be, 0 for anywhere. */
static int open_for_removal(int dir_fd, const char *name, dev_t *dev, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	autoclose int fd = openat(dir_fd, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, flags);
	if (fd < 0)
		return err_errno(err, "open directory '%s'", name);
	if (fstat(fd, &st) < 0 || (*dev && st.st_dev != *dev))
		return err_set(err, EXDEV, "'%s' is on another file system; unmount it first",
			       name);
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700); /* unlinkat() below tells when this was needed and failed */
	*dev = st.st_dev;
	return take_fd(&fd);
}

static int move_to_top(struct removal *removal, int dir_fd, const char *name, struct err *err)
{
	char random[17];

	random_hex(random, 8);
	/* A directory that changes its parent must be writable itself. */
	if (renameat(dir_fd, name, removal->top_fd, random) < 0 &&
	    (errno != EACCES || fchmodat(dir_fd, name, 0700, 0) < 0 ||
	     renameat(dir_fd, name, removal->top_fd, random) < 0))
		return err_errno(err, "remove directory '%s'", name);
	removal->moved = true;
	return 0;
}

/* Returns 1 if it is a directory with something in it. */
static int remove_simple(int dir_fd, const char *name, struct err *err)
{
	/* Directories first try to go as they are: most are empty, and no one needs to open them.
	 */
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_errno(err, "remove '%s'", name);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return err_errno(err, "remove '%s'", name);
	return 1;
}

static int remove_below(struct removal *removal, int dir_fd, const char *name, int depth,
			struct err *err)
{
	int r = remove_simple(dir_fd, name, err);

	if (r <= 0)
		return r;
	if (depth == DEPTH_MAX)
		return move_to_top(removal, dir_fd, name, err);
	int fd = open_for_removal(dir_fd, name, &removal->dev, err);
	if (fd < 0)
		return fd;
	r = remove_children(removal, fd, name, depth + 1, err);
	if (r < 0)
		return r;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(err, "remove directory '%s'", name);
	return 0;
}

static int empty_top(struct removal *removal, const char *path, struct err *err)
{
	int r = 0;

	do {
		removal->moved = false;
		/* A descriptor of its own: reading starts at the first entry. */
		int fd = openat(removal->top_fd, ".", O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? err_errno(err, "open directory '%s'", path)
			   : remove_children(removal, fd, path, 0, err);
	} while (r >= 0 && removal->moved);
	return r;
}

/* What somebody has put in while it was emptied goes too, but nobody is followed for ever. */
#define ATTEMPTS 8

static int remove_top(struct removal *removal, int dir_fd, const char *path, struct err *err)
{
	for (int attempt = 1;; attempt++) {
		int r = empty_top(removal, path, err);
		if (r < 0)
			return r;
		if (unlinkat(dir_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if ((errno != ENOTEMPTY && errno != EEXIST) || attempt == ATTEMPTS)
			return err_errno(err, "remove directory '%s'", path);
	}
}

int file_remove_tree(int dir_fd, const char *path, struct err *err)
{
	struct removal removal = { .top_fd = -1 };
	int r = remove_simple(dir_fd, path, err);

	if (r > 0) {
		autoclose int top_fd = open_for_removal(dir_fd, path, &removal.dev, err);
		r = removal.top_fd = top_fd;
		if (r >= 0)
			r = remove_top(&removal, dir_fd, path, err);
	}
	return r < 0 ? err_wrap(err, "remove '%s'", path) : 0;
}

char *path_join(const char *directory, const char *name)
{
	size_t size = strlen(directory);
	bool slash = size > 0 && directory[size - 1] == '/';

	return xasprintf("%s%s%s", directory, slash ? "" : "/", name);
}

int file_open_regular(int self_fd, int dir_fd, const char *name, int flags)
{
	char number[16];
	struct stat st;

	autoclose int path_fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0 || fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	snprintf(number, sizeof(number), "%d", path_fd);
	int fd = openat(self_fd, number, O_RDONLY | O_CLOEXEC | flags);
	if (fd < 0 && errno == EPERM && flags & O_NOATIME)
		fd = openat(self_fd, number, O_RDONLY | O_CLOEXEC | (flags & ~O_NOATIME));
	/* It is there, so it is not the file that is missing. */
	return fd >= 0 ? fd : errno == ENOENT ? -EBADF : -errno;
}
