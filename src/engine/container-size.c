#include "engine/container-size.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-own-layers.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "store/frozen-layer.h"
#include "store/store.h"

struct measuring {
	const struct strlist *trees;
	size_t count;
	enum measure_flags flags;
	int64_t *bytes; /* shared with the child that measures */
};

/* Files with several names that have been counted. A flattened layer shares its files with those it was made of. */
struct seen {
	struct seen_file {
		dev_t device;
		ino_t inode; /* 0: free */
	} * files;
	size_t count, room; /* a power of two */
};

static bool see(struct seen *seen, dev_t device, ino_t inode);

static void make_room(struct seen *seen)
{
	struct seen larger = { .room = seen->room ? 2 * seen->room : 64 };

	larger.files = xcalloc(larger.room, sizeof(*larger.files));
	for (size_t i = 0; i < seen->room; i++)
		if (seen->files[i].inode)
			(void)see(&larger, seen->files[i].device, seen->files[i].inode);
	free(seen->files);
	*seen = larger;
}

/* Is it new? */
static bool see(struct seen *seen, dev_t device, ino_t inode)
{
	if (4 * seen->count >= 3 * seen->room)
		make_room(seen);
	size_t at = (size_t)((uint64_t)inode * UINT64_C(0x9e3779b97f4a7c15) >> 16);
	while (seen->files[at &= seen->room - 1].inode) {
		if (seen->files[at].inode == inode && seen->files[at].device == device)
			return false;
		at++;
	}
	seen->files[at] = (struct seen_file){ device, inode };
	seen->count++;
	return true;
}

static int64_t tree_bytes(char *path, struct seen *seen)
{
	char *const paths[] = { path, NULL };
	int64_t bytes = 0;
	FTSENT *entry;

	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return 0;
	while ((entry = fts_read(tree))) {
		const struct stat *st = entry->fts_statp;
		if ((entry->fts_info == FTS_F || entry->fts_info == FTS_SL) &&
		    (st->st_nlink < 2 || see(seen, st->st_dev, st->st_ino)))
			bytes += st->st_size;
	}
	fts_close(tree);
	return bytes;
}

static int measure(void *arg, struct err *err)
{
	const struct measuring *measuring = arg;
	autostrlist struct strlist counted = STRLIST_EMPTY;
	struct seen seen = { 0 };

	for (size_t i = 0; i < measuring->count; i++) {
		const struct strlist *trees = &measuring->trees[i];
		for (size_t k = 0; k < trees->count; k++) {
			if (measuring->flags & MEASURE_TOGETHER) {
				if (strlist_contains(&counted, trees->items[k]))
					continue;
				strlist_add(&counted, trees->items[k]);
			}
			measuring->bytes[i] += tree_bytes(trees->items[k], &seen);
		}
		if (!(measuring->flags & MEASURE_TOGETHER)) {
			free(seen.files);
			seen = (struct seen){ 0 };
		}
	}
	free(seen.files);
	return 0;
}

int container_measure_trees(struct engine *engine, const struct strlist *trees, size_t count,
			    enum measure_flags flags, int64_t *ret_bytes, struct err *err)
{
	size_t size = count * sizeof(int64_t);
	struct measuring measuring = { .trees = trees, .count = count, .flags = flags };

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
		r = container_measure_trees(engine, trees, count, 0, bytes, err);
	for (size_t i = 0; i < count; i++) {
		ret_sizes[i].writable_bytes = bytes[i];
		if (r == 0)
			ret_sizes[i].image_bytes = image_bytes(store, list[i]->image_id);
		strlist_clear(&trees[i]);
	}
	return r;
}

/* Also the states that it may go back to. */
static int all_layers(struct engine *engine, struct store *store, const struct container *container,
		      struct strlist *trees, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;

	int r = container_own_layers(engine, container, trees, err);
	if (r == 0 && container->head_layer)
		r = frozen_layer_of_container(store_database(store), container->id, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		strlist_take(trees, frozen_layer_path(store, ids.items[i]));
	return r;
}

int container_sizes_together(struct engine *engine, struct container *const *list, size_t count,
			     struct container_totals *ret_totals, struct err *err)
{
	struct strlist trees[2] = { STRLIST_EMPTY, STRLIST_EMPTY };
	int64_t bytes[2] = { 0, 0 };
	struct store *store;

	int r = engine_store(engine, &store, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = all_layers(engine, store, list[i], &trees[container_is_over(list[i])], err);
	if (r == 0)
		r = container_measure_trees(engine, trees, 2, MEASURE_TOGETHER, bytes, err);
	if (r == 0)
		*ret_totals = (struct container_totals){ .bytes = bytes[0] + bytes[1],
							 .reclaimable_bytes = bytes[1] };
	strlist_clear(&trees[0]);
	strlist_clear(&trees[1]);
	return r;
}
