#include "engine/container-map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/strbuf.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "store/layer-record.h"
#include "store/layer-remap.h"
#include "store/store.h"

/* Copies that take no longer than this are not talked about. */
#define SILENT_MSEC 400

void container_map_clear(struct container_map *map)
{
	if (map->is_own)
		userns_map_clear(&map->map);
	id_map_clear(&map->uid);
	id_map_clear(&map->gid);
	free(map->name);
	*map = (struct container_map){ 0 };
}

/* FNV-1a, 64 bits: the names of a few mappings of one user are not to be mixed up. */
static char *map_name(const struct container_spec *spec)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const struct strlist *lists[] = { &spec->uid_maps, &spec->gid_maps };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (size_t i = 0; i < lists[l]->count; i++)
			for (const char *at = lists[l]->items[i];; at++) {
				hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
				if (!*at)
					break;
			}
		hash = (hash ^ '/') * UINT64_C(0x100000001b3);
	}
	return xasprintf("%016" PRIx64, hash);
}

static int compose(const struct strlist *lines, const struct id_extent *base, size_t base_count,
		   struct id_map *inner, struct id_extent **ret_extents, size_t *ret_count,
		   struct err *err)
{
	struct id_map whole = { 0 };
	uint32_t missing;

	int r = id_map_parse(lines, inner, err);
	if (r < 0)
		return r;
	if (id_map_compose(inner, base, base_count, &whole, &missing) < 0) {
		id_map_clear(&whole);
		return err_set(err, ERANGE,
			       "the container was made with intermediate ID %u, which this user no "
			       "longer has; see /etc/subuid and /etc/subgid",
			       missing);
	}
	*ret_extents = whole.extents;
	*ret_count = whole.count;
	return 0;
}

int container_map_of(struct engine *engine, const struct container_spec *spec,
		     struct container_map *ret_map, struct err *err)
{
	struct container_map map = { 0 };
	const struct userns_map *base;

	int r = engine_map(engine, &base, err);
	if (r < 0)
		return r;
	if (!spec->uid_maps.count) {
		*ret_map = (struct container_map){ .map = *base };
		return 0;
	}
	map.is_own = true;
	r = compose(&spec->uid_maps, base->uid, base->uid_count, &map.uid, &map.map.uid,
		    &map.map.uid_count, err);
	if (r == 0)
		r = compose(&spec->gid_maps, base->gid, base->gid_count, &map.gid, &map.map.gid,
			    &map.map.gid_count, err);
	if (r < 0) {
		container_map_clear(&map);
		return r;
	}
	map.map.is_single_id = base->is_single_id;
	map.name = map_name(spec);
	*ret_map = map;
	return 0;
}

bool container_map_is_mounted(const struct engine *engine, const struct container_map *map)
{
	return map->is_own && !engine->is_rootless;
}

bool container_map_is_copied(const struct engine *engine, const struct container_map *map)
{
	return map->is_own && engine->is_rootless && !map->map.is_single_id;
}

void container_map_layer_dirs(const struct engine *engine, const struct container_map *map,
			      const struct container_spec *spec, struct strlist *dirs)
{
	for (size_t i = spec->layers.count; container_map_is_copied(engine, map) && i > 0; i--) {
		autofree char *name = layer_remap_path(spec->layers.items[i - 1], map->name);
		autofree char *path = path_join(engine->root, name);
		if (!strlist_contains(dirs, path))
			strlist_take(dirs, take_ptr(&path));
	}
}

void container_map_identity(const struct container_map *map, struct identity *identity)
{
	if (!map->is_own)
		return;
	identity->uid = userns_id_to_host(map->uid.extents, map->uid.count, identity->uid);
	identity->gid = userns_id_to_host(map->gid.extents, map->gid.count, identity->gid);
}

/* ---- files ---- */

struct job {
	int store_fd;
	const struct container_map *map;
	const struct strlist *layers; /* to copy; empty: none */
	const struct strlist *paths;
	_Atomic uint64_t *bytes; /* shared with the parent */
};

static void note_progress(void *arg, uint64_t bytes)
{
	atomic_store_explicit((_Atomic uint64_t *)arg, bytes, memory_order_relaxed);
}

static int work(void *arg, struct err *err)
{
	const struct job *job = arg;
	const struct container_map *map = job->map;
	struct layer_remap remap = {
		.name = map->name,
		.uid = &map->uid,
		.gid = &map->gid,
		.progress = note_progress,
		.progress_arg = (void *)job->bytes,
	};
	struct identity root = { 0 };

	/* Where 0 is not mapped, the first ID sets the container up; see launch_plan_make(). */
	if (userns_id_to_host(map->uid.extents, map->uid.count, 0) == UINT32_MAX)
		root.uid = map->uid.extents[0].inside;
	if (userns_id_to_host(map->gid.extents, map->gid.count, 0) == UINT32_MAX)
		root.gid = map->gid.extents[0].inside;
	container_map_identity(map, &root);
	int r = job->layers->count ? layer_remap(job->store_fd, job->layers, &remap, err) : 0;
	for (size_t i = 0; r == 0 && i < job->paths->count; i++)
		if (lchown(job->paths->items[i], root.uid, root.gid) < 0 && errno != ENOENT)
			r = err_errno(err, "give '%s' to the container", job->paths->items[i]);
	return r;
}

static void wait_with_progress(struct userns_worker *worker, const struct job *job, int64_t total)
{
	struct pollfd poll_fd = { .fd = userns_worker_fd(worker), .events = POLLIN };
	autoprogress struct progress *progress = NULL;
	int item = 0, n, timeout = job->layers->count ? SILENT_MSEC : -1;

	while ((n = poll(&poll_fd, 1, timeout)) <= 0) {
		if (n < 0 && errno != EINTR)
			return; /* the wait that follows knows better */
		if (!progress) {
			progress = progress_new(STDERR_FILENO);
			item = progress_add(progress, "Layers for these IDs", total);
		}
		progress_update(progress, item,
				(int64_t)atomic_load_explicit(job->bytes, memory_order_relaxed),
				"copy");
		(void)progress_draw(progress);
		timeout = 100;
	}
	if (progress)
		progress_finish(progress, item, "done");
}

static int run_job(struct engine *engine, const struct job *job, int64_t total, struct err *err)
{
	const struct userns_map *base;
	struct userns_worker *worker;

	int r = engine_map(engine, &base, err);
	if (r == 0)
		r = userns_spawn(base, engine_join_pid(engine), work, (void *)job, &worker, err);
	if (r < 0)
		return r;
	wait_with_progress(worker, job, total);
	return userns_wait(worker, err);
}

/* The caller is somebody inside, so whoever has all capabilities there may give his files away. */
static bool has_caller(const struct container_map *map)
{
	return id_map_to_inside(map->uid.extents, map->uid.count, 0) != UINT32_MAX &&
	       id_map_to_inside(map->gid.extents, map->gid.count, 0) != UINT32_MAX;
}

int container_map_files(struct engine *engine, const struct container_map *map,
			const struct strlist *layers, const struct strlist *paths,
			struct strlist *later, struct err *err)
{
	autostrlist struct strlist missing = STRLIST_EMPTY;
	struct store *store;
	int64_t total = 0;

	int r = engine_store(engine, &store, err);
	if (r < 0)
		return r;
	bool copies = container_map_is_copied(engine, map);
	for (size_t i = 0; copies && i < layers->count; i++) {
		autofree char *path = layer_remap_path(layers->items[i], map->name);
		if (path && faccessat(store_root_fd(store), path, F_OK, 0) == 0)
			continue;
		strlist_add(&missing, layers->items[i]);
		total += layer_recorded_bytes(store, layers->items[i]);
	}
	struct job job = {
		.store_fd = store_root_fd(store),
		.map = map,
		.layers = &missing,
		.paths = paths,
	};
	if (!map->is_own || (!missing.count && !paths->count))
		return 0;
	if (!engine->is_rootless)
		return work(&job, err);
	if (!missing.count && has_caller(map)) {
		strlist_extend(later, paths);
		return 0;
	}
	job.bytes = mmap(NULL, sizeof(*job.bytes), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.bytes == MAP_FAILED)
		return err_errno(err, "share memory with a worker");
	r = run_job(engine, &job, total, err);
	munmap((void *)job.bytes, sizeof(*job.bytes));
	return r;
}
