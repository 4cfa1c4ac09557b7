/* File by file: data is shared where the file system can (FICLONE), else copied by the kernel. Hard
 * links stay links, holes stay holes. Owners stand in three places: the inode, ACLs, and the root
 * user that a file's capabilities are good for. */
#include "store/layer-remap.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "kernel/id-map.h"
#include "kernel/posix-acl.h"
#include "store/layer.h"
#include "store/store-internal.h"

#define XATTR_BYTES_MAX (128 << 10)
#define CHUNK_BYTES	(8 << 20)

struct copy {
	const struct layer_remap *remap;
	uint64_t bytes;
	void *links; /* tree of struct link: inodes with several names, where the first one went */
	int root_fd; /* of the copy, for links */
	char *attributes, *value;
	struct strlist path; /* where we are, for messages and links */
};

struct link {
	ino_t inode;
	char *path; /* in the copy */
};

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void free_link(void *link)
{
	free(((struct link *)link)->path);
	free(link);
}

static char *path_here(const struct copy *copy, const char *name)
{
	autofree char *directory = strlist_join(&copy->path, "/");

	return copy->path.count ? path_join(directory, name) : xstrdup(name);
}

static int fail(const struct copy *copy, const char *name, struct err *err)
{
	int code = errno;
	autofree char *path = path_here(copy, name);

	errno = code;
	return err_errno(err, "copy '%s' of the image", path);
}

static int map_owner(const struct copy *copy, const char *name, uint32_t uid, uint32_t gid,
		     uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	const struct layer_remap *remap = copy->remap;

	*ret_uid = userns_id_to_host(remap->uid->extents, remap->uid->count, uid);
	*ret_gid = userns_id_to_host(remap->gid->extents, remap->gid->count, gid);
	if (*ret_uid != UINT32_MAX && *ret_gid != UINT32_MAX)
		return 0;
	autofree char *path = path_here(copy, name);
	bool user = *ret_uid == UINT32_MAX;
	return err_set(err, EOVERFLOW,
		       "'/%s' of the image belongs to %s ID %u, which the container's mapping does "
		       "not have; map that ID too, or a larger size",
		       path, user ? "user" : "group", user ? uid : gid);
}

/* ---- extended attributes ---- */

/* Capabilities of a file are good where its root user is root: that of the container, here. The
 * kernel shows us the form without a root user, since it is our own. See capabilities(7), "File
 * capability extended attribute versioning". */
static ssize_t map_capability(const struct copy *copy, char *value, ssize_t size)
{
	const uint32_t revision_mask = 0xff000000, revision_3 = 0x03000000;
	const struct id_map *map = copy->remap->uid;
	uint32_t magic, root = userns_id_to_host(map->extents, map->count, 0);

	if (size != 20 || root == UINT32_MAX)
		return size;
	memcpy(&magic, value, sizeof(magic));
	magic = htole32((le32toh(magic) & ~revision_mask) | revision_3);
	memcpy(value, &magic, sizeof(magic));
	root = htole32(root);
	memcpy(value + 20, &root, sizeof(root));
	return 24;
}

static int copy_attributes(struct copy *copy, int from_fd, int to_fd, const char *label,
			   struct err *err)
{
	ssize_t size = flistxattr(from_fd, copy->attributes, XATTR_BYTES_MAX);

	if (size < 0)
		return errno == ENOTSUP ? 0 : fail(copy, label, err);
	for (const char *name = copy->attributes; name < copy->attributes + size;
	     name += strlen(name) + 1) {
		ssize_t n = fgetxattr(from_fd, name, copy->value, XATTR_BYTES_MAX);
		if (n < 0)
			return fail(copy, label, err);
		int r = 0;
		if (posix_acl_is_name(name))
			r = posix_acl_map_ids(copy->value, (size_t)n, copy->remap->uid,
					      copy->remap->gid, userns_id_to_host);
		else if (strcmp(name, "security.capability") == 0)
			n = map_capability(copy, copy->value, n);
		else if (strncmp(name, "security.", 9) == 0)
			continue; /* labels are given anew */
		if (r < 0)
			errno = -r;
		if (r < 0 || fsetxattr(to_fd, name, copy->value, (size_t)n, 0) < 0)
			return fail(copy, label, err);
	}
	return 0;
}

/* ---- files ---- */

static int copy_range(struct copy *copy, int from_fd, int to_fd, off_t from, off_t end)
{
	while (from < end) {
		off_t to = from;
		size_t wanted = end - from > CHUNK_BYTES ? CHUNK_BYTES : (size_t)(end - from);
		ssize_t n = copy_file_range(from_fd, &from, to_fd, &to, wanted, 0);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0; /* the file has become shorter; it is nobody's to change */
		copy->bytes += (uint64_t)n;
		copy->remap->progress(copy->remap->progress_arg, copy->bytes);
	}
	return 0;
}

static int copy_data(struct copy *copy, int from_fd, int to_fd, off_t size)
{
	if (size == 0)
		return 0;
	if (ioctl(to_fd, FICLONE, from_fd) == 0) {
		copy->bytes += (uint64_t)size;
		copy->remap->progress(copy->remap->progress_arg, copy->bytes);
		return 0;
	}
	for (off_t at = 0; at < size;) {
		off_t data = lseek(from_fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? -1 : lseek(from_fd, data, SEEK_HOLE);
		if (hole < 0) {
			data = at; /* a file system without holes */
			hole = size;
		}
		int r = copy_range(copy, from_fd, to_fd, data, hole);
		if (r < 0)
			return r;
		at = hole;
	}
	return ftruncate(to_fd, size) < 0 ? -errno : 0;
}

static int finish(struct copy *copy, int from_fd, int to_fd, const char *name,
		  const struct stat *st, struct err *err)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	uid_t uid;
	gid_t gid;

	int r = map_owner(copy, name, st->st_uid, st->st_gid, &uid, &gid, err);
	if (r < 0)
		return r;
	/* A change of owner takes away the setuid bit and capabilities, so it comes first. */
	if (fchown(to_fd, uid, gid) < 0)
		return fail(copy, name, err);
	r = copy_attributes(copy, from_fd, to_fd, name, err);
	if (r == 0 && (fchmod(to_fd, st->st_mode & 07777) < 0 || futimens(to_fd, times) < 0))
		r = fail(copy, name, err);
	return r;
}

static int copy_file(struct copy *copy, int from_dir, int to_dir, const char *name,
		     const struct stat *st, struct err *err)
{
	autoclose int from_fd = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from_fd < 0)
		return fail(copy, name, err);
	autoclose int to_fd = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to_fd < 0)
		return fail(copy, name, err);
	int r = copy_data(copy, from_fd, to_fd, st->st_size);
	if (r < 0) {
		errno = -r;
		return fail(copy, name, err);
	}
	return finish(copy, from_fd, to_fd, name, st, err);
}

/* Symbolic links, whiteouts, pipes: nothing that could be opened. */
static int copy_other(struct copy *copy, int from_dir, int to_dir, const char *name,
		      const struct stat *st, struct err *err)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[4096];
	uid_t uid;
	gid_t gid;
	int made;

	int r = map_owner(copy, name, st->st_uid, st->st_gid, &uid, &gid, err);
	if (r < 0)
		return r;
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);
		if (n < 0)
			return fail(copy, name, err);
		target[n] = '\0';
		made = symlinkat(target, to_dir, name);
	} else {
		made = mknodat(to_dir, name, st->st_mode, st->st_rdev);
	}
	if (made < 0 || fchownat(to_dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0) ||
	    utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(copy, name, err);
	return 0;
}

/* Returns 1 if it is a further name of a file that was copied already. */
static int link_again(struct copy *copy, int to_dir, const char *name, const struct stat *st,
		      struct err *err)
{
	struct link key = { .inode = st->st_ino };

	if (st->st_nlink < 2)
		return 0;
	void *found = tfind(&key, &copy->links, compare_links);
	if (found) {
		const struct link *first = *(struct link **)found;
		return linkat(copy->root_fd, first->path, to_dir, name, 0) < 0
			       ? fail(copy, name, err)
			       : 1;
	}
	struct link *link = xcalloc(1, sizeof(*link));
	link->inode = st->st_ino;
	link->path = path_here(copy, name);
	if (!tsearch(link, &copy->links, compare_links)) {
		free_link(link);
		return err_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

static int copy_directory(struct copy *copy, int from_fd, int to_fd, struct err *err);

static int copy_entry(struct copy *copy, int from_dir, int to_dir, const char *name,
		      struct err *err)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(copy, name, err);
	if (S_ISDIR(st.st_mode)) {
		autoclose int from_fd =
			openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (from_fd < 0 || mkdirat(to_dir, name, 0700) < 0)
			return fail(copy, name, err);
		autoclose int to_fd =
			openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (to_fd < 0)
			return fail(copy, name, err);
		strlist_add(&copy->path, name);
		int r = copy_directory(copy, from_fd, to_fd, err);
		strlist_remove(&copy->path, copy->path.count - 1);
		return r < 0 ? r : finish(copy, from_fd, to_fd, name, &st, err);
	}
	int r = link_again(copy, to_dir, name, &st, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return S_ISREG(st.st_mode) ? copy_file(copy, from_dir, to_dir, name, &st, err)
				   : copy_other(copy, from_dir, to_dir, name, &st, err);
}

static int copy_directory(struct copy *copy, int from_fd, int to_fd, struct err *err)
{
	int fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(&fd);
		return fail(copy, ".", err);
	}
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = copy_entry(copy, from_fd, to_fd, entry->d_name, err);
	closedir(dir);
	return r;
}

static int copy_layer(struct copy *copy, int store_fd, const char *diff_id, int tmp_fd,
		      struct err *err)
{
	autofree char *path = layer_path(diff_id);
	struct stat st;

	autoclose int from_fd = openat(store_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0 || fstat(from_fd, &st) < 0)
		return err_errno(err, "open layer '%.19s'", diff_id);
	const char *hex = digest_hex(diff_id);
	if (mkdirat(tmp_fd, hex, 0700) < 0)
		return err_errno(err, "create directory in the store");
	copy->root_fd = openat(tmp_fd, hex, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy->root_fd < 0)
		return err_errno(err, "open directory in the store");
	int r = copy_directory(copy, from_fd, copy->root_fd, err);
	if (r == 0)
		r = finish(copy, from_fd, copy->root_fd, ".", &st, err);
	fd_close(&copy->root_fd);
	tdestroy(copy->links, free_link);
	copy->links = NULL;
	return r;
}

/* ---- the store's directory ---- */

char *layer_remap_path(const char *diff_id, const char *name)
{
	autofree char *layer = layer_path(diff_id);
	char *slash = layer ? strrchr(layer, '/') : NULL;

	if (!slash)
		return NULL;
	*slash = '\0';
	return xasprintf("%s/ids-%s", layer, name);
}

static int publish(int store_fd, int tmp_fd, const struct strlist *missing, const char *name,
		   struct err *err)
{
	/* In one go, and before the first of them can be found. */
	if (syncfs(tmp_fd) < 0)
		return err_errno(err, "write the copies to disk");
	for (size_t i = 0; i < missing->count; i++) {
		autofree char *path = layer_remap_path(missing->items[i], name);
		if (renameat(tmp_fd, digest_hex(missing->items[i]), store_fd, path) < 0 &&
		    errno != ENOTEMPTY && errno != EEXIST) /* another command was faster */
			return err_errno(err, "move the copy of layer '%.19s' into the store",
					 missing->items[i]);
	}
	return 0;
}

int layer_remap(int store_fd, const struct strlist *diff_ids, const struct layer_remap *remap,
		struct err *err)
{
	autostrlist struct strlist missing = STRLIST_EMPTY;
	autofree char *tmp_name = NULL, *attributes = NULL, *value = NULL;
	autoclose int layers_fd = -1, tmp_fd = -1;
	struct copy copy = { .remap = remap, .root_fd = -1 };
	struct rlimit files;
	struct err ignored;

	for (size_t i = 0; i < diff_ids->count; i++) {
		autofree char *path = layer_remap_path(diff_ids->items[i], remap->name);
		if (!path)
			return err_set(err, EINVAL, "'%s' is not a diff ID (sha256:HEX)",
				       diff_ids->items[i]);
		if (faccessat(store_fd, path, F_OK, 0) < 0 &&
		    !strlist_contains(&missing, diff_ids->items[i]))
			strlist_add(&missing, diff_ids->items[i]);
	}
	if (!missing.count)
		return 0;
	layers_fd = layer_open_directory(store_fd, err);
	if (layers_fd < 0)
		return layers_fd;
	int r = layer_make_tmp(layers_fd, &tmp_name, &tmp_fd, err);
	if (r < 0)
		return r;
	/* Two descriptors for each directory on the way down. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	copy.attributes = attributes = xmalloc(XATTR_BYTES_MAX);
	copy.value = value = xmalloc(XATTR_BYTES_MAX + 4);
	mode_t mask = umask(0);
	for (size_t i = 0; r == 0 && i < missing.count; i++)
		r = copy_layer(&copy, store_fd, missing.items[i], tmp_fd, err);
	umask(mask);
	if (r == 0)
		r = publish(store_fd, tmp_fd, &missing, remap->name, err);
	strlist_clear(&copy.path);
	/* The lock is still ours. What cannot be removed now is swept later. */
	(void)file_remove_tree(layers_fd, tmp_name, &ignored);
	return r;
}
