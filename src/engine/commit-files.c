#include "engine/commit-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-inside.h"
#include "engine/container-layers.h"
#include "engine/container-map.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/layer-view.h"
#include "engine/mount-spec.h"
#include "engine/secret-use.h"
#include "kernel/mount.h"
#include "kernel/userns.h"
#include "store/tar-tree.h"

struct files {
	const char *upper;	   /* the directory of what has changed */
	struct strlist layer_dirs; /* below it, uppermost first */
	struct strlist mounted;	   /* where the user has mounted something; relative */
	const struct id_map *uid_map, *gid_map;
	bool in_userns;
	int in_fd, out_fd; /* of a pipe */
};

/* ---- mount points, in the process that walks ---- */

/* What davit mounts in every container. Where the image lacks the place, it may have been made in
 * the container's own layer. */
static const struct {
	const char *path;
	bool is_ours; /* with all that is in it */
} places[] = {
	{ "run/secrets", true },   { "run/.containerenv", false },
	{ "run/notify", false },   { "etc/hosts", false },
	{ "etc/hostname", false }, { "etc/resolv.conf", false },
	{ "dev", false },	   { "proc", false },
	{ "sys", false },	   { "run", false },
	{ "etc", false },
};

/* Nothing is in it but what is left out anyway. */
static bool is_empty(int dir_fd, const char *path, const struct strlist *excluded)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool empty = dir;

	for (struct dirent *entry; empty && (entry = readdir(dir));) {
		autofree char *name = path_join(path, entry->d_name);
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			strlist_contains(excluded, name);
	}
	if (dir)
		closedir(dir);
	return empty;
}

static int open_place(int upper_fd, const char *path, struct stat *st)
{
	int fd = mount_open_in_root(upper_fd, path, O_NOFOLLOW, RESOLVE_NO_SYMLINKS);

	if (fd >= 0 && fstat(fd, st) < 0)
		fd_close(&fd);
	return fd;
}

static bool image_has(int lower_fd, const char *path)
{
	struct stat st;

	return lower_fd >= 0 && fstatat(lower_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_empty_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size == 0;
}

/* `lower_fd` is what the image has, -1: the root has that too. Then directories stay, for the image may
 * have them as well. */
static void exclude_mount_points(const struct files *files, int root_fd, int lower_fd,
				 bool is_whole, struct strlist *excluded)
{
	struct stat st;

	for (size_t i = 0; i < files->mounted.count; i++) {
		const char *path = files->mounted.items[i];
		autoclose int fd = open_place(root_fd, path, &st);
		if (fd >= 0 && is_empty_file(&st) && !image_has(lower_fd, path))
			strlist_add(excluded, path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *path = places[i].path;
		autoclose int fd = open_place(root_fd, path, &st);
		if (fd < 0 || image_has(lower_fd, path))
			continue;
		if (places[i].is_ours || is_empty_file(&st) ||
		    (!is_whole && S_ISDIR(st.st_mode) && is_empty(fd, path, excluded)))
			strlist_add(excluded, path);
	}
}

/* ---- the walk ---- */

static int write_nothing(int out_fd, struct err *err)
{
	static const char end[1024];
	int r = fd_write_all(out_fd, end, sizeof(end));

	errno = -r;
	return r < 0 ? err_errno(err, "write tar archive") : 0;
}

static int open_lower(const struct files *files, struct err *err)
{
	return files->layer_dirs.count ? layer_view_open(&files->layer_dirs, files->in_userns, err)
				       : -1;
}

static int write_upper(void *arg, struct err *err)
{
	const struct files *files = arg;
	autostrlist struct strlist excluded = STRLIST_EMPTY;
	struct tar_tree_options options = {
		.flags = TAR_TREE_LAYER,
		.uid_map = files->uid_map,
		.gid_map = files->gid_map,
		.excluded = &excluded,
	};

	close(files->in_fd); /* or we would not hear that nobody reads */
	/* The other one says why it does not read on. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	autoclose int fd = open(files->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) /* it was never started */
		return write_nothing(files->out_fd, err);
	if (fd < 0)
		return err_errno(err, "open '%s'", files->upper);
	autoclose int lower_fd = open_lower(files, err);
	if (lower_fd < 0 && files->layer_dirs.count)
		return lower_fd;
	exclude_mount_points(files, fd, lower_fd, false, &excluded);
	return tar_tree_write(fd, &options, files->out_fd, NULL, err);
}

static int write_whole(const struct inside_view *view, void *arg, struct err *err)
{
	const struct files *files = arg;
	autostrlist struct strlist excluded = STRLIST_EMPTY;
	struct tar_tree_options options = {
		.flags = TAR_TREE_ONE_FILE_SYSTEM,
		.excluded = &excluded,
		.proc_fd = view->proc_fd,
	};

	close(files->in_fd);
	exclude_mount_points(files, view->root_fd, -1, true, &excluded);
	return tar_tree_write(view->root_fd, &options, files->out_fd, NULL, err);
}

static const char *relative(const char *path)
{
	return path + strspn(path, "/");
}

static int find_mounted(const struct container_spec *spec, struct strlist *mounted, struct err *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		strlist_add(mounted, relative(mount.destination));
		mount_spec_clear(&mount);
	}
	for (size_t i = 0; i < spec->secrets.count; i++) {
		struct secret_use use;
		int r = secret_use_load(spec->secrets.items[i], &use, err);
		if (r < 0)
			return r;
		if (!use.is_env && use.target && use.target[0] == '/')
			strlist_add(mounted, relative(use.target));
		secret_use_clear(&use);
	}
	return 0;
}

static int start_upper(struct engine *engine, const struct container_spec *spec,
		       struct files *files, struct userns_worker **ret_worker, struct err *err)
{
	struct container_map map = { 0 };
	const struct userns_map *caller;

	int r = engine_map(engine, &caller, err);
	if (r == 0)
		r = container_map_of(engine, spec, &map, err);
	/* Where the kernel maps it when it is mounted, it has the container's IDs on disk. */
	if (r == 0 && map.is_own && !container_map_is_mounted(engine, &map)) {
		files->uid_map = &map.uid;
		files->gid_map = &map.gid;
	}
	if (r == 0)
		r = container_layer_dirs(engine, spec, &files->layer_dirs, err);
	if (r == 0)
		r = userns_spawn(caller, engine_join_pid(engine), write_upper, files, ret_worker,
				 err);
	files->uid_map = files->gid_map = NULL; /* the worker has its own */
	container_map_clear(&map);
	return r;
}

int commit_files_start(struct engine *engine, const struct container_spec *spec, const char *upper,
		       struct container_inside *inside, const int pipe_fds[2],
		       struct userns_worker **ret_worker, struct err *err)
{
	struct files files = { .upper = upper,
			       .in_userns = engine->is_rootless,
			       .in_fd = pipe_fds[0],
			       .out_fd = pipe_fds[1] };

	int r = find_mounted(spec, &files.mounted, err);
	if (r == 0)
		r = inside ? container_inside_spawn(inside, write_whole, &files, ret_worker, err)
			   : start_upper(engine, spec, &files, ret_worker, err);
	strlist_clear(&files.layer_dirs);
	strlist_clear(&files.mounted);
	return r;
}
