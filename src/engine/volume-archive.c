/* The archive may be hostile, and so may be what a container has put into its volume: names are resolved inside of the
 * volume only (store/extract.h). */
#include "engine/volume-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/volume-backing.h"
#include "engine/volume.h"
#include "store/decompress.h"
#include "store/extract.h"
#include "store/tar-tree.h"
#include "store/tar.h"

struct job {
	char *path; /* of the content */
	int fd;
	enum extract_flags flags;
};

static int find_content(const struct volume *volume, char **ret_path, struct err *err)
{
	autofree char *backing = NULL;

	int r = volume_backing_path(&volume->options, &backing, err);
	if (r < 0)
		return r;
	if (backing && backing[0] != '/')
		return err_set(err, ENOTSUP,
			       "volume '%s' is a %s, which each container has for itself; copy out "
			       "of a container with 'davit cp'",
			       volume->name, backing);
	*ret_path = backing ? take_ptr(&backing) : xstrdup(volume->mountpoint);
	return 0;
}

static int open_content(const struct job *job, struct err *err)
{
	int fd = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(err, "open '%s'", job->path) : fd;
}

static int write_archive(void *arg, struct err *err)
{
	const struct job *job = arg;
	const struct tar_tree_options options = { .flags = TAR_TREE_ONE_FILE_SYSTEM };

	/* In a process of its own, whose death nobody would understand. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);

	autoclose int root_fd = open_content(job, err);
	return root_fd < 0 ? root_fd : tar_tree_write(root_fd, &options, job->fd, NULL, err);
}

int volume_export(struct engine *engine, const struct volume *volume, int out_fd, struct err *err)
{
	autofree char *path = NULL;

	int r = find_content(volume, &path, err);
	if (r < 0)
		return r;
	struct job job = { .path = path, .fd = out_fd };
	r = engine_run_mapped(engine, write_archive, &job, err);
	if (r < 0)
		return err_wrap(err, "export volume '%s'", volume->name);
	event_object(engine, "volume", EVENT_EXPORT, volume->name);
	return 0;
}

static ssize_t read_compressed(void *arg, void *data, size_t size, struct err *err)
{
	const struct job *job = arg;
	ssize_t n;

	do
		n = read(job->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_errno(err, "read the archive") : n;
}

struct unpacked {
	struct decompressor *decompressor;
	char data[65536];
};

static ssize_t next_piece(void *arg, const void **ret_data, struct err *err)
{
	struct unpacked *unpacked = arg;

	*ret_data = unpacked->data;
	return decompressor_read(unpacked->decompressor, unpacked->data, sizeof(unpacked->data),
				 err);
}

static int read_archive(void *arg, struct err *err)
{
	struct job *job = arg;
	const struct byte_source source = { read_compressed, job };
	autodecompressor struct decompressor *decompressor = decompressor_new(&source);
	autofree struct unpacked *unpacked = xcalloc(1, sizeof(*unpacked));
	const struct tar_source tar = { .next = next_piece, .arg = unpacked };
	const struct extract_options options = { .flags = job->flags };
	struct extract_stats stats;

	unpacked->decompressor = decompressor;
	umask(0); /* in a process of its own */
	autoclose int root_fd = open_content(job, err);
	if (root_fd < 0)
		return root_fd;
	autotarreader struct tar_reader *reader = tar_reader_new(&tar, TAR_READER_IGNORE_GLOBALS);
	int r = extract_tree(root_fd, reader, &options, &stats, err);
	return r < 0 ? r : tar_reader_drain(reader, err);
}

int volume_import(struct engine *engine, const struct volume *volume, int in_fd, struct err *err)
{
	const struct userns_map *map;
	autofree char *path = NULL;

	int r = find_content(volume, &path, err);
	if (r == 0)
		r = engine_map(engine, &map, err);
	if (r < 0)
		return r;
	struct job job = {
		.path = path,
		.fd = in_fd,
		.flags = EXTRACT_PLAIN | (map->is_identity ? 0 : EXTRACT_IN_USERNS) |
			 (map->is_single_id ? EXTRACT_IGNORE_OWNERS : 0),
	};
	r = engine_run_mapped(engine, read_archive, &job, err);
	if (r < 0) /* what it held before may be replaced already, so there is no way back */
		return err_wrap(err,
				"import into volume '%s', which may hold a part of the archive now",
				volume->name);
	r = volume_mark_used(engine, volume->name, err);
	if (r == 0)
		event_object(engine, "volume", EVENT_IMPORT, volume->name);
	return r;
}
