/* The tree may be a running container's, so every name is hostile and may change between two looks:
 * each is opened from its directory's descriptor without following links, and what was opened
 * is what is described. A pipe in place of a file does not hold us up.
 *
 * One descriptor is open for each directory on the way down; a directory's names are read at once. */
#include "store/tar-tree.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/id-map.h"
#include "store/tar.h"

#define DEPTH_MAX      2048
#define EXTENTS_MAX    8192
#define HOLES_MIN      (64 << 10) /* less is not worth a sparse entry */
#define NAMES_SIZE     (64 << 10)
#define ATTRIBUTES_MAX (128 << 10)

struct tar_tree {
	struct tar_writer *writer;
	struct tar_tree_options options;
	struct tar_tree_stats stats;
	struct strbuf path; /* of the current entry */
	void *links;	    /* tree of struct link: inodes with several names */
	unsigned depth;
	/* Scratch, used between two entries only. */
	char *names; /* of getdents64(2) */
	char *attribute_names;
	struct tar_xattr *xattrs; /* `name` is borrowed from attribute_names, `value` owned */
	size_t xattr_count;
	struct tar_extent *extents;
};

struct link {
	dev_t device;
	ino_t inode;
	char *path; /* of the first name in the archive */
};

struct linux_dirent64 {
	ino64_t d_ino;
	off64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* One name of a directory: its type is in front of it. */
struct names {
	struct strbuf text;
	size_t *offsets;
	size_t count;
};

/* What overlayfs says about a directory. */
struct overlay_marks {
	bool is_opaque;
	bool has_whiteout_files; /* files with an attribute for whiteouts are in it */
};

/* ---- errors ---- */

static int fail(const struct tar_tree *tree, const char *what, struct err *err)
{
	return err_errno(err, "%s '/%s'", what, strbuf_text(&tree->path));
}

/* Something that was there a moment ago and is not any more is no error. */
static bool is_gone(int code)
{
	return code == ENOENT || code == ELOOP || code == ENOTDIR || code == ENXIO;
}

/* Returns 0 when the entry may be left out. */
static int refuse(struct tar_tree *tree, const char *what, struct err *err)
{
	if (is_gone(errno))
		return 0;
	if ((errno == EACCES || errno == EPERM) && tree->options.flags & TAR_TREE_SKIP_UNREADABLE) {
		tree->stats.unreadable++;
		return 0;
	}
	return fail(tree, what, err);
}

/* ---- owners ---- */

static int map_id(const struct id_map *map, uint32_t id, uint32_t *ret_id)
{
	*ret_id = map ? id_map_to_inside(map->extents, map->count, id) : id;
	return *ret_id == UINT32_MAX ? -EOVERFLOW : 0;
}

static int set_owner(const struct tar_tree *tree, const struct stat *st, struct tar_entry *entry,
		     struct err *err)
{
	if (map_id(tree->options.uid_map, st->st_uid, &entry->uid) == 0 &&
	    map_id(tree->options.gid_map, st->st_gid, &entry->gid) == 0)
		return 0;
	return err_set(err, EOVERFLOW, "'/%s' belongs to %u:%u, which no ID of the container is",
		       strbuf_text(&tree->path), st->st_uid, st->st_gid);
}

/* ---- extended attributes ---- */

/* See acl(5) and the kernel's posix_acl_xattr.h: a version, then entries of tag, permissions, ID. */
static int map_acl(const struct tar_tree *tree, char *value, size_t size)
{
	for (size_t at = 4; at + 8 <= size; at += 8) {
		uint16_t tag;
		uint32_t id;
		memcpy(&tag, value + at, sizeof(tag));
		memcpy(&id, value + at + 4, sizeof(id));
		const struct id_map *map = le16toh(tag) == 0x02	  ? tree->options.uid_map
					   : le16toh(tag) == 0x08 ? tree->options.gid_map
								  : NULL;
		if (!map)
			continue;
		if (map_id(map, le32toh(id), &id) < 0)
			return -EOVERFLOW;
		id = htole32(id);
		memcpy(value + at + 4, &id, sizeof(id));
	}
	return 0;
}

/* Capabilities that are good for one user namespace's root are written without him when he is the
 * archive's root: whoever unpacks it binds them anew. See capabilities(7), "File capability extended
 * attribute versioning". */
static size_t map_capability(const struct tar_tree *tree, char *value, size_t size)
{
	const uint32_t revision_mask = 0xff000000, revision_2 = 0x02000000;
	uint32_t magic, root;

	if (size != 24)
		return size;
	memcpy(&magic, value, sizeof(magic));
	memcpy(&root, value + 20, sizeof(root));
	if (map_id(tree->options.uid_map, le32toh(root), &root) < 0 || root != 0)
		return size;
	magic = htole32((le32toh(magic) & ~revision_mask) | revision_2);
	memcpy(value, &magic, sizeof(magic));
	return 20;
}

static bool is_wanted(const struct tar_tree *tree, const char *name)
{
	if (strncmp(name, "user.", 5) == 0)
		return !(tree->options.flags & TAR_TREE_LAYER) ||
		       strncmp(name, "user.overlay.", 13) != 0;
	return strcmp(name, "security.capability") == 0 ||
	       strncmp(name, "system.posix_acl_", 17) == 0;
}

static void clear_xattrs(struct tar_tree *tree)
{
	for (size_t i = 0; i < tree->xattr_count; i++)
		free((void *)tree->xattrs[i].value);
	tree->xattr_count = 0;
}

static void add_xattr(struct tar_tree *tree, const char *name, char *value, size_t size)
{
	if (strcmp(name, "security.capability") == 0)
		size = map_capability(tree, value, size);
	tree->xattrs = xreallocarray(tree->xattrs, tree->xattr_count + 1, sizeof(*tree->xattrs));
	tree->xattrs[tree->xattr_count++] = (struct tar_xattr){ name, value, size };
}

static void note_mark(struct overlay_marks *marks, int fd, const char *name)
{
	const char *mark = strncmp(name, "trusted.overlay.", 16) == 0 ? name + 16
			   : strncmp(name, "user.overlay.", 13) == 0  ? name + 13
								      : "";
	char value;

	if (strcmp(mark, "opaque") != 0 || fgetxattr(fd, name, &value, 1) != 1)
		return;
	marks->is_opaque |= value == 'y';
	marks->has_whiteout_files |= value == 'x';
}

/* A directory moved by overlayfs, or a file whose data stayed below, is no whole part of a layer.
 * davit's mounts do not make them. */
static bool leads_below(const char *name)
{
	static const char *const marks[] = { "trusted.overlay.redirect", "user.overlay.redirect",
					     "trusted.overlay.metacopy", "user.overlay.metacopy" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strcmp(name, marks[i]) == 0)
			return true;
	return false;
}

static int read_xattr(struct tar_tree *tree, int fd, const char *name, struct err *err)
{
	ssize_t size = fgetxattr(fd, name, NULL, 0);

	if (size < 0 && (errno == ENODATA || errno == EOPNOTSUPP || errno == EOVERFLOW))
		return 0; /* EOVERFLOW: capabilities for a root that is none here */
	if (size < 0)
		return fail(tree, "read attributes of", err);
	autofree char *value = xmalloc((size_t)size + 1);
	size = fgetxattr(fd, name, value, (size_t)size);
	if (size < 0)
		return errno == ENODATA ? 0 : fail(tree, "read attributes of", err);
	if (strncmp(name, "system.posix_acl_", 17) == 0 && map_acl(tree, value, (size_t)size) < 0)
		return err_set(err, EOVERFLOW,
			       "the ACL of '/%s' names an ID that the container does not have",
			       strbuf_text(&tree->path));
	add_xattr(tree, name, take_ptr(&value), (size_t)size);
	return 0;
}

static int read_xattrs(struct tar_tree *tree, int fd, struct overlay_marks *ret_marks,
		       struct err *err)
{
	bool is_layer = tree->options.flags & TAR_TREE_LAYER;
	ssize_t size = flistxattr(fd, tree->attribute_names, ATTRIBUTES_MAX);
	int r = 0;

	*ret_marks = (struct overlay_marks){ 0 };
	if (size < 0)
		return errno == ENOTSUP ? 0 : fail(tree, "read attributes of", err);
	for (const char *name = tree->attribute_names;
	     r == 0 && name < tree->attribute_names + size; name += strlen(name) + 1) {
		if (is_layer)
			note_mark(ret_marks, fd, name);
		if (is_layer && leads_below(name))
			return err_set(err, EOPNOTSUPP,
				       "'/%s' was moved by overlayfs and is not whole",
				       strbuf_text(&tree->path));
		if (is_wanted(tree, name))
			r = read_xattr(tree, fd, name, err);
	}
	return r;
}

/* ---- entries ---- */

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->device < y->device ? -1 : x->device > y->device;
}

static void free_link(void *link)
{
	free(((struct link *)link)->path);
	free(link);
}

/* The path of the first name of the same inode, or NULL: this is the first. */
static const char *first_name(const struct tar_tree *tree, const struct stat *st)
{
	struct link key = { .device = st->st_dev, .inode = st->st_ino };
	void *found = st->st_nlink > 1 ? tfind(&key, &tree->links, compare_links) : NULL;

	return found ? (*(struct link **)found)->path : NULL;
}

static int remember_name(struct tar_tree *tree, const struct stat *st, struct err *err)
{
	if (st->st_nlink < 2)
		return 0;
	struct link *link = xcalloc(1, sizeof(*link));
	link->device = st->st_dev;
	link->inode = st->st_ino;
	link->path = xstrdup(strbuf_text(&tree->path));
	if (tsearch(link, &tree->links, compare_links))
		return 0;
	free_link(link);
	return err_set(err, ENOMEM, "out of memory");
}

static int put_entry(struct tar_tree *tree, struct tar_entry *entry, const struct stat *st,
		     struct err *err)
{
	int r = set_owner(tree, st, entry, err);

	if (r < 0)
		return r;
	entry->path = strbuf_text(&tree->path);
	entry->link = entry->link ?: "";
	entry->mode = st->st_mode & 07777;
	entry->mtime = st->st_mtim;
	entry->xattrs = tree->xattrs;
	entry->xattr_count = tree->xattr_count;
	tree->stats.entries++;
	return tar_writer_entry(tree->writer, entry, err);
}

static int put_hard_link(struct tar_tree *tree, const char *first, const struct stat *st,
			 struct err *err)
{
	struct tar_entry entry = { .type = TAR_HARD_LINK, .link = first };

	return put_entry(tree, &entry, st, err);
}

/* "DIR/.wh.NAME", which hides NAME of the layers below. */
static int put_whiteout(struct tar_tree *tree, const char *name, const struct stat *st,
			struct err *err)
{
	struct tar_entry entry = { .type = TAR_FILE };
	size_t directory_size = tree->path.size - strlen(name);
	autofree char *copy = xstrdup(name);
	struct stat plain = *st;

	tree->path.size = directory_size;
	strbuf_adds(&tree->path, ".wh.");
	strbuf_adds(&tree->path, copy);
	plain.st_mode = S_IFREG;
	return put_entry(tree, &entry, &plain, err);
}

/* ".wh..wh..opq" in the directory that `path` is. */
static int put_opaque_mark(struct tar_tree *tree, const struct stat *st, struct err *err)
{
	struct tar_entry entry = { .type = TAR_FILE };
	struct stat plain = *st;
	size_t size = tree->path.size;

	clear_xattrs(tree);
	strbuf_adds(&tree->path, "/.wh..wh..opq");
	plain.st_mode = S_IFREG;
	int r = put_entry(tree, &entry, &plain, err);
	tree->path.size = size;
	tree->path.data[size] = '\0';
	return r;
}

static bool is_whiteout(const struct tar_tree *tree, const struct stat *st)
{
	return tree->options.flags & TAR_TREE_LAYER && S_ISCHR(st->st_mode) &&
	       st->st_rdev == makedev(0, 0);
}

/* ---- files ---- */

/* The parts of a file that hold data; 0 when it is better written as a whole. */
static size_t find_extents(struct tar_tree *tree, int fd, uint64_t size)
{
	size_t count = 0;
	uint64_t data_bytes = 0;

	if (!tree->extents)
		tree->extents = xcalloc(EXTENTS_MAX + 1, sizeof(*tree->extents));
	for (off_t at = 0; at < (off_t)size;) {
		off_t data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* nothing but a hole follows */
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || count == EXTENTS_MAX)
			return 0;
		if (data >= (off_t)size)
			break;
		if (hole > (off_t)size)
			hole = (off_t)size;
		tree->extents[count++] =
			(struct tar_extent){ (uint64_t)data, (uint64_t)(hole - data) };
		data_bytes += (uint64_t)(hole - data);
		at = hole;
	}
	if (size - data_bytes < HOLES_MIN)
		return 0;
	/* An empty one at the end says how long the file is to whoever looks at the map only. */
	tree->extents[count++] = (struct tar_extent){ size, 0 };
	return count;
}

static int put_data(struct tar_tree *tree, int fd, const struct tar_entry *entry, struct err *err)
{
	int r = 0;

	if (!entry->extents)
		return tar_writer_copy(tree->writer, fd, 0, entry->size, NULL, err);
	for (size_t i = 0; r == 0 && i < entry->extent_count; i++)
		r = tar_writer_copy(tree->writer, fd, entry->extents[i].offset,
				    entry->extents[i].size, NULL, err);
	return r;
}

/* For reading, without leaving a trace in the time of the last access where that is allowed. */
static int open_quietly(int dir_fd, const char *name, int flags)
{
	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dir_fd, name, flags) : fd;
}

static bool is_whiteout_file(int fd)
{
	char value[1];

	return fgetxattr(fd, "trusted.overlay.whiteout", value, 0) >= 0 ||
	       fgetxattr(fd, "user.overlay.whiteout", value, 0) >= 0;
}

static int add_file(struct tar_tree *tree, int dir_fd, const char *name,
		    const struct overlay_marks *parent, struct err *err)
{
	struct tar_entry entry = { .type = TAR_FILE };
	struct overlay_marks marks;
	struct stat st;

	autoclose int fd = open_quietly(dir_fd, name, 0);
	if (fd < 0)
		return refuse(tree, "open", err);
	if (fstat(fd, &st) < 0)
		return fail(tree, "look at", err);
	if (!S_ISREG(st.st_mode))
		return 0; /* it was replaced just now */
	const char *first = first_name(tree, &st);
	if (first)
		return put_hard_link(tree, first, &st, err);
	if (parent->has_whiteout_files && st.st_size == 0 && is_whiteout_file(fd))
		return put_whiteout(tree, name, &st, err);

	int r = read_xattrs(tree, fd, &marks, err);
	if (r < 0)
		return r;
	entry.size = (uint64_t)st.st_size;
	if (st.st_size >= HOLES_MIN && st.st_blocks * 512 < st.st_size) {
		entry.extent_count = find_extents(tree, fd, entry.size);
		entry.extents = entry.extent_count ? tree->extents : NULL;
	}
	r = put_entry(tree, &entry, &st, err);
	if (r == 0)
		r = put_data(tree, fd, &entry, err);
	if (r == 0)
		r = remember_name(tree, &st, err);
	tree->stats.content_bytes += entry.size;
	return r;
}

/* ---- directories ---- */

static void names_clear(struct names *names)
{
	strbuf_clear(&names->text);
	free(names->offsets);
}

static int compare_names(const void *a, const void *b, void *text)
{
	return strcmp((char *)text + *(const size_t *)a + 1, (char *)text + *(const size_t *)b + 1);
}

static int read_names(struct tar_tree *tree, int fd, struct names *names, struct err *err)
{
	size_t capacity = 0;
	long n;

	while ((n = syscall(SYS_getdents64, fd, tree->names, NAMES_SIZE)) > 0)
		for (long at = 0; at < n;) {
			const struct linux_dirent64 *entry = (void *)(tree->names + at);
			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			if (names->count == capacity) {
				capacity = capacity ? 2 * capacity : 32;
				names->offsets = xreallocarray(names->offsets, capacity,
							       sizeof(*names->offsets));
			}
			names->offsets[names->count++] = names->text.size;
			strbuf_addc(&names->text, (char)entry->d_type);
			strbuf_add(&names->text, entry->d_name, strlen(entry->d_name) + 1);
		}
	if (n < 0)
		return fail(tree, "read directory", err);
	if (names->count > 1)
		qsort_r(names->offsets, names->count, sizeof(*names->offsets), compare_names,
			names->text.data);
	return 0;
}

static int add_entry(struct tar_tree *tree, int dir_fd, const char *name, unsigned char type,
		     const struct overlay_marks *parent, dev_t device, struct err *err);

static int add_names(struct tar_tree *tree, int fd, const struct overlay_marks *marks, dev_t device,
		     struct err *err)
{
	struct names names = { .text = STRBUF_EMPTY };
	size_t size = tree->path.size;

	int r = read_names(tree, fd, &names, err);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *at = names.text.data + names.offsets[i];
		tree->path.size = size;
		if (size > 0)
			strbuf_addc(&tree->path, '/');
		strbuf_adds(&tree->path, at + 1);
		r = add_entry(tree, fd, at + 1, (unsigned char)at[0], marks, device, err);
	}
	tree->path.size = size;
	if (tree->path.data)
		tree->path.data[size] = '\0';
	names_clear(&names);
	return r;
}

static int add_directory(struct tar_tree *tree, int dir_fd, const char *name, dev_t device,
			 struct err *err)
{
	struct tar_entry entry = { .type = TAR_DIRECTORY };
	struct overlay_marks marks;
	struct stat st;

	autoclose int fd = open_quietly(dir_fd, name, O_DIRECTORY);
	if (fd < 0)
		return refuse(tree, "open directory", err);
	if (fstat(fd, &st) < 0)
		return fail(tree, "look at", err);
	int r = read_xattrs(tree, fd, &marks, err);
	if (r == 0)
		r = put_entry(tree, &entry, &st, err);
	if (r == 0 && marks.is_opaque)
		r = put_opaque_mark(tree, &st, err);
	if (r < 0)
		return r;
	clear_xattrs(tree);
	if (tree->options.flags & TAR_TREE_ONE_FILE_SYSTEM && device != 0 && st.st_dev != device)
		return 0;
	if (tree->depth == DEPTH_MAX)
		return err_set(err, ELOOP, "'/%.100s…' has more than %d directories in each other",
			       strbuf_text(&tree->path), DEPTH_MAX);
	tree->depth++;
	r = add_names(tree, fd, &marks, device ?: st.st_dev, err);
	tree->depth--;
	return r;
}

/* Links, devices, pipes: what is not opened. */
static int add_special(struct tar_tree *tree, int dir_fd, const char *name, const struct stat *st,
		       struct err *err)
{
	struct tar_entry entry = { .device_major = major(st->st_rdev),
				   .device_minor = minor(st->st_rdev) };
	char target[PATH_MAX];

	const char *first = first_name(tree, st);
	if (is_whiteout(tree, st)) /* overlayfs gives one inode to many whiteouts */
		return put_whiteout(tree, name, st, err);
	if (first)
		return put_hard_link(tree, first, st, err);
	switch (st->st_mode & S_IFMT) {
	case S_IFLNK: {
		ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
		if (n < 0)
			return errno == EINVAL ? 0 : refuse(tree, "read link", err);
		target[n] = '\0';
		entry.type = TAR_SYMLINK;
		entry.link = target;
		break;
	}
	case S_IFCHR:
		entry.type = TAR_CHAR_DEVICE;
		break;
	case S_IFBLK:
		entry.type = TAR_BLOCK_DEVICE;
		break;
	case S_IFIFO:
		entry.type = TAR_FIFO;
		break;
	default:
		tree->stats.skipped_sockets++;
		return 0;
	}
	int r = put_entry(tree, &entry, st, err);
	return r < 0 ? r : remember_name(tree, st, err);
}

static bool is_excluded(const struct tar_tree *tree)
{
	return tree->options.excluded &&
	       strlist_contains(tree->options.excluded, strbuf_text(&tree->path));
}

static int add_entry(struct tar_tree *tree, int dir_fd, const char *name, unsigned char type,
		     const struct overlay_marks *parent, dev_t device, struct err *err)
{
	struct stat st;

	if (is_excluded(tree))
		return 0;
	clear_xattrs(tree);
	/* What a directory says of its names saves a look at each. */
	if (type != DT_REG && type != DT_DIR) {
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return refuse(tree, "look at", err);
		type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_CHR;
	}
	if (type == DT_REG)
		return add_file(tree, dir_fd, name, parent, err);
	if (type == DT_DIR)
		return add_directory(tree, dir_fd, name, device, err);
	return add_special(tree, dir_fd, name, &st, err);
}

/* ---- the whole ---- */

struct tar_tree *tar_tree_new(struct tar_writer *writer, const struct tar_tree_options *options)
{
	struct tar_tree *tree = xcalloc(1, sizeof(*tree));
	struct rlimit files;

	tree->writer = writer;
	tree->options = *options;
	tree->names = xmalloc(NAMES_SIZE);
	tree->attribute_names = xmalloc(ATTRIBUTES_MAX);
	/* Deep trees take a descriptor for each step. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return tree;
}

void tar_tree_free(struct tar_tree *tree)
{
	if (!tree)
		return;
	clear_xattrs(tree);
	free(tree->xattrs);
	free(tree->extents);
	free(tree->attribute_names);
	free(tree->names);
	tdestroy(tree->links, free_link);
	strbuf_clear(&tree->path);
	free(tree);
}

int tar_tree_add(struct tar_tree *tree, int dir_fd, const char *name, const char *path,
		 struct err *err)
{
	struct overlay_marks none = { 0 };
	struct stat st;

	strbuf_reset(&tree->path);
	strbuf_adds(&tree->path, path);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(tree, "look at", err);
	return add_entry(tree, dir_fd, name, DT_UNKNOWN, &none, 0, err);
}

int tar_tree_add_content(struct tar_tree *tree, int dir_fd, const char *path, struct err *err)
{
	struct overlay_marks marks;
	struct stat st;

	strbuf_reset(&tree->path);
	strbuf_adds(&tree->path, path);
	/* A descriptor of our own, whose place in the directory is the beginning. */
	autoclose int fd = open_quietly(dir_fd, ".", O_DIRECTORY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(tree, "open directory", err);
	int r = read_xattrs(tree, fd, &marks, err);
	clear_xattrs(tree);
	return r < 0 ? r : add_names(tree, fd, &marks, st.st_dev, err);
}

const struct tar_tree_stats *tar_tree_stats(const struct tar_tree *tree)
{
	return &tree->stats;
}

int tar_tree_write(int root_fd, const struct tar_tree_options *options, int out_fd,
		   struct tar_tree_stats *ret_stats, struct err *err)
{
	struct tar_sink sink;
	autotarfdsink struct tar_fd_sink *fd_sink = tar_fd_sink_new(out_fd, &sink);
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	autotartree struct tar_tree *tree = tar_tree_new(writer, options);

	int r = tar_tree_add_content(tree, root_fd, "", err);
	if (r == 0)
		r = tar_writer_finish(writer, err);
	if (r == 0)
		r = tar_fd_sink_flush(fd_sink, err);
	if (r == 0 && ret_stats)
		*ret_stats = tree->stats;
	return r;
}
