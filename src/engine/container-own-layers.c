#include "engine/container-own-layers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/container-mount.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "store/database.h"
#include "store/frozen-layer.h"
#include "store/store.h"

static char *upper_path(const struct engine *engine, const struct container *container)
{
	autofree char *directory = container_directory(engine, container->id);

	return path_join(directory, "upper");
}

/* Lowest first. A move that has not been made yet is seen as made. */
static int frozen_dirs(struct engine *engine, const struct container *container,
		       struct strlist *dirs, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;
	const char *move = container->upper_move;
	struct store *store;

	if (!container->head_layer)
		return 0;
	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = frozen_layer_chain(store_database(store), container->head_layer, &ids, err);
	if (r < 0)
		return err_wrap(err, "container '%s'", container->name);
	for (size_t i = 0; i < ids.count; i++) {
		autofree char *path = frozen_layer_path(store, ids.items[i]);
		bool is_moved = !move || strcmp(move, ids.items[i]) != 0 || access(path, F_OK) == 0;
		strlist_take(dirs, is_moved ? take_ptr(&path) : upper_path(engine, container));
	}
	return 0;
}

int container_own_layers(struct engine *engine, const struct container *container,
			 struct strlist *dirs, struct err *err)
{
	int r = frozen_dirs(engine, container, dirs, err);

	if (r == 0 && !container->upper_move)
		strlist_take(dirs, upper_path(engine, container));
	return r;
}

int container_frozen_dirs(struct engine *engine, const struct container *container,
			  struct strlist *dirs, struct err *err)
{
	autostrlist struct strlist lowest_first = STRLIST_EMPTY;

	int r = frozen_dirs(engine, container, &lowest_first, err);
	for (size_t i = lowest_first.count; r == 0 && i > 0; i--)
		strlist_add(dirs, lowest_first.items[i - 1]);
	return r;
}

struct move {
	const char *from, *to;
};

static int move_directory(void *arg, struct err *err)
{
	const struct move *move = arg;

	if (rename(move->from, move->to) < 0)
		return err_errno(err, "move '%s' to '%s'", move->from, move->to);
	return 0;
}

/* Renaming a directory into another one changes its "..", which takes the right to write into it: one that
 * belongs to another ID of the user's is moved under his mapping. Absence is success. */
static int move_upper(struct engine *engine, const char *from, const char *to, struct err *err)
{
	struct move move = { from, to };

	int r = move_directory(&move, err);
	if (r == -ENOENT && access(from, F_OK) < 0)
		return 0;
	return (r == -EACCES || r == -EPERM) && engine->is_rootless
		       ? engine_run_mapped(engine, move_directory, &move, err)
		       : r;
}

static int make_directory(const char *path, struct err *err)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST
		       ? err_errno(err, "create directory '%s'", path)
		       : 0;
}

/* So that a power cut does not take back the move of names and keep the record that tells it was made. */
static void sync_directory(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd); /* what cannot be synced is at least there */
}

static int freeze_upper(struct engine *engine, struct store *store, const char *upper,
			const char *layer, struct err *err)
{
	autofree char *snapshots = path_join(store_root(store), "snapshots"),
		      *holder = path_join(snapshots, layer),
		      *diff = frozen_layer_path(store, layer);

	if (access(diff, F_OK) == 0)
		return 0; /* killed behind it */
	int r = make_directory(snapshots, err);
	if (r == 0)
		r = make_directory(holder, err);
	if (r == 0)
		r = move_upper(engine, upper, diff, err);
	/* Nothing was ever written. */
	if (r == 0 && mkdir(diff, 0755) < 0 && errno != EEXIST)
		r = err_errno(err, "create directory '%s'", diff);
	if (r == 0)
		sync_directory(holder);
	return r;
}

static int discard_upper(struct engine *engine, struct store *store, const char *upper,
			 struct err *err)
{
	autofree char *trash = store_path(store, STORE_TRASH);
	char random[17];

	int r = store_directory(store, STORE_TRASH, err);
	if (r < 0)
		return r;
	random_hex(random, 8);
	autofree char *holder = path_join(trash, random), *to = path_join(holder, "upper");
	r = make_directory(holder, err);
	if (r == 0)
		r = move_upper(engine, upper, to, err);
	if (r == 0)
		sync_directory(holder);
	return r;
}

static int forget_move(struct store *store, const char *id, struct err *err)
{
	autostatement struct statement *update = NULL;

	int r = database_prepare(store_database(store),
				 "UPDATE containers SET upper_move = NULL WHERE id = ?", &update,
				 err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, id);
	return statement_run(update, err);
}

int container_finish_move(struct engine *engine, struct container *container, struct err *err)
{
	autofree char *upper = upper_path(engine, container);
	struct store *store;

	if (!container->upper_move)
		return 0;
	container_forget_mount(engine, container->id); /* it would show what is moved away */
	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = strcmp(container->upper_move, UPPER_DISCARD) == 0
			    ? discard_upper(engine, store, upper, err)
			    : freeze_upper(engine, store, upper, container->upper_move, err);
	if (r == 0)
		r = forget_move(store, container->id, err);
	if (r < 0)
		return err_wrap(err, "container '%s'", container->name);
	free(take_ptr(&container->upper_move));
	return 0;
}

static int layers_of(struct database *db, const struct container *container, struct strlist *ids,
		     struct err *err)
{
	autostatement struct statement *query = NULL;

	strlist_add(ids, container->head_layer);
	int r = database_prepare(db, "SELECT layer_id FROM snapshots WHERE container_id = ?",
				 &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, container->id);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(ids, statement_text(query, 0));
	return r;
}

static int delete_with_layers(struct store *store, struct engine *engine,
			      const struct container *container, const struct strlist *volumes,
			      struct strlist *gone, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;
	struct database *db = store_database(store);

	database_makes_room(db);
	int r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = container->head_layer ? layers_of(db, container, &ids, err) : 0;
	if (r == 0)
		r = volume_mark_leaving(engine, volumes, err);
	if (r == 0)
		r = container_delete_row(engine, container->id, err);
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = frozen_layer_release(db, ids.items[i], gone, err);
	return r < 0 ? r : database_commit(db, err);
}

int container_delete_record(struct engine *engine, const struct container *container,
			    const struct strlist *volumes, struct err *err)
{
	autostrlist struct strlist gone = STRLIST_EMPTY;
	struct store *store;

	if (!container->head_layer && !volumes->count) /* nor has it snapshots */
		return container_delete_row(engine, container->id, err);
	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = delete_with_layers(store, engine, container, volumes, &gone, err);
	return r < 0 || !gone.count ? r : frozen_layer_discard(store, &gone, err);
}

/* Where it is not there nothing was written; where it is not ours to read, who knows. */
static bool is_empty(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? errno == ENOENT : directory_is_empty(fd) == 1;
}

bool container_has_changes(const struct engine *engine, const struct container *container)
{
	autofree char *upper = upper_path(engine, container);

	return !container->upper_move && !is_empty(upper);
}
