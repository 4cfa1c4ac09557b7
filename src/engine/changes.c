/* Both ways work in a process under the caller's mapping, as layers are not readable outside of it, and the
 * list comes back through a file in memory: a kind and a path, ended by NUL.
 *
 * Against its own image a container is not walked as a whole: its upper directory has just what
 * changed. What stands there is new when the layers below do not show it. A whiteout tells that they
 * did. Two other trees are walked side by side in the order of names. */
#include "engine/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "engine/container-layers.h"
#include "engine/container-own-layers.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/layer-view.h"
#include "kernel/overlay-marks.h"
#include "oci/image-config.h"
#include "store/store.h"

#define DEPTH_MAX 2048

struct comparison {
	struct strlist upper; /* one directory that has what changed, or a whole tree's */
	struct strlist lower; /* what it is compared with; empty: nothing */
	bool is_whole;	      /* both are whole trees */
	bool in_userns;
	bool for_container; /* without the files that every engine puts there */
	int out_fd;
	/* In the worker */
	int upper_fd, lower_fd; /* lower_fd -1: nothing */
	FILE *out;
	struct strbuf path;
	unsigned depth;
};

void change_list_clear(struct change_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].path);
	free(list->items);
	*list = (struct change_list){ 0 };
}

/* ---- in the worker ---- */

static bool is_engines_own(const struct comparison *comparison)
{
	static const char *const paths[] = {
		"/dev",	 "/etc/hostname", "/etc/hosts",		"/etc/mtab",   "/etc/resolv.conf",
		"/proc", "/run",	  "/run/.containerenv", "/run/notify", "/run/secrets",
		"/sys"
	};

	if (!comparison->for_container)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (strcmp(strbuf_text(&comparison->path), paths[i]) == 0)
			return true;
	return false;
}

static void tell(struct comparison *comparison, enum change_kind kind)
{
	if (is_engines_own(comparison))
		return;
	fputc(kind, comparison->out);
	fwrite(comparison->path.data, comparison->path.size + 1, 1, comparison->out);
}

static int fail(const struct comparison *comparison, struct err *err)
{
	return err_errno(err, "look at '%s'", strbuf_text(&comparison->path));
}

/* The names in a directory, sorted; none when fd is -1. */
static int list_names(const struct comparison *comparison, int fd, struct strlist *names,
		      struct err *err)
{
	int r = fd < 0 ? 0 : directory_list(fd, names);

	if (r < 0 && r != -ENOENT) {
		errno = -r;
		return fail(comparison, err);
	}
	strlist_sort(names);
	return 0;
}

static int open_directory(int dir_fd, const char *name)
{
	if (dir_fd < 0)
		return -1;
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* What the side has there, if anything. */
static bool look(int dir_fd, const char *name, struct stat *ret_st)
{
	return dir_fd >= 0 && fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !overlay_is_whiteout(dir_fd, name, ret_st);
}

static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    a->st_rdev != b->st_rdev)
		return true;
	if (S_ISDIR(a->st_mode))
		return false;
	return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static int compare_directories(struct comparison *comparison, int upper_fd, int lower_fd,
			       bool is_whole, struct err *err);

static int enter(struct comparison *comparison, int upper_dir, int lower_dir, const char *name,
		 bool is_whole, struct err *err)
{
	autoclose int upper_fd = open_directory(upper_dir, name);
	if (upper_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : fail(comparison, err);
	autoclose int lower_fd = open_directory(lower_dir, name);
	if (comparison->depth == DEPTH_MAX)
		return err_set(err, ELOOP, "'%.100s…' has more than %d directories in each other",
			       strbuf_text(&comparison->path), DEPTH_MAX);
	comparison->depth++;
	/* What is below an opaque directory is all there is. */
	int r = compare_directories(comparison, upper_fd, lower_fd,
				    is_whole || lower_fd < 0 || overlay_is_opaque(upper_fd), err);
	comparison->depth--;
	return r;
}

static int compare_name(struct comparison *comparison, int upper_dir, int lower_dir,
			const char *name, bool is_whole, struct err *err)
{
	struct stat upper, lower;
	bool has_upper = fstatat(upper_dir, name, &upper, AT_SYMLINK_NOFOLLOW) == 0;

	if (!has_upper && errno != ENOENT)
		return fail(comparison, err);
	bool has_lower = look(lower_dir, name, &lower);
	if (has_upper && overlay_is_whiteout(upper_dir, name, &upper))
		has_upper = false;
	if (!has_upper) {
		if (has_lower)
			tell(comparison, CHANGE_DELETED);
		return 0;
	}
	if (!has_lower)
		tell(comparison, CHANGE_ADDED);
	else if (!is_whole || differs(&upper, &lower))
		tell(comparison, CHANGE_MODIFIED);
	return S_ISDIR(upper.st_mode) ? enter(comparison, upper_dir, lower_dir, name, is_whole, err)
				      : 0;
}

/* `is_whole`: what is not in the upper directory is not there. */
static int compare_directories(struct comparison *comparison, int upper_fd, int lower_fd,
			       bool is_whole, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY, below = STRLIST_EMPTY;
	size_t size = comparison->path.size, i = 0, j = 0;

	int r = list_names(comparison, upper_fd, &names, err);
	if (r == 0 && is_whole)
		r = list_names(comparison, lower_fd, &below, err);
	while (r == 0 && (i < names.count || j < below.count)) {
		int order = i == names.count   ? 1
			    : j == below.count ? -1
					       : strcmp(names.items[i], below.items[j]);
		const char *name = order <= 0 ? names.items[i] : below.items[j];
		i += order <= 0;
		j += order >= 0;
		comparison->path.size = size;
		strbuf_addc(&comparison->path, '/');
		strbuf_adds(&comparison->path, name);
		r = compare_name(comparison, upper_fd, lower_fd, name, is_whole, err);
	}
	comparison->path.size = size;
	return r;
}

static int compare_in_mapping(void *arg, struct err *err)
{
	struct comparison *comparison = arg;

	autoclose int upper_fd = layer_view_open(&comparison->upper, comparison->in_userns, err);
	if (upper_fd < 0)
		return upper_fd;
	autoclose int lower_fd =
		comparison->lower.count
			? layer_view_open(&comparison->lower, comparison->in_userns, err)
			: -1;
	if (comparison->lower.count && lower_fd < 0)
		return lower_fd;
	comparison->out = fdopen(comparison->out_fd, "we");
	if (!comparison->out)
		return err_errno(err, "write the list of changes");
	int r = compare_directories(comparison, upper_fd, lower_fd, comparison->is_whole, err);
	if (fclose(comparison->out) != 0 && r == 0)
		r = err_errno(err, "write the list of changes");
	strbuf_clear(&comparison->path);
	return r;
}

/* ---- the sides ---- */

static bool is_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0;
}

static int find_container_dirs(struct engine *engine, const struct container *container,
			       struct strlist *dirs, size_t *ret_own, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autostrlist struct strlist own = STRLIST_EMPTY;

	int r = container_spec_of(container, &spec, err);
	if (r == 0 && (!spec->rootfs || spec->rootfs_is_lower))
		r = container_own_layers(engine, container, &own, err);
	for (size_t i = own.count; r == 0 && i > 0; i--)
		if (is_there(own.items[i - 1])) /* the first start makes it */
			strlist_add(dirs, own.items[i - 1]);
	*ret_own = dirs->count;
	return r < 0 ? r : container_layer_dirs(engine, spec, dirs, err);
}

/* Its directories, uppermost first. *ret_own: how many of them are what it has changed. */
static int find_dirs(struct engine *engine, const struct change_side *side, struct strlist *dirs,
		     size_t *ret_own, struct err *err)
{
	struct store *store;

	if (side->container)
		return find_container_dirs(engine, side->container, dirs, ret_own, err);
	int r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_load_config(store, side->image, err);
	if (r >= 0)
		store_layer_dirs(store, &side->image->config->diff_ids, dirs);
	*ret_own = 1;
	return r < 0 ? r : 0;
}

/* What was changed against what is below it. Several directories of changes, as snapshots leave them,
 * are compared as parts of a whole. */
static void compare_with_lower(struct comparison *comparison, size_t own)
{
	struct strlist *upper = &comparison->upper;

	for (size_t i = own; i < upper->count; i++)
		strlist_add(&comparison->lower, upper->items[i]);
	comparison->is_whole = own > 1;
	while (own <= 1 && upper->count > own)
		strlist_remove(upper, upper->count - 1);
}

static int read_changes(int fd, struct change_list *list, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	size_t capacity = 0;

	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, &text, SIZE_MAX / 2);
	if (r < 0)
		return err_set(err, -r, "read the list of changes: %s", strerror(-r));
	for (size_t at = 0; at < text.size; at += strlen(text.data + at) + 1) {
		if (list->count == capacity) {
			capacity = capacity ? 2 * capacity : 64;
			list->items = xreallocarray(list->items, capacity, sizeof(*list->items));
		}
		list->items[list->count++] = (struct change){ (enum change_kind)text.data[at],
							      xstrdup(text.data + at + 1) };
	}
	return 0;
}

int changes_find(struct engine *engine, const struct change_side *side,
		 const struct change_side *base, struct change_list *ret_list, struct err *err)
{
	struct comparison comparison = { .in_userns = engine->is_rootless,
					 .for_container = side->container };
	struct change_list list = { 0 };
	size_t own = 0, ignored;

	int r = find_dirs(engine, side, &comparison.upper, &own, err);
	if (r == 0 && (base->container || base->image)) {
		comparison.is_whole = true;
		r = find_dirs(engine, base, &comparison.lower, &ignored, err);
	} else if (r == 0) {
		compare_with_lower(&comparison, own);
	}
	autoclose int fd = r < 0 ? -1 : memfd_create("changes", MFD_CLOEXEC);
	if (r == 0 && fd < 0)
		r = err_errno(err, "make a file in memory");
	comparison.out_fd = fd;
	if (r == 0 && comparison.upper.count)
		r = engine_run_mapped(engine, compare_in_mapping, &comparison, err);
	if (r == 0)
		r = read_changes(fd, &list, err);
	if (r == 0)
		*ret_list = list;
	else
		change_list_clear(&list);
	strlist_clear(&comparison.upper);
	strlist_clear(&comparison.lower);
	return r;
}
