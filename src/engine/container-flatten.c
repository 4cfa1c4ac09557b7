/* The new layer is built where it will stay, while its record is yet to be written: sweeps hold off as long as somebody
 * holds the lock of the directory of layers, and take what a killed command has left. Then one transaction lets the
 * container and its snapshot stand on it instead. Clones that stand on the old ones keep these. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/container-own-layers.h"
#include "engine/container-snapshot.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "store/database.h"
#include "store/frozen-layer.h"
#include "store/merge-tree.h"
#include "store/store.h"

static int build(struct engine *engine, struct store *store, const struct strlist *chain,
		 const char *layer, struct err *err)
{
	autostrlist struct strlist trees = STRLIST_EMPTY;
	autofree char *target = frozen_layer_path(store, layer);
	autofree char *holder = xstrndup(target, strlen(target) - strlen("/diff"));
	struct tree_merge merge = {
		.trees = &trees,
		.target = target,
		.opaque_name =
			engine->is_rootless ? "user.overlay.opaque" : "trusted.overlay.opaque",
	};

	for (size_t i = 0; i < chain->count; i++)
		strlist_take(&trees, frozen_layer_path(store, chain->items[i]));
	if (mkdir(holder, 0700) < 0)
		return err_errno(err, "create directory '%s'", holder);
	int r = engine->is_rootless ? engine_run_mapped(engine, tree_merge_make, &merge, err)
				    : tree_merge_make(&merge, err);
	if (r < 0)
		return r;
	/* A power cut must not leave the record without the names. */
	autoclose int fd = open(holder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? err_errno(err, "write '%s' to the disk", holder) : 0;
}

static int repoint(struct database *db, const char *sql, const struct container *container,
		   const char *layer, struct err *err)
{
	autostatement struct statement *update = NULL;

	int r = database_prepare(db, sql, &update, err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, container->id);
	statement_bind_text(update, 2, container->head_layer);
	statement_bind_text(update, 3, layer);
	return statement_run(update, err);
}

static int record(struct database *db, const struct container *container, const char *layer,
		  struct strlist *gone, struct err *err)
{
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = frozen_layer_insert(db, layer, NULL, container->id, err);
	if (r == 0)
		r = repoint(
			db,
			"UPDATE containers SET head_layer = ?3 WHERE id = ?1 AND head_layer = ?2",
			container, layer, err);
	if (r == 0)
		r = repoint(db,
			    "UPDATE snapshots SET layer_id = ?3 WHERE container_id = ?1 AND "
			    "layer_id = ?2",
			    container, layer, err);
	if (r == 0)
		r = frozen_layer_release(db, container->head_layer, gone, err);
	return r < 0 ? r : database_commit(db, err);
}

static int flatten(struct engine *engine, struct container *container, const struct strlist *chain,
		   struct err *err)
{
	autostrlist struct strlist gone = STRLIST_EMPTY;
	struct database *db = store_database(engine->store);
	char layer[65];
	struct err ignored; /* the next sweep finds what is left */

	random_hex(layer, 32);
	autoclose int lock_fd = frozen_layer_hold_sweeps(engine->store, err);
	if (lock_fd < 0)
		return lock_fd;
	int r = build(engine, engine->store, chain, layer, err);
	if (r == 0)
		r = database_sync_commits(db, err);
	if (r == 0)
		r = record(db, container, layer, &gone, err);
	if (r < 0) {
		autostrlist struct strlist built = STRLIST_EMPTY;
		strlist_add(&built, layer);
		(void)frozen_layer_discard(engine->store, &built, &ignored);
		return r;
	}
	free(container->head_layer);
	container->head_layer = xstrdup(layer);
	return frozen_layer_discard(engine->store, &gone, err);
}

int container_flatten(struct engine *engine, struct container *container, struct err *err)
{
	autostrlist struct strlist chain = STRLIST_EMPTY;
	autoclose int lock_fd = -1;
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = container_lock_stopped(engine, container, "flatten", &lock_fd, err);
	if (r == 0 && container->head_layer)
		r = frozen_layer_chain(store_database(store), container->head_layer, &chain, err);
	if (r == 0 && chain.count > 1)
		r = flatten(engine, container, &chain, err);
	fd_close(&lock_fd); /* it would go with the other process */
	if (chain.count > 1)
		image_empty_trash_aside(engine);
	return r < 0 ? err_wrap(err, "flatten container '%s'", container->name) : (int)chain.count;
}
