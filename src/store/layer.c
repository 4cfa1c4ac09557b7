/* Unpacking runs in three threads, because inflating and writing files cost about the same and
 * hashing goes to whichever processor has time:
 *
 *   reader   blob → sha256 → inflate → ring of buffers
 *   hasher   ring of buffers → sha256
 *   caller   ring of buffers → tar → files
 *
 * The ring is small, so that what was inflated is still in the processor's cache when it is hashed
 * and written. The reader stops the others by leaving an error behind the last good buffer, the
 * caller stops them by `stop`, which also wakes a reader that waits for a download. */
#include "store/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/decompress.h"
#include "store/extract.h"
#include "store/store-internal.h"
#include "store/tar.h"

#define LAYERS	     "layers"
#define TMP_PREFIX   "tmp-"
#define BUFFER_SIZE  (256 << 10)
#define BUFFER_COUNT 8
#define RATIO_MAX    1100
#define RATIO_SLACK  ((uint64_t)64 << 20)

/* ---- the blob ---- */

struct blob {
	const struct layer_source *source;
	const struct layer_options *options;
	struct sha256 *hash;
	bool is_pipe;
	bool is_plain;	    /* not compressed: its digest is that of the archive */
	bool is_complete;   /* no growth to wait for */
	uint64_t position;  /* bytes read */
	uint64_t available; /* bytes of a growing blob that are there */
	int stop_fd;	    /* readable when nobody wants more */
};

static int wait_for_growth(struct blob *blob, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = blob->source->growth_fd, .events = POLLIN },
		{ .fd = blob->stop_fd, .events = POLLIN },
	};
	struct layer_growth growth;

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return err_errno(err, "wait for download");
	if (fds[1].revents)
		return err_set(err, ECANCELED, "unpacking was stopped");
	ssize_t n = fd_read_full(blob->source->growth_fd, &growth, sizeof(growth));
	if (n != sizeof(growth) || growth.is_aborted)
		return err_set(err, ECANCELED, "the download was aborted");
	blob->available = growth.size_bytes;
	blob->is_complete = growth.is_complete;
	return 0;
}

static int keep(const struct blob *blob, const void *data, size_t size, struct err *err)
{
	int r = fd_write_all(blob->source->keep_fd, data, size);

	if (r == -ENOSPC || r == -EDQUOT)
		return err_set(
			err, -r,
			"%s; free some space, for example with 'davit image prune', or use a "
			"store elsewhere with --root",
			r == -EDQUOT ? "your disk quota is used up"
				     : "no space is left on the file system of the store");
	errno = -r;
	return r < 0 ? err_errno(err, "write blob") : 0;
}

static ssize_t blob_read(void *arg, void *data, size_t size, struct err *err)
{
	struct blob *blob = arg;
	ssize_t n;

	while (!blob->is_complete && blob->position >= blob->available) {
		int r = wait_for_growth(blob, err);
		if (r < 0)
			return r;
	}
	if (!blob->is_complete && size > blob->available - blob->position)
		size = (size_t)(blob->available - blob->position);
	do
		n = blob->is_pipe ? read(blob->source->fd, data, size)
				  : pread(blob->source->fd, data, size, (off_t)blob->position);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "read blob");
	if (n == 0 && !blob->is_complete)
		return err_set(err, EBADMSG, "the blob is shorter than its download");
	if (blob->position == 0)
		blob->is_plain = n >= COMPRESSION_MAGIC_SIZE &&
				 compression_detect(data, (size_t)n) == COMPRESSION_NONE;
	blob->position += (uint64_t)n;
	if (blob->source->size_bytes && blob->position > blob->source->size_bytes)
		return err_set(err, EBADMSG,
			       "the blob is larger than the %" PRIu64 " bytes promised",
			       blob->source->size_bytes);
	if (!blob->is_plain)
		sha256_update(blob->hash, data, (size_t)n);
	if (blob->source->keep_fd) {
		int r = keep(blob, data, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (blob->options->progress && n > 0)
		blob->options->progress(blob->options->progress_arg, blob->position);
	return n;
}

/* ---- the threads ---- */

struct pipeline {
	struct blob blob;
	struct decompressor *decompressor;
	struct sha256 *tar_hash;
	uint64_t max_tar_bytes, tar_bytes; /* the reader's until it was joined */

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Below: under the mutex. Buffers are counted through and used modulo BUFFER_COUNT. */
	uint64_t filled, hashed, done; /* [hashed, filled) wait for the hasher, [done, filled)
					* for the caller */
	bool ended;		       /* no buffer comes any more; `result` and `err` tell why */
	bool stop;
	int result;
	struct err err;

	bool holds_buffer; /* the caller's: it uses the buffer number `done` */
	size_t sizes[BUFFER_COUNT];
	uint8_t *buffers;
};

static int check_tar_size(const struct pipeline *pipeline, struct err *err)
{
	uint64_t blob = pipeline->blob.source->size_bytes > pipeline->blob.position
				? pipeline->blob.source->size_bytes
				: pipeline->blob.position;
	uint64_t limit = pipeline->max_tar_bytes;

	if (limit == 0)
		limit = blob > UINT64_MAX / RATIO_MAX - RATIO_SLACK
				? UINT64_MAX
				: blob * RATIO_MAX + RATIO_SLACK;
	if (pipeline->tar_bytes <= limit)
		return 0;
	return err_set(err, EFBIG,
		       "it unpacks to more than %" PRIu64
		       " MiB, which is more than honest data would; not unpacked",
		       limit >> 20);
}

/* Returns whether there is a free buffer; waits for one. */
static bool wait_for_room(struct pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->mutex);
	while (!pipeline->stop && (pipeline->filled - pipeline->done == BUFFER_COUNT ||
				   pipeline->filled - pipeline->hashed == BUFFER_COUNT))
		pthread_cond_wait(&pipeline->changed, &pipeline->mutex);
	bool go_on = !pipeline->stop;
	pthread_mutex_unlock(&pipeline->mutex);
	return go_on;
}

static int read_all(struct pipeline *pipeline, struct err *err)
{
	for (uint64_t number = 0; wait_for_room(pipeline); number++) {
		uint8_t *buffer = pipeline->buffers + number % BUFFER_COUNT * BUFFER_SIZE;
		ssize_t n = decompressor_read(pipeline->decompressor, buffer, BUFFER_SIZE, err);
		if (n <= 0)
			return (int)n;
		pipeline->tar_bytes += (uint64_t)n;
		int r = check_tar_size(pipeline, err);
		if (r < 0)
			return r;

		pthread_mutex_lock(&pipeline->mutex);
		pipeline->sizes[number % BUFFER_COUNT] = (size_t)n;
		pipeline->filled = number + 1;
		pthread_cond_broadcast(&pipeline->changed);
		pthread_mutex_unlock(&pipeline->mutex);
	}
	return err_set(err, ECANCELED, "unpacking was stopped");
}

static void *reader_main(void *arg)
{
	struct pipeline *pipeline = arg;
	struct err err;
	int r = read_all(pipeline, &err);

	pthread_mutex_lock(&pipeline->mutex);
	pipeline->ended = true;
	pipeline->result = r;
	if (r < 0)
		pipeline->err = err;
	pthread_cond_broadcast(&pipeline->changed);
	pthread_mutex_unlock(&pipeline->mutex);
	return NULL;
}

static void *hasher_main(void *arg)
{
	struct pipeline *pipeline = arg;

	pthread_mutex_lock(&pipeline->mutex);
	for (;;) {
		while (!pipeline->stop && !pipeline->ended && pipeline->hashed == pipeline->filled)
			pthread_cond_wait(&pipeline->changed, &pipeline->mutex);
		if (pipeline->stop || pipeline->hashed == pipeline->filled)
			break;
		size_t index = (size_t)(pipeline->hashed % BUFFER_COUNT);
		size_t size = pipeline->sizes[index];
		pthread_mutex_unlock(&pipeline->mutex);
		sha256_update(pipeline->tar_hash, pipeline->buffers + index * BUFFER_SIZE, size);
		pthread_mutex_lock(&pipeline->mutex);
		pipeline->hashed++;
		pthread_cond_broadcast(&pipeline->changed);
	}
	pthread_mutex_unlock(&pipeline->mutex);
	return NULL;
}

/* A tar_source: the next buffer; the one before goes back. */
static ssize_t next_buffer(void *arg, const void **ret_data, struct err *err)
{
	struct pipeline *pipeline = arg;
	ssize_t n;

	pthread_mutex_lock(&pipeline->mutex);
	if (pipeline->holds_buffer) {
		pipeline->done++;
		pthread_cond_broadcast(&pipeline->changed);
	}
	while (pipeline->done == pipeline->filled && !pipeline->ended)
		pthread_cond_wait(&pipeline->changed, &pipeline->mutex);
	pipeline->holds_buffer = pipeline->done < pipeline->filled;
	if (pipeline->holds_buffer) {
		size_t index = (size_t)(pipeline->done % BUFFER_COUNT);
		*ret_data = pipeline->buffers + index * BUFFER_SIZE;
		n = (ssize_t)pipeline->sizes[index];
	} else {
		n = pipeline->result;
		if (n < 0)
			*err = pipeline->err;
	}
	pthread_mutex_unlock(&pipeline->mutex);
	return n;
}

static void stop_reader(struct pipeline *pipeline)
{
	uint64_t one = 1;

	pthread_mutex_lock(&pipeline->mutex);
	pipeline->stop = true;
	pthread_cond_broadcast(&pipeline->changed);
	pthread_mutex_unlock(&pipeline->mutex);
	(void)!write(pipeline->blob.stop_fd, &one, sizeof(one)); /* cannot fail: it is at 0 */
}

static int extract_from(struct pipeline *pipeline, int root_fd, struct extract_stats *ret_stats,
			struct err *err)
{
	const struct layer_options *options = pipeline->blob.options;
	struct tar_source source = { .next = next_buffer, .arg = pipeline };
	struct extract_options extract_options = {
		.flags = (options->flags & LAYER_IN_USERNS ? EXTRACT_IN_USERNS : 0) |
			 (options->flags & LAYER_IGNORE_OWNERS ? EXTRACT_IGNORE_OWNERS : 0),
		.min_free_bytes = options->min_free_bytes,
	};
	autotarreader struct tar_reader *reader =
		tar_reader_new(&source, TAR_READER_IGNORE_GLOBALS);
	int r = extract_tree(root_fd, reader, &extract_options, ret_stats, err);

	/* What follows the archive belongs to the digests. */
	return r < 0 ? r : tar_reader_drain(reader, err);
}

static int run_pipeline(struct pipeline *pipeline, int root_fd, struct extract_stats *ret_stats,
			struct err *err)
{
	pthread_t reader, hasher;

	int r = pthread_create(&reader, NULL, reader_main, pipeline);
	if (r != 0)
		return err_set(err, r, "start a thread: %s", strerror(r));
	r = pthread_create(&hasher, NULL, hasher_main, pipeline);
	if (r != 0) {
		stop_reader(pipeline);
		pthread_join(reader, NULL);
		return err_set(err, r, "start a thread: %s", strerror(r));
	}
	r = extract_from(pipeline, root_fd, ret_stats, err);
	if (r < 0)
		stop_reader(pipeline);
	pthread_join(reader, NULL);
	pthread_join(hasher, NULL);
	return r;
}

static int check_digest(const char *what, const char *got, const char *wanted, struct err *err)
{
	if (!wanted || !strcmp(got, wanted))
		return 0;
	return err_set(err, EBADMSG, "the %s is %s, not %s as promised: the data is damaged", what,
		       got, wanted);
}

static int check_result(struct pipeline *pipeline, struct layer_result *result, struct err *err)
{
	const struct layer_source *source = pipeline->blob.source;

	result->blob_bytes = pipeline->blob.position;
	result->tar_bytes = pipeline->tar_bytes;
	sha256_finish_digest(pipeline->tar_hash, result->diff_id);
	if (pipeline->blob.is_plain)
		memcpy(result->digest, result->diff_id, sizeof(result->digest));
	else
		sha256_finish_digest(pipeline->blob.hash, result->digest);
	if (source->size_bytes && result->blob_bytes != source->size_bytes)
		return err_set(err, EBADMSG, "the blob has %" PRIu64 " bytes, not %" PRIu64,
			       result->blob_bytes, source->size_bytes);
	int r = check_digest("digest", result->digest, source->digest, err);
	return r < 0 ? r : check_digest("diff ID", result->diff_id, source->diff_id, err);
}

static int unpack_into(int root_fd, const struct layer_source *source,
		       const struct layer_options *options, struct layer_result *result,
		       struct err *err)
{
	struct stat st;
	struct extract_stats stats = { 0 };
	autosha256 struct sha256 *blob_hash = NULL, *tar_hash = NULL;
	autoclose int stop_fd = eventfd(0, EFD_CLOEXEC);

	if (stop_fd < 0 || fstat(source->fd, &st) < 0)
		return err_errno(err, "open blob");
	int r = sha256_new(&blob_hash, err);
	if (r >= 0)
		r = sha256_new(&tar_hash, err);
	if (r < 0)
		return r;

	struct pipeline pipeline = {
		.blob = {
			.source = source,
			.options = options,
			.hash = blob_hash,
			.is_pipe = !S_ISREG(st.st_mode),
			.is_complete = source->growth_fd < 0,
			.stop_fd = stop_fd,
		},
		.tar_hash = tar_hash,
		.max_tar_bytes = options->max_tar_bytes,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.buffers = xmalloc((size_t)BUFFER_COUNT * BUFFER_SIZE),
	};
	struct byte_source bytes = { .read = blob_read, .arg = &pipeline.blob };
	pipeline.decompressor = decompressor_new(&bytes);

	mode_t mask = umask(0);
	r = run_pipeline(&pipeline, root_fd, &stats, err);
	umask(mask);
	if (r >= 0)
		r = check_result(&pipeline, result, err);
	result->content_bytes = stats.content_bytes;
	result->entries = stats.entries;
	result->skipped_devices = stats.skipped_devices;
	result->skipped_xattrs = stats.skipped_xattrs;
	result->changed_owners = stats.changed_owners;
	decompressor_free(pipeline.decompressor);
	free(pipeline.buffers);
	return r;
}

/* ---- the store's directory ---- */

/* The HEX of a diff ID, or NULL. */
static const char *diff_id_hex(const char *diff_id)
{
	if (strncmp(diff_id, "sha256:", 7) != 0 ||
	    strspn(diff_id + 7, "0123456789abcdef") != SHA256_HEX_SIZE - 1 ||
	    diff_id[7 + SHA256_HEX_SIZE - 1] != '\0')
		return NULL;
	return diff_id + 7;
}

static int bad_diff_id(const char *diff_id, struct err *err)
{
	return err_set(err, EINVAL, "'%s' is not a diff ID (sha256:HEX)", diff_id);
}

char *layer_path(const char *diff_id)
{
	const char *hex = diff_id_hex(diff_id);

	return hex ? xasprintf(LAYERS "/%s/diff", hex) : NULL;
}

bool layer_exists(int store_fd, const char *diff_id)
{
	autofree char *path = layer_path(diff_id);

	return path && faccessat(store_fd, path, F_OK, AT_EACCESS) == 0;
}

int layer_open_directory(int store_fd, struct err *err)
{
	if (mkdirat(store_fd, LAYERS, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "create directory '" LAYERS "' in the store");
	int fd = openat(store_fd, LAYERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, "open directory '" LAYERS "' in the store") : fd;
}

int layer_make_tmp(int layers_fd, char **ret_name, int *ret_fd, struct err *err)
{
	for (;;) {
		char random[17];
		struct stat st;

		random_hex(random, 8);
		autofree char *name = xasprintf(TMP_PREFIX "%s", random);
		if (mkdirat(layers_fd, name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return err_errno(err, "create directory in the store");
		}
		autoclose int fd = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return err_errno(err, "open directory in the store");
		/* A sweep may have come between; then it is gone, or will be. */
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
			continue;
		*ret_name = take_ptr(&name);
		*ret_fd = take_fd(&fd);
		return 0;
	}
}

/* The empty root of a tree, whatever its parent would hand down to it. */
static int make_root(int tmp_fd, struct err *err)
{
	if (mkdirat(tmp_fd, "diff", 0755) < 0)
		return err_errno(err, "create directory in the store");
	autoclose int fd = openat(tmp_fd, "diff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open directory in the store");
	(void)fremovexattr(fd, "system.posix_acl_default"); /* mostly there is none */
	(void)fremovexattr(fd, "system.posix_acl_access");
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_errno(err, "set owner of a directory in the store");
	return take_fd(&fd);
}

static int publish(int layers_fd, const char *tmp_name, const char *diff_id, bool *ret_existed,
		   struct err *err)
{
	if (renameat(layers_fd, tmp_name, layers_fd, diff_id_hex(diff_id)) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_errno(err, "move layer into the store");
	/* Another process was faster. */
	*ret_existed = true;
	return file_remove_tree(layers_fd, tmp_name, err);
}

int layer_unpack(int store_fd, const struct layer_source *source,
		 const struct layer_options *options, struct layer_result *ret_result,
		 struct err *err)
{
	struct layer_result result = { 0 };
	autofree char *tmp_name = NULL;
	autoclose int layers_fd = -1, tmp_fd = -1;
	struct err ignored;

	if (source->diff_id && !diff_id_hex(source->diff_id))
		return bad_diff_id(source->diff_id, err);
	if (source->diff_id && layer_exists(store_fd, source->diff_id)) {
		result.existed = true;
		memcpy(result.diff_id, source->diff_id, sizeof(result.diff_id));
		*ret_result = result;
		return 0;
	}
	layers_fd = layer_open_directory(store_fd, err);
	if (layers_fd < 0)
		return layers_fd;
	int r = layer_make_tmp(layers_fd, &tmp_name, &tmp_fd, err);
	if (r < 0)
		return r;
	autoclose int root_fd = make_root(tmp_fd, err);
	r = root_fd;
	if (r >= 0)
		r = unpack_into(root_fd, source, options, &result, err);
	if (r >= 0)
		r = publish(layers_fd, tmp_name, result.diff_id, &result.existed, err);
	if (r < 0) {
		/* The lock is still ours. What cannot be removed now is swept later. */
		(void)file_remove_tree(layers_fd, tmp_name, &ignored);
		/* What only the archive itself can cause. */
		if (r == -EXDEV || r == -EBADMSG || r == -ENOTDIR || r == -ELOOP ||
		    r == -ENAMETOOLONG)
			err_remedy(err,
				   "the layer is damaged or means harm: do not use this image");
		const char *name = source->diff_id ? source->diff_id : source->digest;
		return name ? err_wrap(err, "unpack layer '%.19s'", name)
			    : err_wrap(err, "unpack layer");
	}
	*ret_result = result;
	return 0;
}

int layer_remove(int store_fd, const char *diff_id, struct err *err)
{
	const char *hex = diff_id_hex(diff_id);
	autofree char *tmp_name = NULL;
	autoclose int layers_fd = -1, tmp_fd = -1;

	if (!hex)
		return bad_diff_id(diff_id, err);
	layers_fd = layer_open_directory(store_fd, err);
	if (layers_fd < 0)
		return layers_fd;
	/* Into a locked directory of its own, so that no sweep works on the same tree. */
	int r = layer_make_tmp(layers_fd, &tmp_name, &tmp_fd, err);
	if (r < 0)
		return r;
	if (renameat(layers_fd, hex, tmp_fd, "removed") < 0 && errno != ENOENT)
		r = err_errno(err, "remove layer '%s'", diff_id);
	struct err remove_err;
	int removed = file_remove_tree(layers_fd, tmp_name, &remove_err);
	if (r >= 0 && removed < 0) {
		*err = remove_err;
		r = err_wrap(err, "remove layer '%s'", diff_id);
	}
	return r < 0 ? r : 0;
}

/* Returns 1 if it was removed, 0 if it is in use or gone. */
static int sweep_one(int layers_fd, const char *name, struct err *err)
{
	autoclose int fd = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, "open '%s'", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	int r = file_remove_tree(layers_fd, name, err);
	return r < 0 ? r : 1;
}

int layer_sweep(int store_fd, struct err *err)
{
	int count = 0, result = 0;
	int fd = openat(store_fd, LAYERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open directory '" LAYERS "'");
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_errno(err, "read directory '" LAYERS "'");
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, TMP_PREFIX, strlen(TMP_PREFIX)) != 0)
			continue;
		/* One that cannot be removed does not keep the others. */
		int r = sweep_one(fd, entry->d_name, err);
		if (r < 0)
			result = r;
		else
			count += r;
	}
	closedir(dir);
	return result < 0 ? result : count;
}
