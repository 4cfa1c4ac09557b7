/* The first use of a volume: what the image has at the mount's place is copied into it.
 *
 * The image is looked at through an overlay of its layers that is never attached anywhere, in a
 * process of the caller's mapping; paths are resolved inside of it, so a link in the image leads
 * nowhere else. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/layer-view.h"
#include "engine/volume.h"
#include "kernel/mount.h"
#include "runtime/copy-up.h"

struct fill {
	const struct strlist *layer_dirs;
	const char *path; /* inside the image */
	const char *data; /* the volume's directory */
	const struct identity *identity;
	bool copy, is_rootless;
};

static int fill_in_mapping(void *arg, struct err *err)
{
	const struct fill *fill = arg;

	/* A volume that holds something is left as it is. */
	autoclose int data_fd = open(fill->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data_fd < 0)
		return err_errno(err, "open '%s'", fill->data);
	if (directory_is_empty(data_fd) != 1)
		return 0;
	autoclose int image_fd = layer_view_open(fill->layer_dirs, fill->is_rootless, err);
	if (image_fd < 0)
		return image_fd;
	autoclose int from_fd = mount_open_in_root(image_fd, fill->path, O_DIRECTORY, 0);
	if (from_fd >= 0 && fill->copy) {
		int r = copy_up_directory(from_fd, data_fd, true);
		if (r < 0) {
			errno = -r;
			return err_errno(err, "copy '%s' of the image into the volume", fill->path);
		}
		return 0;
	}
	/* The image has nothing there: the volume is for whoever the container runs as. */
	if (fchown(data_fd, fill->identity->uid, fill->identity->gid) < 0)
		return err_errno(err, "give the volume to user %u", fill->identity->uid);
	return 0;
}

/* Its content may be another user's by now, the directory around it is ours. */
static int lock(const struct volume *volume, int *ret_fd, struct err *err)
{
	autofree char *directory = xstrdup(volume->mountpoint);

	*strrchr(directory, '/') = '\0';
	*ret_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_errno(err, "open '%s'", directory);
	while (flock(*ret_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock '%s'", directory);
	return 0;
}

int volume_fill(struct engine *engine, const char *name, const struct strlist *layer_dirs,
		const char *path, bool copy, const struct identity *identity, struct err *err)
{
	autovolume struct volume *volume = NULL;
	autoclose int lock_fd = -1;

	int r = volume_find(engine, name, &volume, err);
	if (r == 0 && volume->needs_copy_up)
		r = lock(volume, &lock_fd, err);
	if (r < 0 || !volume->needs_copy_up)
		return r;
	/* Another container may have been first: then it is filled by now. */
	volume_free(take_ptr(&volume));
	r = volume_find(engine, name, &volume, err);
	if (r < 0 || !volume->needs_copy_up)
		return r;
	struct fill fill = {
		.layer_dirs = layer_dirs,
		.path = path,
		.data = volume->mountpoint,
		.identity = identity,
		.copy = copy,
		.is_rootless = engine->is_rootless,
	};
	r = engine_run_mapped(engine, fill_in_mapping, &fill, err);
	if (r < 0)
		return err_wrap(err, "volume '%s'", name);
	return volume_mark_used(engine, volume->name, err);
}

struct chown_job {
	const char *path;
	const struct identity *identity;
};

static int chown_tree(int dir_fd, const char *name, const struct identity *identity)
{
	if (fchownat(dir_fd, name, identity->uid, identity->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int code = errno;
		close(fd);
		return -code;
	}
	int r = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = chown_tree(fd, entry->d_name, identity);
	closedir(dir);
	return r;
}

static int chown_in_mapping(void *arg, struct err *err)
{
	const struct chown_job *job = arg;

	int r = chown_tree(AT_FDCWD, job->path, job->identity);
	if (r < 0) {
		errno = -r;
		return err_errno(err, "give '%s' to user %u of the container", job->path,
				 job->identity->uid);
	}
	return 0;
}

int volume_chown(struct engine *engine, const char *path, const struct identity *identity,
		 struct err *err)
{
	struct chown_job job = { path, identity };

	return engine_run_mapped(engine, chown_in_mapping, &job, err);
}
