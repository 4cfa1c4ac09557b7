#include "store/tar-place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "store/tar.h"

#define DIRECTORIES_MAX (4 << 20) /* each takes some 100 bytes until the end */

/* What a directory gets when nothing will be made in it any more. */
struct directory {
	char *path;
	struct timespec mtime;
	mode_t mode;
};

struct place {
	int dir_fd;
	struct tar_reader *reader;
	const struct tar_place_options *options;
	struct tar_place_stats stats;
	struct strbuf path, link;
	/* The last parent that was asked for. */
	struct strbuf parent;
	int parent_fd;
	struct directory *directories;
	size_t directory_count, directory_capacity;
};

/* ---- names ---- */

/* `path` below what the archive's root becomes, without "." and ".."; "." is that itself. -EXDEV if it leads out. */
static int place_path(const struct place *place, const char *path, struct strbuf *full)
{
	strbuf_reset(full);
	if (place->options->name)
		strbuf_adds(full, place->options->name);
	size_t root = full->size;
	while (*path) {
		const char *end = strchrnul(path, '/');
		size_t size = (size_t)(end - path);
		if (size == 2 && memcmp(path, "..", 2) == 0) {
			if (full->size == root)
				return -EXDEV;
			while (full->size > root && full->data[--full->size] != '/')
				;
			full->data[full->size] = '\0';
		} else if (size > 0 && !(size == 1 && *path == '.')) {
			if (full->size > 0)
				strbuf_addc(full, '/');
			strbuf_add(full, path, size);
		}
		path = *end ? end + 1 : end;
	}
	if (full->size == 0)
		strbuf_addc(full, '.');
	return 0;
}

static int open_below(const struct place *place, const char *path, uint64_t flags)
{
	bool follow = place->options->flags & TAR_PLACE_FOLLOW_LINKS;
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (follow ? 0 : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
	};

	for (int attempt = 0;; attempt++) {
		long fd = syscall(SYS_openat2, place->dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 1000)
			return (int)fd;
	}
}

/* Missing directories on the way, for archives that do not name them. */
static int make_parents(const struct place *place, char *path, struct err *err)
{
	for (char *at = strchr(path, '/');; at = strchr(at + 1, '/')) {
		if (at)
			*at = '\0';
		autoclose int fd = open_below(place, path, O_PATH | O_DIRECTORY);
		if (fd < 0 && errno == ENOENT) {
			char *slash = strrchr(path, '/');
			if (slash)
				*slash = '\0';
			autoclose int above_fd =
				open_below(place, slash ? path : ".", O_PATH | O_DIRECTORY);
			if (slash)
				*slash = '/';
			const char *name = slash ? slash + 1 : path;
			if (above_fd < 0 || mkdirat(above_fd, name, 0755) < 0 ||
			    ((place->options->flags & TAR_PLACE_SET_OWNER) &&
			     fchownat(above_fd, name, place->options->uid, place->options->gid,
				      AT_SYMLINK_NOFOLLOW) < 0))
				return err_errno(err, "create directory '%s'", path);
		} else if (fd < 0) {
			return err_errno(err, "open directory '%s'", path);
		}
		if (!at)
			return 0;
		*at = '/';
	}
}

/* The directory that a path is in, borrowed until the next call, and the name in it. */
static int open_parent(struct place *place, const char *path, const char **ret_name,
		       struct err *err)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return place->dir_fd;
	size_t size = (size_t)(slash - path);
	if (place->parent_fd >= 0 && place->parent.size == size &&
	    memcmp(place->parent.data, path, size) == 0)
		return place->parent_fd;
	fd_close(&place->parent_fd);
	strbuf_reset(&place->parent);
	strbuf_add(&place->parent, path, size);
	place->parent_fd = open_below(place, place->parent.data, O_PATH | O_DIRECTORY);
	if (place->parent_fd < 0 && errno == ENOENT) {
		int r = make_parents(place, place->parent.data, err);
		if (r < 0)
			return r;
		place->parent_fd = open_below(place, place->parent.data, O_PATH | O_DIRECTORY);
	}
	return place->parent_fd < 0 ? err_errno(err, "open directory '%s'", place->parent.data)
				    : place->parent_fd;
}

/* ---- metadata ---- */

static int set_owner(const struct place *place, int dir_fd, const char *name,
		     const struct tar_entry *entry, struct err *err)
{
	const struct tar_place_options *options = place->options;
	bool is_set = options->flags & TAR_PLACE_SET_OWNER;
	uid_t uid = is_set ? options->uid : entry->uid;
	gid_t gid = is_set ? options->gid : entry->gid;

	if (fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(err, EINVAL,
			       "'%.200s' belongs to %u:%u, which are no IDs there; give it to the "
			       "container's user with --archive",
			       entry->path, uid, gid);
	return err_errno(err, "set owner of '%.200s'", entry->path);
}

/* Those of users, and what users' file systems may not keep is passed over. */
static int set_xattrs(int fd, const struct tar_entry *entry, struct err *err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];
		if (!tar_xattr_is_portable(xattr->name) ||
		    fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) == 0)
			continue;
		if (errno != EOPNOTSUPP && errno != EPERM && errno != EINVAL)
			return err_errno(err, "set attribute '%.100s' of '%.200s'", xattr->name,
					 entry->path);
	}
	return 0;
}

/* ---- files ---- */

static int write_data(struct place *place, int fd, const struct tar_entry *entry, struct err *err)
{
	const void *data;
	uint64_t offset;

	if (entry->extents && ftruncate(fd, (off_t)entry->size) < 0)
		return err_errno(err, "write '%.200s'", entry->path);
	for (;;) {
		ssize_t size = tar_reader_data(place->reader, &data, &offset, err);
		if (size <= 0)
			return (int)size;
		if (entry->extents && lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return err_errno(err, "write '%.200s'", entry->path);
		int r = fd_write_all(fd, data, (size_t)size);
		if (r < 0) {
			errno = -r;
			return err_errno(err, "write '%.200s'", entry->path);
		}
		place->stats.content_bytes += (uint64_t)size;
	}
}

static int fill_file(struct place *place, int *fd, const struct tar_entry *entry, struct err *err)
{
	struct timespec times[2] = { entry->mtime, entry->mtime };

	int r = write_data(place, *fd, entry, err);
	if (r >= 0)
		r = set_owner(place, *fd, "", entry, err);
	if (r >= 0)
		r = set_xattrs(*fd, entry, err);
	if (r < 0)
		return r;
	/* After chown(2), which takes the set-ID bits. */
	if (fchmod(*fd, entry->mode) < 0)
		return err_errno(err, "set mode of '%.200s'", entry->path);
	if (futimens(*fd, times) < 0)
		return err_errno(err, "set time of '%.200s'", entry->path);
	/* A file system that writes late may tell only now that it is full. */
	if (close(take_fd(fd)) < 0 && errno != EINTR)
		return err_errno(err, "write '%.200s'", entry->path);
	return 0;
}

static int make_file(struct place *place, int dir_fd, const char *name,
		     const struct tar_entry *entry, struct err *err)
{
	autoclose int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? -EEXIST : err_errno(err, "create '%.200s'", entry->path);
	int r = fill_file(place, &fd, entry, err);
	if (r < 0)
		(void)unlinkat(dir_fd, name, 0); /* the first failure is the one to tell */
	return r;
}

/* One that is mounted by itself, as /etc/hosts in a container, cannot be replaced, but written. */
static int overwrite_file(struct place *place, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	struct stat st;
	autoclose int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "replace '%.200s'", entry->path);
	if (!S_ISREG(st.st_mode) || ftruncate(fd, 0) < 0)
		return err_set(err, EBUSY, "replace '%.200s': something is mounted there",
			       entry->path);
	return write_data(place, fd, entry, err);
}

/* ---- what is no file ---- */

static int make_special(struct place *place, int dir_fd, const char *name,
			const struct tar_entry *entry, struct err *err)
{
	mode_t type = entry->type == TAR_FIFO	       ? S_IFIFO
		      : entry->type == TAR_CHAR_DEVICE ? S_IFCHR
						       : S_IFBLK;
	dev_t device = type == S_IFIFO ? 0 : makedev(entry->device_major, entry->device_minor);

	if (mknodat(dir_fd, name, type | (entry->mode & 0777), device) == 0)
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	if (errno != EPERM)
		return err_errno(err, "create '%.200s'", entry->path);
	return err_set(err, EPERM,
		       "create '%.200s': a device cannot be made in a user namespace; give it to "
		       "the container with --device",
		       entry->path);
}

static int make_symlink(int dir_fd, const char *name, const struct tar_entry *entry,
			struct err *err)
{
	if (symlinkat(entry->link, dir_fd, name) == 0)
		return 0;
	return errno == EEXIST ? -EEXIST : err_errno(err, "create link '%.200s'", entry->path);
}

/* Links, devices and pipes have no descriptor; the name is that of what was just made. */
static int finish_special(struct place *place, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	struct timespec times[2] = { entry->mtime, entry->mtime };
	int r = set_owner(place, dir_fd, name, entry, err);

	if (r < 0)
		return r;
	if (entry->type != TAR_SYMLINK &&
	    fchmodat(dir_fd, name, entry->mode, AT_SYMLINK_NOFOLLOW) < 0 && errno != EOPNOTSUPP)
		return err_errno(err, "set mode of '%.200s'", entry->path);
	if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "set time of '%.200s'", entry->path);
	return 0;
}

static int make_hard_link(struct place *place, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	const char *target;
	autoclose int own_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3); /* the parent is asked anew */

	if (own_fd < 0)
		return err_errno(err, "duplicate a descriptor");
	if (place_path(place, entry->link, &place->link) < 0)
		return err_set(err, EXDEV,
			       "hard link '%.200s' to '%.200s' leads out of the archive",
			       entry->path, entry->link);
	int target_fd = open_parent(place, place->link.data, &target, err);
	if (target_fd < 0)
		return target_fd;
	if (linkat(target_fd, target, own_fd, name, 0) == 0)
		return 0;
	return errno == EEXIST
		       ? -EEXIST
		       : err_errno(err, "hard link '%.200s' to '%.200s'", entry->path, entry->link);
}

/* ---- directories ---- */

static int record_directory(struct place *place, const struct tar_entry *entry, struct err *err)
{
	if (place->directory_count == DIRECTORIES_MAX)
		return err_set(err, E2BIG, "more than %d directories", DIRECTORIES_MAX);
	if (place->directory_count == place->directory_capacity) {
		place->directory_capacity =
			place->directory_capacity ? 2 * place->directory_capacity : 64;
		place->directories = xreallocarray(place->directories, place->directory_capacity,
						   sizeof(*place->directories));
	}
	place->directories[place->directory_count++] = (struct directory){
		.path = xstrdup(place->path.data),
		.mtime = entry->mtime,
		.mode = entry->mode,
	};
	return 0;
}

static int take_directory(struct place *place, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "open directory '%.200s'", entry->path);
	int r = set_owner(place, fd, "", entry, err);
	if (r == 0)
		r = set_xattrs(fd, entry, err);
	return r < 0 ? r : record_directory(place, entry, err);
}

static int make_directory(struct place *place, int dir_fd, const char *name,
			  const struct tar_entry *entry, struct err *err)
{
	if (mkdirat(dir_fd, name, 0700) == 0)
		return take_directory(place, dir_fd, name, entry, err);
	return errno == EEXIST ? -EEXIST : err_errno(err, "create directory '%.200s'", entry->path);
}

static int finish_directory(const struct place *place, const struct directory *directory,
			    struct err *err)
{
	struct timespec times[2] = { directory->mtime, directory->mtime };
	autoclose int fd = open_below(place, directory->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	/* Replaced by the archive itself, or by somebody else. */
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_errno(err, "open directory '%s'", directory->path);
	if (fchmod(fd, directory->mode) < 0)
		return err_errno(err, "set mode of '%s'", directory->path);
	if (futimens(fd, times) < 0)
		return err_errno(err, "set time of '%s'", directory->path);
	return 0;
}

/* ---- entries ---- */

static int make_once(struct place *place, int dir_fd, const char *name,
		     const struct tar_entry *entry, struct err *err)
{
	int r;

	switch (entry->type) {
	case TAR_FILE:
		return make_file(place, dir_fd, name, entry, err);
	case TAR_DIRECTORY:
		return make_directory(place, dir_fd, name, entry, err);
	case TAR_HARD_LINK:
		return make_hard_link(place, dir_fd, name, entry, err);
	case TAR_SYMLINK:
		r = make_symlink(dir_fd, name, entry, err);
		break;
	default:
		r = make_special(place, dir_fd, name, entry, err);
		break;
	}
	return r < 0 ? r : finish_special(place, dir_fd, name, entry, err);
}

static int kinds_differ(const struct tar_entry *entry, bool is_directory, struct err *err)
{
	return err_set(err, EEXIST,
		       is_directory ? "'%.200s' is a directory there, and what is copied is none; "
				      "replace it with --overwrite"
				    : "'%.200s' is no directory there, and what is copied is one; "
				      "replace it with --overwrite",
		       entry->path);
}

/* Something of that name is there. Returns 1 if it is gone now, 0 if the entry is done. */
static int replace(struct place *place, int dir_fd, const char *name, const struct tar_entry *entry,
		   struct err *err)
{
	bool kinds_may_differ = place->options->flags & TAR_PLACE_REPLACE_KINDS;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : err_errno(err, "look at '%.200s'", entry->path);
	if (S_ISDIR(st.st_mode)) {
		if (entry->type == TAR_DIRECTORY)
			return take_directory(place, dir_fd, name, entry, err);
		if (!kinds_may_differ)
			return kinds_differ(entry, true, err);
		int r = file_remove_tree(dir_fd, name, err);
		return r < 0 ? r : 1;
	}
	if (entry->type == TAR_DIRECTORY && !kinds_may_differ)
		return kinds_differ(entry, false, err);
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 1;
	if (errno == EBUSY && entry->type == TAR_FILE)
		return overwrite_file(place, dir_fd, name, entry, err);
	return err_errno(err, "replace '%.200s'", entry->path);
}

static int place_entry(struct place *place, const struct tar_entry *in_archive, struct err *err)
{
	struct tar_entry renamed = *in_archive;
	const struct tar_entry *entry = &renamed;
	const char *name;

	place->stats.entries++;
	if (place_path(place, entry->path, &place->path) < 0)
		return err_set(err, EXDEV, "'%.200s' leads out of the archive", entry->path);
	renamed.path = place->path.data; /* what a message names */
	/* The directory that was there before is none of the archive's. */
	if (strcmp(place->path.data, ".") == 0)
		return 0;
	if ((entry->type == TAR_CHAR_DEVICE || entry->type == TAR_BLOCK_DEVICE) &&
	    place->options->flags & TAR_PLACE_SKIP_DEVICES) {
		place->stats.skipped_devices++;
		return 0;
	}
	int dir_fd = open_parent(place, place->path.data, &name, err);
	if (dir_fd < 0)
		return dir_fd;
	int r = make_once(place, dir_fd, name, entry, err);
	if (r != -EEXIST)
		return r;
	dir_fd = open_parent(place, place->path.data, &name, err);
	if (dir_fd < 0)
		return dir_fd;
	r = replace(place, dir_fd, name, entry, err);
	if (r <= 0)
		return r;
	fd_close(&place->parent_fd); /* it may have been what was replaced */
	dir_fd = open_parent(place, place->path.data, &name, err);
	if (dir_fd < 0)
		return dir_fd;
	r = make_once(place, dir_fd, name, entry, err);
	return r == -EEXIST ? err_set(err, EEXIST, "'%.200s' cannot be replaced", entry->path) : r;
}

int tar_place(int dir_fd, struct tar_reader *reader, const struct tar_place_options *options,
	      struct tar_place_stats *ret_stats, struct err *err)
{
	struct place place = {
		.dir_fd = dir_fd,
		.reader = reader,
		.options = options,
		.parent_fd = -1,
	};
	const struct tar_entry *entry;
	int r;

	while ((r = tar_reader_next(reader, &entry, err)) > 0) {
		r = place_entry(&place, entry, err);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = tar_reader_drain(reader, err); /* or its writer would meet a closed pipe */
	for (size_t i = 0; r >= 0 && i < place.directory_count; i++)
		r = finish_directory(&place, &place.directories[i], err);
	*ret_stats = place.stats;
	for (size_t i = 0; i < place.directory_count; i++)
		free(place.directories[i].path);
	free(place.directories);
	fd_close(&place.parent_fd);
	strbuf_clear(&place.path);
	strbuf_clear(&place.link);
	strbuf_clear(&place.parent);
	return r < 0 ? r : 0;
}
