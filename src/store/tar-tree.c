/* The tree may be a running container's, so every name is hostile and may change between two looks:
 * each is opened from its directory's descriptor without following links, and what was opened
 * is what is described. Nothing but plain files and directories is opened even for a moment: a device or a pipe that takes
 * a file's place would notice, and might do something.
 *
 * One descriptor is open for each directory on the way down; a directory's names are read at once. */
#include "store/tar-tree.h"

#include <dirent.h>
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
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/id-map.h"
#include "kernel/overlay-marks.h"
#include "store/tar-tree-internal.h"
#include "store/tar.h"

#define DEPTH_MAX   2048
#define EXTENTS_MAX 8192
#define HOLES_MIN   (64 << 10) /* less is not worth a sparse entry */
#define NAMES_SIZE  (64 << 10)

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

/* ---- errors ---- */

int tar_tree_fail(const struct tar_tree *tree, const char *what, struct err *err)
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
	return tar_tree_fail(tree, what, err);
}

/* ---- owners ---- */

int tar_tree_map_id(const struct id_map *map, uint32_t id, uint32_t *ret_id)
{
	*ret_id = map ? id_map_to_inside(map->extents, map->count, id) : id;
	return *ret_id == UINT32_MAX ? -EOVERFLOW : 0;
}

static int set_owner(const struct tar_tree *tree, const struct stat *st, struct tar_entry *entry,
		     struct err *err)
{
	if (tar_tree_map_id(tree->options.uid_map, st->st_uid, &entry->uid) == 0 &&
	    tar_tree_map_id(tree->options.gid_map, st->st_gid, &entry->gid) == 0)
		return 0;
	return err_set(err, EOVERFLOW, "'/%s' belongs to %u:%u, which no ID of the container is",
		       strbuf_text(&tree->path), st->st_uid, st->st_gid);
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

	tar_tree_clear_xattrs(tree);
	strbuf_adds(&tree->path, "/.wh..wh..opq");
	plain.st_mode = S_IFREG;
	int r = put_entry(tree, &entry, &plain, err);
	tree->path.size = size;
	tree->path.data[size] = '\0';
	return r;
}

static bool is_whiteout(const struct tar_tree *tree, const struct stat *st)
{
	return tree->options.flags & TAR_TREE_LAYER && overlay_is_whiteout_device(st);
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

/* Without leaving a trace in the time of the last access where that is allowed. */
static int open_directory(int dir_fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dir_fd, name, flags) : fd;
}

static int open_file(struct tar_tree *tree, int dir_fd, const char *name)
{
	if (tree->self_fd < 0)
		tree->self_fd = openat(tree->options.proc_fd > 0 ? tree->options.proc_fd : AT_FDCWD,
				       tree->options.proc_fd > 0 ? "self/fd" : "/proc/self/fd",
				       O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = file_open_regular(tree->self_fd, dir_fd, name, O_NONBLOCK | O_NOATIME);
	if (fd < 0)
		errno = -fd;
	return fd;
}

static int add_file(struct tar_tree *tree, int dir_fd, const char *name,
		    const struct overlay_marks *parent, struct err *err)
{
	struct tar_entry entry = { .type = TAR_FILE };
	struct overlay_marks marks;
	struct stat st;

	autoclose int fd = open_file(tree, dir_fd, name);
	if (fd < 0) /* ENXIO: it was replaced by something else just now */
		return refuse(tree, "open", err);
	if (fstat(fd, &st) < 0)
		return tar_tree_fail(tree, "look at", err);
	const char *first = first_name(tree, &st);
	if (first)
		return put_hard_link(tree, first, &st, err);
	if (parent->has_whiteout_files && st.st_size == 0 && overlay_is_whiteout_file(fd))
		return put_whiteout(tree, name, &st, err);

	int r = tar_tree_read_xattrs(tree, fd, &marks, err);
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
		return tar_tree_fail(tree, "read directory", err);
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

	autoclose int fd = open_directory(dir_fd, name);
	if (fd < 0)
		return refuse(tree, "open directory", err);
	if (fstat(fd, &st) < 0)
		return tar_tree_fail(tree, "look at", err);
	int r = tar_tree_read_xattrs(tree, fd, &marks, err);
	if (r == 0)
		r = put_entry(tree, &entry, &st, err);
	if (r == 0 && marks.is_opaque)
		r = put_opaque_mark(tree, &st, err);
	if (r < 0)
		return r;
	tar_tree_clear_xattrs(tree);
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
	tar_tree_clear_xattrs(tree);
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
	tree->self_fd = -1;
	tree->names = xmalloc(NAMES_SIZE);
	tree->attribute_names = xmalloc(XATTR_LIST_MAX);
	tree->attribute_value = xmalloc(XATTR_SIZE_MAX);
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
	tar_tree_clear_xattrs(tree);
	fd_close(&tree->self_fd);
	free(tree->xattrs);
	free(tree->extents);
	free(tree->attribute_names);
	free(tree->attribute_value);
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
		return tar_tree_fail(tree, "look at", err);
	return add_entry(tree, dir_fd, name, DT_UNKNOWN, &none, 0, err);
}

int tar_tree_add_content(struct tar_tree *tree, int dir_fd, const char *path, struct err *err)
{
	struct overlay_marks marks;
	struct stat st;

	strbuf_reset(&tree->path);
	strbuf_adds(&tree->path, path);
	/* A descriptor of our own, whose place in the directory is the beginning. */
	autoclose int fd = open_directory(dir_fd, ".");
	if (fd < 0 || fstat(fd, &st) < 0)
		return tar_tree_fail(tree, "open directory", err);
	int r = tar_tree_read_xattrs(tree, fd, &marks, err);
	tar_tree_clear_xattrs(tree);
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
