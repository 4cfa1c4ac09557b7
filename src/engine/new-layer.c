#include "engine/new-layer.h"

#include <errno.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/progress.h"
#include "engine/engine.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/decompress.h"
#include "store/layer-record.h"
#include "store/layer.h"
#include "store/store.h"

struct new_layer_job {
	struct store *store;
	struct blob_draft blob;
	struct layer_worker *worker;
};

static void job_free(struct new_layer_job *job)
{
	blob_draft_end(job->store, &job->blob);
	free(job);
}

int new_layer_start(struct engine *engine, int fd, struct new_layer_job **ret_job, struct err *err)
{
	struct new_layer_job *job = xcalloc(1, sizeof(*job));
	const struct userns_map *map;

	job->blob.fd = -1;
	int r = engine_store(engine, &job->store, err);
	if (r >= 0)
		r = engine_map(engine, &map, err);
	if (r >= 0)
		r = store_directory(job->store, STORE_LAYERS, err);
	if (r >= 0)
		r = blob_draft_begin(job->store, &job->blob, err);
	if (r < 0) {
		free(job);
		return r;
	}
	struct layer_source source = { .fd = fd, .growth_fd = -1, .keep_fd = job->blob.fd };
	struct layer_options options = { 0 };
	r = layer_worker_start(store_root_fd(job->store), &source, &options, map,
			       engine_join_pid(engine), &job->worker, err);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*ret_job = job;
	return 0;
}

static void show_progress(const struct new_layer_job *job, struct progress *progress)
{
	struct pollfd ended = { .fd = layer_worker_fd(job->worker), .events = POLLIN };
	int item = progress_add(progress, "Writing layer", 0), timeout = 0;

	while (progress && poll(&ended, 1, timeout) <= 0) {
		progress_update(progress, item, (int64_t)layer_worker_progress(job->worker), NULL);
		timeout = progress_draw(progress);
		if (timeout < 0)
			timeout = 1000;
	}
	progress_finish(progress, item, NULL);
}

/* Others may have unpacked the same layer meanwhile, or have died before they recorded it: then what
 * is there is not known to be whole. */
static int record(struct new_layer_job *job, const struct layer_result *result, struct err *err)
{
	const char *hex = result->diff_id + 7;
	autoclose int lock_fd = -1;

	int r = store_lock(job->store, "layer", hex, 0, &lock_fd, err);
	if (r < 0)
		return r;
	if (!layer_is_recorded(job->store, result->diff_id)) {
		int dir_fd = store_directory(job->store, STORE_LAYERS, err);
		if (dir_fd >= 0 && result->existed) {
			r = store_trash(job->store, dir_fd, hex, err);
			if (r >= 0)
				r = err_set(err, EAGAIN,
					    "a damaged copy of layer '%.19s' was in the store and "
					    "has been removed; try again",
					    result->diff_id);
		} else {
			r = dir_fd < 0 ? dir_fd
				       : layer_record(job->store, result->diff_id,
						      (int64_t)result->content_bytes, err);
		}
	}
	store_unlock(job->store, "layer", hex, &lock_fd);
	return r;
}

static int adopt_blob(struct new_layer_job *job, const struct layer_result *result,
		      struct image_layer *ret_layer, struct err *err)
{
	uint8_t magic[COMPRESSION_MAGIC_SIZE];
	ssize_t n = pread(job->blob.fd, magic, sizeof(magic), 0);

	if (n < 0)
		return err_errno(err, "read blob");
	enum compression compression = compression_detect(magic, (size_t)n);
	int r = blob_draft_adopt(job->store, &job->blob, result->digest, err);
	if (r < 0)
		return r;
	*ret_layer = (struct image_layer){
		.diff_id = xstrdup(result->diff_id),
		.blob_digest = xstrdup(result->digest),
		.media_type = xstrdup(compression == COMPRESSION_GZIP	? OCI_MEDIA_TYPE_LAYER_GZIP
				      : compression == COMPRESSION_ZSTD ? OCI_MEDIA_TYPE_LAYER_ZSTD
									: OCI_MEDIA_TYPE_LAYER),
		.blob_size = (int64_t)result->blob_bytes,
	};
	return 0;
}

int new_layer_finish(struct new_layer_job *job, struct progress *progress,
		     struct image_layer *ret_layer, struct err *err)
{
	struct layer_result result;

	show_progress(job, progress);
	int r = layer_worker_finish(job->worker, &result, err);
	if (r >= 0)
		r = record(job, &result, err);
	if (r >= 0)
		r = adopt_blob(job, &result, ret_layer, err);
	job_free(job);
	return r < 0 ? r : 0;
}

void new_layer_clear(struct image_layer *layer)
{
	free(layer->diff_id);
	free(layer->blob_digest);
	free(layer->media_type);
	*layer = (struct image_layer){ 0 };
}
