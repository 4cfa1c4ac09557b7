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
	struct strlist *layers; /* of each */
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
		for (size_t k = 0; k < measuring->layers[i].count; k++)
			measuring->bytes[i] += tree_bytes(measuring->layers[i].items[k]);
	return 0;
}

static int measure_mapped(struct engine *engine, struct measuring *measuring, struct err *err)
{
	size_t size = (measuring->count ?: 1) * sizeof(*measuring->bytes);

	measuring->bytes =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (measuring->bytes == MAP_FAILED)
		return err_errno(err, "memory for the sizes of %zu containers", measuring->count);
	return engine_run_mapped(engine, measure, measuring, err);
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
	struct measuring measuring = { .layers = xcalloc(count + 1, sizeof(struct strlist)),
				       .count = count };
	struct store *store;

	int r = engine_store(engine, &store, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = container_own_layers(engine, list[i], &measuring.layers[i], err);
	if (r == 0 && count)
		r = measure_mapped(engine, &measuring, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		ret_sizes[i].writable_bytes = measuring.bytes[i];
		ret_sizes[i].image_bytes = image_bytes(store, list[i]->image_id);
	}
	if (measuring.bytes && measuring.bytes != MAP_FAILED)
		(void)munmap(measuring.bytes, count * sizeof(*measuring.bytes));
	for (size_t i = 0; i < count; i++)
		strlist_clear(&measuring.layers[i]);
	free(measuring.layers);
	return r;
}
