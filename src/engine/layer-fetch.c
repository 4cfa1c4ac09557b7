/* One poll loop over the downloads' events, the workers' ends and the screen.
 *
 *	WAITING ──lock──▶ READY ──▶ DOWNLOADING ──▶ FETCHED ──adopt──▶ DONE
 *	   ▲ another pull   │           └── a worker unpacks meanwhile ──┘
 *	   └── has it ──────┘
 *
 * The lock of a layer is held from READY until its row is written, so a tree without a valid row is
 * a leftover of the dead and may be removed. Holding one layer never depends on getting another. */
#include "engine/layer-fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/progress.h"
#include "engine/engine.h"
#include "engine/image-source.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "registry/client.h"
#include "store/blob.h"
#include "store/layer-record.h"
#include "store/layer.h"
#include "store/store.h"

#define LOCK_RETRY_MSEC 100

enum layer_state {
	LAYER_WAITING,	   /* for its lock */
	LAYER_READY,	   /* ours; the blob is not here and not on its way */
	LAYER_DOWNLOADING, /* a worker may already be at it */
	LAYER_FETCHED,	   /* the blob is complete */
	LAYER_DONE,
};

struct layer {
	const struct oci_descriptor *blob;
	const char *diff_id;
	enum layer_state state;
	int lock_fd;
	unsigned download; /* number of the registry client */
	uint64_t available_bytes;
	bool has_download; /* `download` is running */
	bool is_adopted;   /* the blob is in the store */
	int blob_fd;	   /* what the worker reads */
	int growth_fd;	   /* our end: tells the worker how far the download is; -1 */
	bool owes_growth;  /* the pipe was full: tell again */
	struct layer_worker *worker;
	bool is_unpacked, was_recorded, was_fetched;
	uint64_t content_bytes;
	int item; /* of the progress */
};

struct work {
	const struct layer_fetch *fetch;
	struct store *store;
	const struct userns_map *map;
	pid_t join_pid;
	struct layer *layers;
	size_t count;
	int worker_limit, worker_count;
};

static int processor_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

static void tell_growth(struct layer *layer, bool is_aborted)
{
	bool is_complete = layer->state == LAYER_FETCHED;
	struct layer_growth growth = { .size_bytes = layer->available_bytes,
				       .is_complete = is_complete,
				       .is_aborted = is_aborted };

	if (layer->growth_fd < 0)
		return;
	/* A worker that gave up is heard of by its own end, not by a signal that ends us. */
	ssize_t n = send(layer->growth_fd, &growth, sizeof(growth), MSG_NOSIGNAL | MSG_DONTWAIT);
	layer->owes_growth = n < 0 && errno == EAGAIN;
	if (!layer->owes_growth && (is_complete || is_aborted))
		fd_close(&layer->growth_fd);
}

static void report(struct work *work, struct layer *layer)
{
	struct progress *progress = work->fetch->progress;

	if (layer->state == LAYER_DONE || layer->item < 0)
		return;
	if (layer->state == LAYER_DOWNLOADING)
		progress_update(progress, layer->item, (int64_t)layer->available_bytes, "download");
	else if (layer->worker)
		progress_update(progress, layer->item,
				(int64_t)layer_worker_progress(layer->worker), "unpack");
}

static void add_item(struct work *work, struct layer *layer)
{
	autofree char *label = xasprintf("Copying blob %.12s", layer->blob->digest + 7);

	layer->item = progress_add(work->fetch->progress, label, layer->blob->size);
}

static int start_worker(struct work *work, struct layer *layer, struct err *err)
{
	autoclose int growth_read_fd = -1;
	bool is_growing = layer->state == LAYER_DOWNLOADING;
	/* The tree of somebody who died before he wrote the row, or that a power cut may have hurt;
	 * the lock is ours. */
	if (layer_exists(store_root_fd(work->store), layer->diff_id)) {
		autofree char *hex = xstrdup(layer->diff_id + 7);
		int dir_fd = store_directory(work->store, STORE_LAYERS, err);
		int r = dir_fd < 0 ? dir_fd : store_trash(work->store, dir_fd, hex, err);
		if (r < 0)
			return r;
	}

	if (layer->blob_fd < 0) {
		int64_t size;
		int r = 0;
		if (is_growing) {
			char name[REGISTRY_BLOB_NAME_SIZE];
			int dir_fd = store_directory(work->store, STORE_PULL, err);
			if (dir_fd < 0)
				return dir_fd;
			registry_blob_name(layer->blob->digest, name);
			layer->blob_fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			if (layer->blob_fd < 0)
				return err_errno(err, "open the download of blob '%s'",
						 layer->blob->digest);
		} else {
			r = blob_open(work->store, layer->blob->digest, &layer->blob_fd, &size,
				      err);
		}
		if (r < 0)
			return r;
	}
	if (is_growing) {
		int fds[2];
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
			return err_errno(err, "make a socket pair");
		growth_read_fd = fds[0];
		layer->growth_fd = fds[1];
		if (fcntl(fds[1], F_SETFL, O_NONBLOCK) < 0)
			return err_errno(err, "make a socket pair");
	}

	struct layer_source source = {
		.fd = layer->blob_fd,
		.growth_fd = growth_read_fd,
		.diff_id = layer->diff_id,
		.digest = layer->blob->digest,
		.size_bytes = (uint64_t)layer->blob->size,
	};
	struct layer_options options = {
		/* Whoever has one ID only cannot give files to anybody else. */
		.flags = work->map->is_single_id ? LAYER_IGNORE_OWNERS : 0,
	};
	int r = layer_worker_start(store_root_fd(work->store), &source, &options, work->map,
				   work->join_pid, &layer->worker, err);
	if (r < 0)
		return err_wrap(err, "unpack layer '%s'", layer->diff_id);
	work->worker_count++;
	if (is_growing)
		tell_growth(layer, false);
	return 0;
}

static int adopt(struct work *work, struct layer *layer, struct err *err)
{
	char name[REGISTRY_BLOB_NAME_SIZE];
	int dir_fd = store_directory(work->store, STORE_PULL, err);

	if (dir_fd < 0)
		return dir_fd;
	registry_blob_name(layer->blob->digest, name);
	int r = blob_adopt(work->store, dir_fd, name, layer->blob->digest, err);
	layer->is_adopted = r >= 0;
	return r < 0 ? err_wrap(err, "keep blob '%s'", layer->blob->digest) : r;
}

static int finish_if_complete(struct work *work, struct layer *layer, struct err *err)
{
	if (layer->state != LAYER_FETCHED || !layer->is_unpacked)
		return 0;
	int r = 0;
	if (!layer->was_recorded)
		r = layer_record(work->store, layer->diff_id, (int64_t)layer->content_bytes, err);
	if (r < 0)
		return err_wrap(err, "record layer '%s'", layer->diff_id);
	layer->state = LAYER_DONE;
	store_unlock(work->store, "layer", layer->diff_id + 7, &layer->lock_fd);
	fd_close(&layer->blob_fd);
	progress_finish(work->fetch->progress, layer->item,
			layer->was_recorded && !layer->was_fetched ? "exists" : "done");
	return 0;
}

static int end_worker(struct work *work, struct layer *layer, struct err *err)
{
	struct layer_result result;
	struct layer_worker *worker = take_ptr(&layer->worker);

	work->worker_count--;
	int r = layer_worker_finish(worker, &result, err);
	if (r < 0)
		return r;
	layer->is_unpacked = true;
	layer->content_bytes = result.content_bytes;
	return finish_if_complete(work, layer, err);
}

/* The same comes earlier in the list: what that one brings serves both. */
static bool is_repetition(const struct work *work, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(work->layers[i].diff_id, work->layers[index].diff_id) == 0 &&
		    strcmp(work->layers[i].blob->digest, work->layers[index].blob->digest) == 0)
			return true;
	return false;
}

/* An unpacked layer may be known under another blob, compressed in another way. The blob of this
 * image is fetched all the same, for its manifest names it and `save` must find it. */
static int claim(struct work *work, struct layer *layer, struct err *err)
{
	const char *digest = layer->blob->digest;
	struct err own = { 0 };
	int r = store_lock(work->store, "layer", layer->diff_id + 7, STORE_LOCK_NO_WAIT,
			   &layer->lock_fd, &own);

	if (r == -EWOULDBLOCK)
		return 0;
	if (r < 0) {
		*err = own;
		return r;
	}
	add_item(work, layer);
	layer->was_recorded = layer_is_recorded(work->store, layer->diff_id);
	layer->is_unpacked = layer->was_recorded;
	layer->is_adopted = blob_is_present(work->store, digest);
	layer->state = layer->is_adopted ? LAYER_FETCHED : LAYER_READY;
	return layer->is_adopted ? finish_if_complete(work, layer, err) : 0;
}

static int fetch_blob(struct work *work, struct layer *layer, struct err *err)
{
	const struct layer_fetch *fetch = work->fetch;
	int r;

	layer->was_fetched = true;
	if (fetch->client) {
		r = registry_client_start_blob(fetch->client, fetch->reference, layer->blob->digest,
					       layer->blob->size, &layer->download, err);
		if (r < 0)
			return r;
		layer->has_download = true;
		layer->state = LAYER_DOWNLOADING;
		return 0;
	}
	progress_update(fetch->progress, layer->item, 0, "copy");
	(void)progress_draw(fetch->progress);
	r = image_source_adopt(fetch->source, layer->blob->digest, layer->blob->size, err);
	if (r < 0)
		return r;
	layer->is_adopted = true;
	layer->state = LAYER_FETCHED;
	return finish_if_complete(work, layer, err);
}

static struct layer *find_download(struct work *work, unsigned number)
{
	for (size_t i = 0; i < work->count; i++)
		if (work->layers[i].has_download && work->layers[i].download == number)
			return &work->layers[i];
	return NULL;
}

static int handle_event(struct work *work, const struct registry_event *event, struct err *err)
{
	struct layer *layer = find_download(work, event->blob);
	struct stat st;

	if (!layer)
		return 0;
	switch (event->kind) {
	case REGISTRY_BLOB_PROGRESS:
		layer->available_bytes = (uint64_t)event->bytes;
		tell_growth(layer, false);
		return 0;
	case REGISTRY_BLOB_FAILED:
		layer->has_download = false;
		if (event->err.code != EEXIST) {
			*err = event->err;
			return -err->code;
		}
		/* Another process finished it and took it into the store. What our worker reads is
		 * that very file, unless it began a different one. */
		if (layer->worker) {
			if (fstat(layer->blob_fd, &st) < 0 || st.st_size != layer->blob->size)
				return err_set(err, EAGAIN,
					       "blob '%s' was replaced by another pull; try again",
					       layer->blob->digest);
		} else if (!blob_is_present(work->store, layer->blob->digest)) {
			layer->state = LAYER_READY;
			return 0;
		}
		break;
	case REGISTRY_BLOB_DONE:
		layer->has_download = false;
		break;
	}
	layer->available_bytes = (uint64_t)layer->blob->size;
	layer->state = LAYER_FETCHED;
	tell_growth(layer, false);
	int r = adopt(work, layer, err);
	return r < 0 ? r : finish_if_complete(work, layer, err);
}

/* Whatever can be begun now. Sets *ret_pending when layers wait for somebody else. */
static int begin(struct work *work, bool *ret_waits_for_lock, bool *ret_is_done, struct err *err)
{
	int r = 0;

	*ret_waits_for_lock = false;
	*ret_is_done = true;
	for (size_t i = 0; r >= 0 && i < work->count; i++) {
		struct layer *layer = &work->layers[i];
		if (layer->state == LAYER_WAITING)
			r = claim(work, layer, err);
		if (r >= 0 && layer->state == LAYER_READY &&
		    (work->fetch->client || work->worker_count < work->worker_limit))
			r = fetch_blob(work, layer, err);
		bool has_bytes = layer->state == LAYER_FETCHED ||
				 (layer->state == LAYER_DOWNLOADING && layer->available_bytes > 0);
		if (r >= 0 && has_bytes && !layer->worker && !layer->is_unpacked &&
		    work->worker_count < work->worker_limit)
			r = start_worker(work, layer, err);
		*ret_waits_for_lock |= layer->state == LAYER_WAITING;
		*ret_is_done &= layer->state == LAYER_DONE;
	}
	return r;
}

static int wait_for_news(struct work *work, bool waits_for_lock, struct err *err)
{
	struct pollfd *polls = xcalloc(2 * work->count + 1, sizeof(*polls));
	autofree struct pollfd *owned = polls;
	nfds_t count = 0;
	int timeout = progress_draw(work->fetch->progress);

	if (waits_for_lock && (timeout < 0 || timeout > LOCK_RETRY_MSEC))
		timeout = LOCK_RETRY_MSEC;
	if (work->fetch->client)
		polls[count++] = (struct pollfd){ .fd = registry_client_fd(work->fetch->client),
						  .events = POLLIN };
	for (size_t i = 0; i < work->count; i++) {
		struct layer *layer = &work->layers[i];
		if (layer->worker)
			polls[count++] = (struct pollfd){ .fd = layer_worker_fd(layer->worker),
							  .events = POLLIN };
		if (layer->owes_growth)
			polls[count++] =
				(struct pollfd){ .fd = layer->growth_fd, .events = POLLOUT };
	}
	if (poll(polls, count, timeout) < 0 && errno != EINTR)
		return err_errno(err, "wait for layers");

	struct registry_event event;
	int r = 0;
	while (work->fetch->client &&
	       (r = registry_client_next_event(work->fetch->client, 0, &event, err)) > 0) {
		r = handle_event(work, &event, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; r >= 0 && i < work->count; i++) {
		struct layer *layer = &work->layers[i];
		if (layer->owes_growth)
			tell_growth(layer, false);
		report(work, layer);
		if (layer->worker) {
			struct pollfd ended = { .fd = layer_worker_fd(layer->worker),
						.events = POLLIN };
			if (poll(&ended, 1, 0) > 0)
				r = end_worker(work, layer, err);
		}
	}
	return r;
}

/* Leave nothing running behind a failure; what has been downloaded stays for the next time. */
static void give_up(struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		struct layer *layer = &work->layers[i];
		if (layer->has_download)
			registry_client_cancel_blob(work->fetch->client, layer->download);
		if (layer->state == LAYER_DOWNLOADING)
			tell_growth(layer, true);
		fd_close(&layer->growth_fd);
	}
	for (size_t i = 0; i < work->count; i++) {
		struct layer *layer = &work->layers[i];
		struct layer_result result;
		struct err ignored = { 0 }; /* the first failure is the one to tell */
		if (layer->worker &&
		    layer_worker_finish(take_ptr(&layer->worker), &result, &ignored) >= 0 &&
		    layer->is_adopted)
			(void)layer_record(work->store, layer->diff_id,
					   (int64_t)result.content_bytes, &ignored);
		if (layer->item >= 0)
			progress_finish(work->fetch->progress, layer->item, NULL);
	}
}

int layer_fetch_all(const struct layer_fetch *fetch, struct err *err)
{
	struct work work = { .fetch = fetch, .worker_limit = processor_count() };
	const struct oci_manifest *manifest = fetch->manifest;
	bool waits_for_lock, is_done = false;

	if (manifest->item_count != fetch->config->diff_ids.count)
		return err_set(err, EBADMSG,
			       "image '%s': the manifest has %zu layers, the configuration %zu",
			       manifest->config.digest, manifest->item_count,
			       fetch->config->diff_ids.count);
	int r = engine_store(fetch->engine, &work.store, err);
	if (r >= 0)
		r = engine_map(fetch->engine, &work.map, err);
	if (r >= 0)
		r = store_directory(work.store, STORE_LAYERS, err);
	if (r < 0)
		return r;
	work.join_pid = engine_join_pid(fetch->engine);
	autofree struct layer *layers = xcalloc(manifest->item_count + 1, sizeof(*layers));
	work.layers = layers;
	for (size_t i = 0; i < manifest->item_count; i++) {
		work.layers[work.count] =
			(struct layer){ .blob = &manifest->items[i],
					.diff_id = fetch->config->diff_ids.items[i],
					.lock_fd = -1,
					.blob_fd = -1,
					.growth_fd = -1,
					.item = -1 };
		if (!is_repetition(&work, work.count))
			work.count++;
	}

	while (r >= 0 && !is_done) {
		r = begin(&work, &waits_for_lock, &is_done, err);
		if (r >= 0 && !is_done)
			r = wait_for_news(&work, waits_for_lock, err);
	}
	if (r < 0)
		give_up(&work);
	for (size_t i = 0; i < work.count; i++) {
		if (work.layers[i].lock_fd >= 0)
			store_unlock(work.store, "layer", work.layers[i].diff_id + 7,
				     &work.layers[i].lock_fd);
		fd_close(&work.layers[i].blob_fd);
	}
	return r < 0 ? r : 0;
}
