/* One tree after the other is laid over the target, as overlayfs would show it:
 *
 *	a file, link, device or whiteout replaces what is there
 *	an opaque directory too, and stays opaque
 *	a directory on a directory: their contents are merged, and it becomes what the upper one is
 *	a directory on anything else hides that, and what is below: it becomes opaque */
#include "store/merge-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define XATTR_BYTES_MAX (128 << 10)

struct merge {
	const struct tree_merge *wish;
	char *names, *value;
};

static int fail(const char *name, const char *what, struct err *err)
{
	return err_errno(err, "%s '%s'", what, name);
}

/* ---- attributes of directories ---- */

static const char *overlay_mark(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 ? name + 16
	       : strncmp(name, "user.overlay.", 13) == 0  ? name + 13
							  : NULL;
}

/* Lists the names of the directory's attributes. Returns the size of the list, 0 where there are none. */
static int list_attributes(struct merge *merge, int fd, const char *label, struct err *err)
{
	ssize_t size = flistxattr(fd, merge->names, XATTR_BYTES_MAX);

	if (size < 0 && errno != ENOTSUP)
		return fail(label, "list the attributes of", err);
	return size < 0 ? 0 : (int)size;
}

static int remove_attributes(struct merge *merge, int fd, const char *label, struct err *err)
{
	int size = list_attributes(merge, fd, label, err);

	for (const char *name = merge->names; size > 0 && name < merge->names + size;
	     name += strlen(name) + 1)
		if (!overlay_mark(name) && strncmp(name, "security.", 9) != 0 &&
		    fremovexattr(fd, name) < 0)
			return fail(label, "remove an attribute of", err);
	return size < 0 ? size : 0;
}

/* Is the directory opaque? Those moved by overlayfs are an error: they lead to names elsewhere. */
static int read_opaque(struct merge *merge, int fd, const char *label, struct err *err)
{
	int size = list_attributes(merge, fd, label, err);
	bool is_opaque = false;

	for (const char *name = merge->names; size > 0 && name < merge->names + size;
	     name += strlen(name) + 1) {
		const char *mark = overlay_mark(name);
		char value = '\0';
		if (mark && strcmp(mark, "redirect") == 0)
			return err_set(err, EOPNOTSUPP,
				       "directory '%s' was moved by overlayfs and is not whole",
				       label);
		if (mark && strcmp(mark, "opaque") == 0)
			is_opaque |= fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
	}
	return size < 0 ? size : is_opaque;
}

static int copy_attributes(struct merge *merge, int from_fd, int to_fd, const char *label,
			   struct err *err)
{
	int size = list_attributes(merge, from_fd, label, err);

	for (const char *name = merge->names; size > 0 && name < merge->names + size;
	     name += strlen(name) + 1) {
		if (overlay_mark(name))
			continue; /* they tell of the place, not of the directory */
		ssize_t n = fgetxattr(from_fd, name, merge->value, XATTR_BYTES_MAX);
		if (n < 0)
			return fail(label, "read an attribute of", err);
		/* Labels are given anew where we may not. */
		if (fsetxattr(to_fd, name, merge->value, (size_t)n, 0) < 0 &&
		    strncmp(name, "security.", 9) != 0)
			return fail(label, "set an attribute of", err);
	}
	return size < 0 ? size : 0;
}

/* Last of all, as everything that is done inside changes its times, and its mode may keep us out. */
static int finish_directory(struct merge *merge, int from_fd, int to_fd, const char *label,
			    struct err *err)
{
	struct stat st;

	if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0)
		return fail(label, "set the owner of", err);
	int r = remove_attributes(merge, to_fd, label, err);
	if (r == 0)
		r = copy_attributes(merge, from_fd, to_fd, label, err);
	if (r < 0)
		return r;
	struct timespec times[2] = { st.st_atim, st.st_mtim };
	return fchmod(to_fd, st.st_mode & 07777) < 0 || futimens(to_fd, times) < 0
		       ? fail(label, "set mode and times of", err)
		       : 0;
}

/* ---- entries ---- */

static int merge_directory(struct merge *merge, int from_fd, int to_fd, const char *label,
			   struct err *err);

static int open_directory(int dir_fd, const char *name, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail(name, "open directory", err) : fd;
}

static int add_other(int from_dir, int to_dir, const char *name, struct err *err)
{
	if (linkat(from_dir, name, to_dir, name, 0) == 0)
		return 0;
	int r = errno == EEXIST ? file_remove_tree(to_dir, name, err) : -errno;
	if (r == 0 && linkat(from_dir, name, to_dir, name, 0) < 0)
		r = -errno;
	errno = -r;
	return r < 0 ? fail(name, "give another name to", err) : 0;
}

static int add_directory(struct merge *merge, int from_dir, int to_dir, const char *name,
			 struct err *err)
{
	struct stat st;

	autoclose int from_fd = open_directory(from_dir, name, err);
	if (from_fd < 0)
		return from_fd;
	int r = read_opaque(merge, from_fd, name, err);
	if (r < 0)
		return r;
	bool is_opaque = r, is_there = fstatat(to_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there && (is_opaque || !S_ISDIR(st.st_mode))) {
		r = file_remove_tree(to_dir, name, err);
		if (r < 0)
			return r;
		is_there = false;
		is_opaque = true;
	}
	if (!is_there && mkdirat(to_dir, name, 0700) < 0)
		return fail(name, "create directory", err);
	autoclose int to_fd = open_directory(to_dir, name, err);
	if (to_fd < 0)
		return to_fd;
	if (is_opaque && fsetxattr(to_fd, merge->wish->opaque_name, "y", 1, 0) < 0)
		return fail(name, "mark as opaque directory", err);
	return merge_directory(merge, from_fd, to_fd, name, err);
}

static int merge_entries(struct merge *merge, DIR *stream, int to_fd, struct err *err)
{
	int r = 0;

	errno = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(stream)); errno = 0) {
		struct stat st;
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(dirfd(stream), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(name, "look at", err);
		r = S_ISDIR(st.st_mode) ? add_directory(merge, dirfd(stream), to_fd, name, err)
					: add_other(dirfd(stream), to_fd, name, err);
	}
	return r == 0 && errno ? err_errno(err, "read a directory") : r;
}

static int merge_directory(struct merge *merge, int from_fd, int to_fd, const char *label,
			   struct err *err)
{
	int fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		int r = fail(label, "read directory", err);
		fd_close(&fd);
		return r;
	}
	int r = merge_entries(merge, stream, to_fd, err);
	closedir(stream);
	return r < 0 ? r : finish_directory(merge, from_fd, to_fd, label, err);
}

/* Some descriptors for each directory on the way down. */
static void allow_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int tree_merge_make(void *wish, struct err *err)
{
	struct merge merge = { .wish = wish };
	autofree char *names = merge.names = xmalloc(XATTR_BYTES_MAX);
	autofree char *value = merge.value = xmalloc(XATTR_BYTES_MAX);
	const char *target = merge.wish->target;
	int r = 0;

	allow_many_files();
	if (mkdir(target, 0700) < 0)
		return fail(target, "create directory", err);
	autoclose int to_fd = open_directory(AT_FDCWD, target, err);
	if (to_fd < 0)
		return to_fd;
	for (size_t i = 0; r == 0 && i < merge.wish->trees->count; i++) {
		autoclose int from_fd = open_directory(AT_FDCWD, merge.wish->trees->items[i], err);
		r = from_fd < 0 ? from_fd : merge_directory(&merge, from_fd, to_fd, "/", err);
	}
	return r;
}
