#include "engine/container-size.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container-own-layers.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "store/store.h"

struct measuring {
	const struct strlist *trees;
	size_t count;
	int64_t *bytes; /* shared with the child that measures */
};

/* Of a file with several names each counts for its part. */
static int64_t tree_bytes(char *path)
{
	char *const paths[] = { path, NULL };
	int64_t bytes = 0;
	FTSENT *entry;

	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return 0;
	while ((entry = fts_read(tree)))
		if (entry->fts_info == FTS_F || entry->fts_info == FTS_SL)
			bytes += entry->fts_statp->st_size /
				 (int64_t)(entry->fts_statp->st_nlink ?: 1);
	fts_close(tree);
	return bytes;
}

static int measure(void *arg, struct err *err)
{
	const struct measuring *measuring = arg;

	for (size_t i = 0; i < measuring->count; i++)
		for (size_t k = 0; k < measuring->trees[i].count; k++)
			measuring->bytes[i] += tree_bytes(measuring->trees[i].items[k]);
	return 0;
}

int container_measure_trees(struct engine *engine, const struct strlist *trees, size_t count,
			    int64_t *ret_bytes, struct err *err)
{
	size_t size = count * sizeof(int64_t);
	struct measuring measuring = { .trees = trees, .count = count };

	if (!count)
		return 0;
	measuring.bytes =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (measuring.bytes == MAP_FAILED)
		return err_errno(err, "memory for the sizes of %zu containers", count);
	int r = engine_run_mapped(engine, measure, &measuring, err);
	memcpy(ret_bytes, measuring.bytes, size);
	(void)munmap(measuring.bytes, size);
	return r;
}

static int64_t image_bytes(struct store *store, const char *id)
{
	autoimage struct image *image = NULL;
	struct err ignored; /* an image that is gone takes no room */

	return id && image_load(store, id, &image, &ignored) == 0 ? image->size_bytes : 0;
}

int container_sizes(struct engine *engine, struct container *const *list, size_t count,
		    struct container_size *ret_sizes, struct err *err)
{
	autofree struct strlist *trees = xcalloc(count + 1, sizeof(struct strlist));
	autofree int64_t *bytes = xcalloc(count + 1, sizeof(int64_t));
	struct store *store;

	int r = engine_store(engine, &store, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = container_own_layers(engine, list[i], &trees[i], err);
	if (r == 0)
		r = container_measure_trees(engine, trees, count, bytes, err);
	for (size_t i = 0; i < count; i++) {
		ret_sizes[i].writable_bytes = bytes[i];
		if (r == 0)
			ret_sizes[i].image_bytes = image_bytes(store, list[i]->image_id);
		strlist_clear(&trees[i]);
	}
	return r;
}
