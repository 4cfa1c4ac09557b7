/* Extraction of hostile archives.
 *
 * No name or link in an archive can reach outside: parent directories are opened by openat2() with
 * RESOLVE_IN_ROOT, so absolute links and ".." mean the layer's root as they will in the container,
 * and the last component is only ever created, never followed. Entries of one directory stand
 * together, so a few open parents save nearly all of the lookups.
 *
 * Later entries replace earlier ones, except that a directory merges into a directory. A whiteout
 * ".wh.NAME" acts on lower layers only and becomes a character device 0:0, ".wh..wh..opq" an
 * attribute of its directory; when a layer both hides a name and has a directory of that name, the
 * directory is opaque, whichever comes first.
 *
 * Directory times wait until the end, because making a child would change them; so do set-group-ID
 * bits and default ACLs, because children would inherit them. */
#include "store/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/overlay-marks.h"
#include "kernel/posix-acl.h"
#include "store/tar.h"

#define WHITEOUT_PREFIX	    ".wh."
#define WHITEOUT_META	    ".wh..wh."
#define WHITEOUT_OPAQUE	    ".wh..wh..opq"
#define PARENT_CACHE_SIZE   4
#define IMPLIED_MODE	    0755 /* of directories that no entry describes */
#define SPACE_CHECK_BYTES   (16 << 20)
#define SPACE_CHECK_ENTRIES 4096
#define DIRECTORY_BYTES_MAX ((size_t)512 << 20)
#define MIN_FREE_DEFAULT    ((uint64_t)64 << 20)

struct parent {
	char *path; /* cleaned, without slash at either end; NULL: unused */
	int fd;
	uint64_t used; /* when, to find the oldest */
};

/* What a directory gets when nothing will be made in it any more. */
struct directory {
	char *path;
	struct timespec mtime;
	mode_t mode;
	bool needs_mode;
	void *acl; /* the value of POSIX_ACL_DEFAULT; NULL: none */
	size_t acl_size;
};

struct extract {
	int root_fd;
	struct tar_reader *reader;
	const struct extract_options *options;
	struct extract_stats stats;
	struct parent parents[PARENT_CACHE_SIZE];
	uint64_t clock;
	struct directory *directories;
	size_t directory_count, directory_capacity;
	size_t directory_bytes; /* of memory: hostile archives may have millions */
	uint64_t unchecked_bytes, unchecked_entries;
	struct strbuf path, link_path;
};

/* ---- names ---- */

/* Take out empty, "." and ".." components, as far as that can be done by looking at the text.
 * Leading slashes go, too: the result is relative to the layer's root, "" is the root itself.
 * -EXDEV if a relative path leads above the root. */
static int clean_path(const char *path, struct strbuf *clean)
{
	bool is_absolute = *path == '/';

	strbuf_reset(clean);
	while (*path) {
		const char *end = strchrnul(path, '/');
		size_t size = (size_t)(end - path);
		if (size == 2 && !memcmp(path, "..", 2)) {
			if (clean->size == 0 && !is_absolute)
				return -EXDEV;
			while (clean->size > 0 && clean->data[--clean->size] != '/')
				;
			if (clean->data)
				clean->data[clean->size] = '\0';
		} else if (size > 0 && !(size == 1 && *path == '.')) {
			if (clean->size > 0)
				strbuf_addc(clean, '/');
			strbuf_add(clean, path, size);
		}
		path = *end ? end + 1 : end;
	}
	return 0;
}

enum name_kind { NAME_PLAIN, NAME_WHITEOUT, NAME_OPAQUE, NAME_IGNORED };

/* What the names along a cleaned path say. -EINVAL for what no whiteout can mean. */
static int classify(const char *path, enum name_kind *ret_kind)
{
	enum name_kind kind = NAME_PLAIN;
	bool is_reserved = false;

	for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
		size_t size = (size_t)(strchrnul(at, '/') - at);
		bool is_last = at[size] == '\0';
		if (size < 4 || memcmp(at, WHITEOUT_PREFIX, 4) != 0)
			continue;
		if (is_last && !strcmp(at, WHITEOUT_OPAQUE)) {
			kind = NAME_OPAQUE;
		} else if (size >= 8 && !memcmp(at, WHITEOUT_META, 8)) {
			*ret_kind = NAME_IGNORED; /* what AUFS kept for itself */
			return 0;
		} else if (!is_last) {
			is_reserved = true; /* nothing can be inside a whiteout */
		} else {
			kind = NAME_WHITEOUT;
			is_reserved |= !at[4] || !strcmp(at + 4, ".") || !strcmp(at + 4, "..");
		}
	}
	*ret_kind = kind;
	return is_reserved ? -EINVAL : 0;
}

/* ---- parent directories ---- */

static int open_in_root(const struct extract *x, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	/* EAGAIN: something was mounted or renamed anywhere on the host while ".." was looked up.
	 */
	for (int attempt = 0;; attempt++) {
		long fd = syscall(SYS_openat2, x->root_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 1000)
			return (int)fd;
	}
}

static void forget_parent(struct parent *parent)
{
	if (!parent->path)
		return;
	close(parent->fd);
	free(parent->path);
	*parent = (struct parent){ .fd = -1 };
}

/* What was removed may have been one of them, or on the way to one. */
static void forget_parents(struct extract *x)
{
	for (int i = 0; i < PARENT_CACHE_SIZE; i++)
		forget_parent(&x->parents[i]);
}

static int remember_parent(struct extract *x, const char *path, size_t size, int fd)
{
	struct parent *oldest = &x->parents[0];

	for (int i = 1; i < PARENT_CACHE_SIZE; i++)
		if (x->parents[i].used < oldest->used)
			oldest = &x->parents[i];
	forget_parent(oldest);
	*oldest = (struct parent){ .path = xstrndup(path, size), .fd = fd, .used = ++x->clock };
	return fd;
}

static int set_opaque(const struct extract *x, int dir_fd, const char *name, struct err *err)
{
	const char *xattr = x->options->flags & EXTRACT_IN_USERNS ? "user.overlay.opaque"
								  : "trusted.overlay.opaque";
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, xattr, "y", 1, 0) < 0)
		return err_errno(err, "mark directory '%s' opaque", name);
	return 0;
}

/* One missing or unsuitable step on the way to a parent: make a directory of it. For the sake of a
 * whiteout no whiteout above it is replaced: that is -ENOTDIR. */
static int make_parent_step(const struct extract *x, int dir_fd, const char *name,
			    bool for_whiteout, struct err *err)
{
	struct stat st;

	if (mkdirat(dir_fd, name, IMPLIED_MODE) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, "create directory '%s'", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "look at '%s'", name);
	if (S_ISLNK(st.st_mode))
		return err_set(err, ENOTDIR, "'%s' is a symbolic link that leads to no directory",
			       name);
	if (!overlay_is_whiteout_device(&st) || for_whiteout)
		return err_set(err, ENOTDIR, "'%s' is not a directory", name);
	if (unlinkat(dir_fd, name, 0) < 0 || mkdirat(dir_fd, name, IMPLIED_MODE) < 0)
		return err_errno(err, "create directory '%s'", name);
	return set_opaque(x, dir_fd, name, err);
}

static int make_parents(const struct extract *x, const char *path, size_t size, bool for_whiteout,
			struct err *err)
{
	autofree char *copy = xstrndup(path, size);
	autoclose int dir_fd = -1;

	for (char *at = copy; at;) {
		char *slash = strchr(at, '/');
		if (slash)
			*slash = '\0';
		int above_fd = dir_fd < 0 ? x->root_fd : dir_fd;
		/* A plain directory needs no walk from the root again. */
		int fd = openat(above_fd, at, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOTDIR)
			fd = open_in_root(x, copy, O_PATH | O_DIRECTORY);
		if (fd < 0) {
			if (errno != ENOENT && errno != ENOTDIR)
				return err_errno(err, "open directory '%s'", copy);
			int r = make_parent_step(x, above_fd, at, for_whiteout, err);
			if (r < 0)
				return r;
			fd = openat(above_fd, at, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd < 0)
				return err_errno(err, "open directory '%s'", copy);
		}
		fd_close(&dir_fd);
		dir_fd = fd;
		if (slash)
			*slash = '/';
		at = slash ? slash + 1 : NULL;
	}
	return take_fd(&dir_fd);
}

enum parent_use { PARENT_EXISTS, PARENT_FOR_WHITEOUT, PARENT_FOR_ENTRY };

/* The directory that a cleaned path is in, borrowed until another two parents were asked for, and
 * the name in it. */
static int open_parent(struct extract *x, const char *path, enum parent_use use,
		       const char **ret_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return x->root_fd;
	for (int i = 0; i < PARENT_CACHE_SIZE; i++) {
		struct parent *parent = &x->parents[i];
		if (parent->path && !strncmp(parent->path, path, size) && !parent->path[size]) {
			parent->used = ++x->clock;
			return parent->fd;
		}
	}
	autofree char *parent_path = xstrndup(path, size);
	int fd = open_in_root(x, parent_path, O_PATH | O_DIRECTORY);
	if (fd < 0) {
		if (use == PARENT_EXISTS || (errno != ENOENT && errno != ENOTDIR))
			return err_errno(err, "open directory '%s'", parent_path);
		fd = make_parents(x, path, size, use == PARENT_FOR_WHITEOUT, err);
		if (fd < 0)
			return fd;
	}
	return remember_parent(x, path, size, fd);
}

/* ---- metadata ---- */

static int owner_error(const struct tar_entry *entry, struct err *err)
{
	return err_set(err, EINVAL,
		       "'%.200s' belongs to %" PRIu32 ":%" PRIu32
		       ", which is outside of your range of IDs; give yourself a larger one with "
		       "usermod --add-subuids and --add-subgids",
		       entry->path, entry->uid, entry->gid);
}

/* New inodes are root's already. */
static int set_owner(struct extract *x, int dir_fd, const char *name, const struct tar_entry *entry,
		     bool is_new, struct err *err)
{
	if (is_new && entry->uid == 0 && entry->gid == 0)
		return 0;
	if (fchownat(dir_fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ==
	    0)
		return 0;
	if (errno != EINVAL && errno != EPERM)
		return err_errno(err, "set owner of '%s'", entry->path);
	if (!(x->options->flags & EXTRACT_IGNORE_OWNERS))
		return owner_error(entry, err);
	x->stats.changed_owners++;
	return 0;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Overlay's own attributes would let an image steer the mount; security labels are the host's to
 * give. File capabilities are wanted: the kernel binds them to our user namespace. */
static bool xattr_is_wanted(const struct extract *x, const char *name)
{
	if (has_prefix(name, "trusted."))
		return !(x->options->flags & EXTRACT_IN_USERNS) &&
		       !has_prefix(name, "trusted.overlay.");
	if (has_prefix(name, "security."))
		return !strcmp(name, "security.capability");
	return !has_prefix(name, "user.overlay.");
}

/* For files and directories by descriptor (`path` NULL), for others by path. */
static int set_xattrs(struct extract *x, int fd, const char *path, const struct tar_entry *entry,
		      struct err *err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];
		if (entry->type == TAR_DIRECTORY && !strcmp(xattr->name, POSIX_ACL_DEFAULT))
			continue;
		if (!xattr_is_wanted(x, xattr->name)) {
			x->stats.skipped_xattrs++;
			continue;
		}
		int r = path ? lsetxattr(path, xattr->name, xattr->value, xattr->size, 0)
			     : fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0);
		if (r == 0)
			continue;
		if (errno != EOPNOTSUPP && errno != EPERM)
			return err_errno(err, "set attribute '%.100s' of '%s'", xattr->name,
					 entry->path);
		x->stats.skipped_xattrs++;
	}
	return 0;
}

/* Owner, attributes, mode and time of what has no descriptor of its own: links, devices, fifos. */
static int set_special_metadata(struct extract *x, int dir_fd, const char *name,
				const struct tar_entry *entry, struct err *err)
{
	struct timespec times[2] = { entry->mtime, entry->mtime };
	int r = set_owner(x, dir_fd, name, entry, true, err);

	if (r >= 0 && entry->xattr_count > 0) {
		autofree char *path = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
		r = set_xattrs(x, -1, path, entry, err);
	}
	if (r < 0)
		return r;
	/* chown(2) took the set-ID bits. The name cannot be a symbolic link here: we made it. */
	if (entry->type != TAR_SYMLINK && (entry->mode & 07000 || entry->xattr_count > 0) &&
	    fchmodat(dir_fd, name, entry->mode, 0) < 0)
		return err_errno(err, "set mode of '%s'", entry->path);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "set time of '%s'", entry->path);
	return 0;
}

/* ---- space ---- */

static int no_space(struct err *err, const char *what)
{
	return err_set(err, ENOSPC,
		       "%s; free some space, for example with 'davit image prune', or use a store "
		       "elsewhere with --root",
		       what);
}

/* What cannot be written because of errno. */
static int write_error(const struct tar_entry *entry, struct err *err)
{
	if (errno != ENOSPC && errno != EDQUOT)
		return err_errno(err, "write '%.200s'", entry->path);
	return no_space(err, errno == EDQUOT ? "your disk quota is used up"
					     : "no space is left on the file system of the store");
}

static int check_space(struct extract *x, uint64_t bytes, struct err *err)
{
	uint64_t floor = x->options->min_free_bytes;
	struct statvfs fs;

	x->unchecked_bytes += bytes;
	x->unchecked_entries += bytes == 0;
	if (x->unchecked_bytes < SPACE_CHECK_BYTES && x->unchecked_entries < SPACE_CHECK_ENTRIES)
		return 0;
	x->unchecked_bytes = x->unchecked_entries = 0;
	if (fstatvfs(x->root_fd, &fs) < 0)
		return 0;
	uint64_t size = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (floor == 0)
		floor = size / 20 < MIN_FREE_DEFAULT ? size / 20 : MIN_FREE_DEFAULT;
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= floor)
		return 0;
	autofree char *what =
		xasprintf("less than %" PRIu64 " MiB would be left free on the file system of "
			  "the store",
			  (floor >> 20) + 1);
	return no_space(err, what);
}

/* ---- entries ---- */

enum way { WAY_IS_CLEAR, WAY_IS_DIRECTORY, WAY_WAS_PARENT };

/* Something of that name is there already: remove it, unless it is a directory that may stay.
 * Returns an enum way; WAY_WAS_PARENT if open parents may have been below it. */
static int clear_the_way(struct extract *x, int dir_fd, const char *name, enum tar_type type,
			 struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "look at '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dir_fd, name, 0) < 0)
			return err_errno(err, "replace '%s'", name);
		return S_ISLNK(st.st_mode) ? WAY_WAS_PARENT : WAY_IS_CLEAR;
	}
	if (type == TAR_DIRECTORY)
		return WAY_IS_DIRECTORY;
	int r = file_remove_tree(dir_fd, name, err);
	return r < 0 ? r : WAY_WAS_PARENT;
}

static int write_data(struct extract *x, int fd, const struct tar_entry *entry, struct err *err)
{
	const void *data;
	uint64_t offset;

	if (entry->extents && ftruncate(fd, (off_t)entry->size) < 0)
		return write_error(entry, err);
	for (;;) {
		ssize_t size = tar_reader_data(x->reader, &data, &offset, err);
		if (size <= 0)
			return (int)size;
		int r = check_space(x, (uint64_t)size, err);
		if (r < 0)
			return r;
		if (entry->extents && lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return err_errno(err, "write '%.200s'", entry->path);
		r = fd_write_all(fd, data, (size_t)size);
		if (r < 0) {
			errno = -r;
			return write_error(entry, err);
		}
		x->stats.content_bytes += (uint64_t)size;
	}
}

static int make_file(struct extract *x, int dir_fd, const char *name, const struct tar_entry *entry,
		     struct err *err)
{
	struct timespec times[2] = { entry->mtime, entry->mtime };
	autoclose int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       entry->mode & 0777);

	if (fd < 0)
		return errno == EEXIST ? -EEXIST : write_error(entry, err);
	int r = write_data(x, fd, entry, err);
	if (r >= 0)
		r = set_owner(x, fd, "", entry, true, err);
	if (r >= 0 && entry->xattr_count > 0)
		r = set_xattrs(x, fd, NULL, entry, err);
	if (r < 0)
		return r;
	/* chown(2) took the set-ID bits, an ACL may have changed the others. */
	if ((entry->mode & 07000 || entry->xattr_count > 0) && fchmod(fd, entry->mode) < 0)
		return err_errno(err, "set mode of '%s'", entry->path);
	if (futimens(fd, times) < 0)
		return err_errno(err, "set time of '%s'", entry->path);
	/* A file system that writes late may tell only now that it is full. */
	if (close(take_fd(&fd)) < 0 && errno != EINTR)
		return write_error(entry, err);
	return 0;
}

static int make_special(struct extract *x, int dir_fd, const char *name,
			const struct tar_entry *entry, struct err *err)
{
	mode_t type = entry->type == TAR_FIFO	       ? S_IFIFO
		      : entry->type == TAR_CHAR_DEVICE ? S_IFCHR
						       : S_IFBLK;
	dev_t device =
		entry->type == TAR_FIFO ? 0 : makedev(entry->device_major, entry->device_minor);

	if (mknodat(dir_fd, name, type | (entry->mode & 0777), device) < 0) {
		if (errno == EEXIST)
			return -EEXIST;
		if (errno == EPERM && (x->options->flags & EXTRACT_IN_USERNS)) {
			x->stats.skipped_devices++;
			return 0;
		}
		return err_errno(err, "create device '%s'", entry->path);
	}
	return set_special_metadata(x, dir_fd, name, entry, err);
}

static int make_symlink(struct extract *x, int dir_fd, const char *name,
			const struct tar_entry *entry, struct err *err)
{
	if (symlinkat(entry->link, dir_fd, name) < 0)
		return errno == EEXIST ? -EEXIST : write_error(entry, err);
	return set_special_metadata(x, dir_fd, name, entry, err);
}

/* That a link's target is missing is the archive's fault, not that of our store. */
static int leads_nowhere(struct err *err)
{
	if (err->code == ENOENT)
		err->code = EBADMSG;
	return -err->code;
}

/* Owner, mode and time are those of the target and were set with it. */
static int make_hard_link(struct extract *x, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	const char *target_name;
	struct stat st, target;

	if (clean_path(entry->link, &x->link_path) < 0 || x->link_path.size == 0)
		return err_set(err, EXDEV, "hard link '%.200s' to '%.200s' leads out of the layer",
			       entry->path, entry->link);
	int target_fd = open_parent(x, x->link_path.data, PARENT_EXISTS, &target_name, err);
	if (target_fd < 0) {
		err_wrap(err, "hard link '%.200s'", entry->path);
		return leads_nowhere(err);
	}
	if (linkat(target_fd, target_name, dir_fd, name, 0) == 0)
		return 0;
	if (errno != EEXIST) {
		err_errno(err, "hard link '%.200s' to '%.200s'", entry->path, entry->link);
		return leads_nowhere(err);
	}
	if (fstatat(target_fd, target_name, &target, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == target.st_dev &&
	    st.st_ino == target.st_ino)
		return 0;
	return -EEXIST;
}

static int record_directory(struct extract *x, const struct tar_entry *entry, bool is_new,
			    struct err *err)
{
	struct directory directory = {
		.mtime = entry->mtime,
		.mode = entry->mode,
		.needs_mode = !is_new || entry->mode & 07000 || entry->xattr_count > 0,
	};

	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];
		if (strcmp(xattr->name, POSIX_ACL_DEFAULT) != 0 || xattr->size > XATTR_SIZE_MAX)
			continue;
		free(directory.acl);
		directory.acl = xmemdup(xattr->value, xattr->size);
		directory.acl_size = xattr->size;
	}
	directory.path = xstrdup(x->path.size > 0 ? x->path.data : ".");
	if (x->directory_count == x->directory_capacity) {
		x->directory_capacity = x->directory_capacity ? 2 * x->directory_capacity : 256;
		x->directories = xreallocarray(x->directories, x->directory_capacity,
					       sizeof(*x->directories));
	}
	x->directories[x->directory_count++] = directory;
	x->directory_bytes += sizeof(directory) + x->path.size + directory.acl_size + 64;
	if (x->directory_bytes > DIRECTORY_BYTES_MAX)
		return err_set(err, E2BIG, "the layer has too many directories");
	return 0;
}

static int finish_directory_entry(struct extract *x, int dir_fd, const char *name,
				  const struct tar_entry *entry, bool is_new, struct err *err)
{
	int r = set_owner(x, dir_fd, name, entry, is_new, err);

	if (r >= 0 && entry->xattr_count > 0) {
		autoclose int fd =
			openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_errno(err, "open directory '%s'", entry->path);
		r = set_xattrs(x, fd, NULL, entry, err);
	}
	return r < 0 ? r : record_directory(x, entry, is_new, err);
}

static int make_directory(struct extract *x, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	if (mkdirat(dir_fd, name, entry->mode & 0777) < 0)
		return errno == EEXIST ? -EEXIST : write_error(entry, err);
	return finish_directory_entry(x, dir_fd, name, entry, true, err);
}

static int make_once(struct extract *x, int dir_fd, const char *name, const struct tar_entry *entry,
		     struct err *err)
{
	switch (entry->type) {
	case TAR_FILE:
		return make_file(x, dir_fd, name, entry, err);
	case TAR_DIRECTORY:
		return make_directory(x, dir_fd, name, entry, err);
	case TAR_SYMLINK:
		return make_symlink(x, dir_fd, name, entry, err);
	case TAR_HARD_LINK:
		return make_hard_link(x, dir_fd, name, entry, err);
	default:
		return make_special(x, dir_fd, name, entry, err);
	}
}

static int make_entry(struct extract *x, const struct tar_entry *entry, struct err *err)
{
	const char *name;
	int dir_fd = open_parent(x, x->path.data, PARENT_FOR_ENTRY, &name, err);

	if (dir_fd < 0)
		return dir_fd;
	int r = make_once(x, dir_fd, name, entry, err);
	if (r != -EEXIST)
		return r;
	r = clear_the_way(x, dir_fd, name, entry->type, err);
	if (r < 0)
		return r;
	if (r == WAY_IS_DIRECTORY)
		return finish_directory_entry(x, dir_fd, name, entry, false, err);
	if (r == WAY_WAS_PARENT) {
		forget_parents(x);
		dir_fd = open_parent(x, x->path.data, PARENT_FOR_ENTRY, &name, err);
		if (dir_fd < 0)
			return dir_fd;
	}
	r = make_once(x, dir_fd, name, entry, err);
	if (r == -EEXIST)
		return err_set(err, EEXIST, "'%s' cannot be replaced", entry->path);
	/* What was not a directory hid the lower layers' directory of this name, be it a whiteout
	 * or a file: so must the new one. */
	if (r >= 0 && entry->type == TAR_DIRECTORY && !(x->options->flags & EXTRACT_PLAIN))
		r = set_opaque(x, dir_fd, name, err);
	return r;
}

static int apply_whiteout(struct extract *x, enum name_kind kind, struct err *err)
{
	const char *name;
	struct stat st;
	struct err parent_err;
	int dir_fd = open_parent(x, x->path.data, PARENT_FOR_WHITEOUT, &name, &parent_err);

	/* Below what is no directory in this layer, nothing of the lower ones is to be seen. */
	if (dir_fd == -ENOTDIR)
		return 0;
	if (dir_fd < 0) {
		*err = parent_err;
		return dir_fd;
	}
	if (kind == NAME_OPAQUE)
		return set_opaque(x, dir_fd, ".", err);
	name += strlen(WHITEOUT_PREFIX);
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(err, "create whiteout of '%s'", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "look at '%s'", name);
	return S_ISDIR(st.st_mode) ? set_opaque(x, dir_fd, name, err) : 0;
}

static int extract_entry(struct extract *x, const struct tar_entry *entry, struct err *err)
{
	enum name_kind kind;

	if (clean_path(entry->path, &x->path) < 0)
		return err_set(err, EXDEV, "'%.200s' leads out of the layer", entry->path);
	x->stats.entries++;
	int r = check_space(x, 0, err);
	if (r < 0)
		return r;
	if (x->path.size == 0) {
		if (entry->type != TAR_DIRECTORY)
			return err_set(err, EINVAL, "the root of the layer is not a directory");
		return finish_directory_entry(x, x->root_fd, ".", entry, false, err);
	}
	if (x->options->flags & EXTRACT_PLAIN)
		return make_entry(x, entry, err);
	if (classify(x->path.data, &kind) < 0)
		return err_set(err, EINVAL, "'%s' is a whiteout of nothing", entry->path);
	switch (kind) {
	case NAME_IGNORED:
		return 0;
	case NAME_WHITEOUT:
	case NAME_OPAQUE:
		return apply_whiteout(x, kind, err);
	case NAME_PLAIN:
		break;
	}
	return make_entry(x, entry, err);
}

static int finish_directory(const struct extract *x, const struct directory *directory,
			    struct err *err)
{
	struct timespec times[2] = { directory->mtime, directory->mtime };
	autoclose int fd = open_in_root(x, directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0) {
		/* Something replaced it, or what was on the way to it. */
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		return err_errno(err, "open directory '%s'", directory->path);
	}
	if (directory->acl &&
	    fsetxattr(fd, POSIX_ACL_DEFAULT, directory->acl, directory->acl_size, 0) < 0 &&
	    errno != EOPNOTSUPP && errno != EPERM)
		return err_errno(err, "set default ACL of '%s'", directory->path);
	if (directory->needs_mode && fchmod(fd, directory->mode) < 0)
		return err_errno(err, "set mode of '%s'", directory->path);
	if (futimens(fd, times) < 0)
		return err_errno(err, "set time of '%s'", directory->path);
	return 0;
}

static void extract_clear(struct extract *x)
{
	forget_parents(x);
	for (size_t i = 0; i < x->directory_count; i++) {
		free(x->directories[i].path);
		free(x->directories[i].acl);
	}
	free(x->directories);
	strbuf_clear(&x->path);
	strbuf_clear(&x->link_path);
}

int extract_tree(int root_fd, struct tar_reader *reader, const struct extract_options *options,
		 struct extract_stats *ret_stats, struct err *err)
{
	struct extract x = { .root_fd = root_fd, .reader = reader, .options = options };
	const struct tar_entry *entry;
	int r;

	while ((r = tar_reader_next(reader, &entry, err)) > 0) {
		r = extract_entry(&x, entry, err);
		if (r < 0)
			break;
	}
	for (size_t i = 0; r >= 0 && i < x.directory_count; i++)
		r = finish_directory(&x, &x.directories[i], err);
	if (r >= 0)
		*ret_stats = x.stats;
	extract_clear(&x);
	return r;
}
