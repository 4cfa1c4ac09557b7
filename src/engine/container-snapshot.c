#include "engine/container-snapshot.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/container-end.h"
#include "engine/container-mount.h"
#include "engine/container-own-layers.h"
#include "engine/container-size.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image.h"
#include "engine/mount-spec.h"
#include "store/database.h"
#include "store/frozen-layer.h"
#include "store/store.h"

/* overlayfs takes 500 lower layers, and kernels before "lowerdir+" some 220, as their names have to fit a page. Each costs
 * a start a little. */
enum { LAYERS_MANY = 100, LAYERS_MAX = 200 };

static int refuse_running(const struct container *container, const char *what, struct err *err)
{
	return err_set(
		err, EBUSY,
		"cannot %s container %s as it is %s, and its files may change at any moment; "
		"stop it with 'davit stop %s', or use --stop",
		what, container->name, container_status_name(container), container->name);
}

/* The lock, and a container that nothing is left to be done for. Returns its state. */
static int lock(struct engine *engine, struct container *container, int *ret_lock_fd,
		struct err *err)
{
	int r = container_lock_found(engine, container, ret_lock_fd, err);

	if (r == 0 && container->needs_cleanup) {
		r = container_cleanup_locked(engine, container, err);
		if (r == 0)
			r = container_find_again(engine, container, err);
	}
	if (r == 0 && !container_is_alive(container) && container->state != CONTAINER_RESTARTING)
		r = container_finish_move(engine, container, err);
	return r;
}

int container_lock_stopped(struct engine *engine, struct container *container, const char *what,
			   int *ret_lock_fd, struct err *err)
{
	int r = lock(engine, container, ret_lock_fd, err);

	if (r == 0 && (container_is_alive(container) || container->state == CONTAINER_RESTARTING))
		r = refuse_running(container, what, err);
	if (r < 0 || !container_is_mounted(engine, container->id)) {
		/* One in another mount namespace ends; whoever writes there would write into what is frozen. */
		if (r == 0)
			container_forget_mount(engine, container->id);
		return r;
	}
	autofree char *path = container_mount_path(engine, container->id);
	return err_set(err, EBUSY,
		       "cannot %s container %s as its files are mounted at '%s'; unmount them with "
		       "'davit unmount %s'",
		       what, container->name, path, container->name);
}

static int database_of(struct engine *engine, struct database **ret_db, struct err *err)
{
	int r = engine_database(engine, ret_db, err);

	/* The records have to be there when the files move. */
	return r < 0 ? r : database_sync_commits(*ret_db, err);
}

static int set_head(struct database *db, const char *id, const char *layer, const char *move,
		    struct err *err)
{
	autostatement struct statement *update = NULL;

	int r = database_prepare(
		db, "UPDATE containers SET head_layer = ?2, upper_move = ?3 WHERE id = ?1", &update,
		err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, id);
	statement_bind_text(update, 2, layer);
	statement_bind_text(update, 3, move);
	return statement_run(update, err);
}

static int insert_snapshot(struct database *db, const char *id, const char *tag, const char *layer,
			   struct err *err)
{
	autostatement struct statement *insert = NULL;

	int r = database_prepare(db,
				 "INSERT INTO snapshots(container_id, tag, layer_id, created_nsec) "
				 "VALUES(?, ?, ?, ?)",
				 &insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, id);
	statement_bind_text(insert, 2, tag);
	statement_bind_text(insert, 3, layer);
	statement_bind_int(insert, 4, timestamp_now_nsec());
	return statement_run(insert, err);
}

/* ---- freezing ---- */

/* Of overlays that hold the container's files. */
static int check_depth(struct database *db, const struct container *container,
		       const struct container_spec *spec, struct err *err)
{
	autostrlist struct strlist chain = STRLIST_EMPTY;

	int r = container->head_layer ? frozen_layer_chain(db, container->head_layer, &chain, err)
				      : 0;
	if (r < 0)
		return r;
	size_t count = spec->layers.count + chain.count;
	if (count >= LAYERS_MAX)
		return err_set(
			err, E2BIG,
			"container %s has %zu layers, and a kernel may stack no more; merge them "
			"with 'davit snapshot --flatten %s'",
			container->name, count, container->name);
	if (count >= LAYERS_MANY)
		log_warn("container %s has %zu layers, which each start has to mount; 'davit "
			 "snapshot "
			 "--flatten %s' merges them",
			 container->name, count + 1, container->name);
	return 0;
}

static int record_state(struct database *db, const struct container *container,
			const char *new_layer, const char *tag, struct err *err)
{
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	if (new_layer)
		r = frozen_layer_insert(db, new_layer, container->head_layer, container->id, err);
	if (r == 0 && new_layer)
		r = set_head(db, container->id, new_layer, new_layer, err);
	if (r == 0 && tag) {
		r = insert_snapshot(db, container->id, tag, new_layer ?: container->head_layer,
				    err);
		if (r == -EEXIST)
			return err_set(err, EEXIST,
				       "container %s has a snapshot '%s' already; choose another "
				       "tag, or remove it with 'davit snapshot --rm %s %s'",
				       container->name, tag, container->name, tag);
	}
	return r < 0 ? r : database_commit(db, err);
}

/* Under the lock: put all that was written into the head layer, and a snapshot there if there is a tag. */
static int freeze(struct engine *engine, struct container *container,
		  const struct container_spec *spec, const char *tag, struct err *err)
{
	struct database *db;
	char layer[65];

	if (spec->rootfs && !spec->rootfs_is_lower)
		return err_set(err, EOPNOTSUPP,
			       "container %s writes into '%s' itself, of which davit keeps no "
			       "states; make it with --rootfs %s:O",
			       container->name, spec->rootfs, spec->rootfs);
	/* A snapshot needs a layer, be it empty. */
	bool is_new = container_has_changes(engine, container) || (tag && !container->head_layer);
	if (!is_new && !tag)
		return 0;
	int r = database_of(engine, &db, err);
	if (r == 0 && is_new)
		r = check_depth(db, container, spec, err);
	random_hex(layer, 32);
	if (r == 0)
		r = record_state(db, container, is_new ? layer : NULL, tag, err);
	if (r < 0 || !is_new)
		return r;
	free(container->head_layer);
	container->head_layer = xstrdup(layer);
	container->upper_move = xstrdup(layer);
	return container_finish_move(engine, container, err);
}

static int next_tag(struct database *db, const char *id, char **ret_tag, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db,
				 "SELECT COALESCE(MAX(CAST(tag AS INTEGER)), 0) + 1 FROM snapshots "
				 "WHERE container_id = ? AND tag NOT GLOB '*[^0-9]*' "
				 "AND length(tag) < 10",
				 &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	r = statement_step(query, err);
	if (r < 0)
		return r;
	*ret_tag = xasprintf("%lld", (long long)statement_int(query, 0));
	return 0;
}

int container_snapshot(struct engine *engine, struct container *container, const char *tag,
		       char **ret_tag, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *chosen = xstrdup(tag);
	autoclose int lock_fd = -1;
	struct database *db;

	if (tag && !object_name_is_valid(tag))
		return err_set(
			err, EINVAL,
			"'%s' is no valid tag of a snapshot; use letters, digits, '_', '.' and '-'",
			tag);
	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = container_lock_stopped(engine, container, "make a snapshot of", &lock_fd, err);
	if (r == 0)
		r = container_spec_of(container, &spec, err);
	if (r == 0 && !chosen)
		r = next_tag(db, container->id, &chosen, err);
	if (r == 0)
		r = freeze(engine, container, spec, chosen, err);
	if (r < 0)
		return r;
	event_container(engine, container, EVENT_SNAPSHOT);
	*ret_tag = take_ptr(&chosen);
	return 0;
}

/* ---- going back ---- */

static int find_snapshot(struct database *db, const struct container *container, const char *tag,
			 char **ret_tag, char **ret_layer, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db,
				 "SELECT tag, layer_id FROM snapshots WHERE container_id = ?1 "
				 "AND (?2 IS NULL OR tag = ?2) ORDER BY created_nsec DESC LIMIT 1",
				 &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, container->id);
	statement_bind_text(query, 2, tag);
	r = statement_step(query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return tag ? err_set(err, ENOENT,
				     "container %s has no snapshot '%s'; 'davit snapshots %s' "
				     "shows those it has",
				     container->name, tag, container->name)
			   : err_set(err, ENOENT,
				     "container %s has no snapshot; take one with 'davit snapshot "
				     "%s'",
				     container->name, container->name);
	*ret_tag = xstrdup(statement_text(query, 0));
	*ret_layer = xstrdup(statement_text(query, 1));
	return 0;
}

static int record_revert(struct database *db, const struct container *container, const char *layer,
			 struct strlist *gone, struct err *err)
{
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = set_head(db, container->id, layer, UPPER_DISCARD, err);
	if (r == 0)
		r = frozen_layer_release(db, container->head_layer, gone, err);
	return r < 0 ? r : database_commit(db, err);
}

static int revert_locked(struct engine *engine, struct container *container, const char *tag,
			 char **ret_tag, struct err *err)
{
	autostrlist struct strlist gone = STRLIST_EMPTY;
	autofree char *layer = NULL;
	struct database *db;

	int r = database_of(engine, &db, err);
	if (r == 0)
		r = find_snapshot(db, container, tag, ret_tag, &layer, err);
	if (r == 0)
		r = record_revert(db, container, layer, &gone, err);
	if (r < 0)
		return r;
	free(container->head_layer);
	container->head_layer = take_ptr(&layer);
	container->upper_move = xstrdup(UPPER_DISCARD);
	r = container_finish_move(engine, container, err);
	return r < 0 ? r : frozen_layer_discard(engine->store, &gone, err);
}

int container_revert(struct engine *engine, struct container *container, const char *tag,
		     char **ret_tag, struct err *err)
{
	autofree char *found = NULL;
	autoclose int lock_fd = -1;

	int r = container_lock_stopped(engine, container, "revert", &lock_fd, err);
	if (r == 0)
		r = revert_locked(engine, container, tag, &found, err);
	if (r < 0)
		return r;
	event_container(engine, container, EVENT_REVERT);
	fd_close(&lock_fd); /* it would go with the other process */
	image_empty_trash_aside(engine);
	*ret_tag = take_ptr(&found);
	return 0;
}

static int delete_snapshot(struct database *db, const char *id, const char *tag, const char *layer,
			   struct strlist *gone, struct err *err)
{
	autostatement struct statement *remove = NULL;

	database_makes_room(db);
	int r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = database_prepare(db, "DELETE FROM snapshots WHERE container_id = ? AND tag = ?",
			     &remove, err);
	if (r < 0)
		return r;
	statement_bind_text(remove, 1, id);
	statement_bind_text(remove, 2, tag);
	r = statement_run(remove, err);
	if (r == 0)
		r = frozen_layer_release(db, layer, gone, err);
	return r < 0 ? r : database_commit(db, err);
}

int container_snapshot_remove(struct engine *engine, struct container *container, const char *tag,
			      struct err *err)
{
	autostrlist struct strlist gone = STRLIST_EMPTY;
	autofree char *found = NULL, *layer = NULL;
	autoclose int lock_fd = -1;
	struct database *db;

	int r = lock(engine, container, &lock_fd, err);
	if (r == 0)
		r = database_of(engine, &db, err);
	if (r == 0)
		r = find_snapshot(db, container, tag, &found, &layer, err);
	if (r == 0)
		r = delete_snapshot(db, container->id, tag, layer, &gone, err);
	if (r == 0)
		r = frozen_layer_discard(engine->store, &gone, err);
	fd_close(&lock_fd);
	if (r == 0 && gone.count)
		image_empty_trash_aside(engine);
	return r;
}

/* ---- looking ---- */

void snapshot_list_clear(struct snapshot_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].container_id);
		free(list->items[i].container_name);
		free(list->items[i].tag);
		free(list->items[i].layer_id);
	}
	free(list->items);
	*list = (struct snapshot_list){ .count = 0 };
}

int container_snapshots(struct engine *engine, const struct container *container,
			struct snapshot_list *ret_list, struct err *err)
{
	autostatement struct statement *query = NULL;
	autosnapshots struct snapshot_list list = { .count = 0 };
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db,
				     "SELECT c.id, c.name, s.tag, s.layer_id, s.created_nsec, "
				     "c.head_layer = s.layer_id FROM snapshots s JOIN containers c "
				     "ON c.id = s.container_id WHERE ?1 IS NULL OR c.id = ?1 "
				     "ORDER BY c.created_nsec, s.created_nsec",
				     &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, container ? container->id : NULL);
	while ((r = statement_step(query, err)) > 0) {
		list.items = xreallocarray(list.items, list.count + 1, sizeof(struct snapshot));
		list.items[list.count++] = (struct snapshot){
			.container_id = xstrdup(statement_text(query, 0)),
			.container_name = xstrdup(statement_text(query, 1)),
			.tag = xstrdup(statement_text(query, 2)),
			.layer_id = xstrdup(statement_text(query, 3)),
			.created_nsec = statement_int(query, 4),
			.size_bytes = -1,
			.is_current = statement_int(query, 5),
		};
	}
	if (r < 0)
		return r;
	*ret_list = list;
	list = (struct snapshot_list){ .count = 0 };
	return 0;
}

int container_snapshots_measure(struct engine *engine, struct snapshot_list *list, struct err *err)
{
	autofree struct strlist *trees = xcalloc(list->count + 1, sizeof(struct strlist));
	autofree int64_t *bytes = xcalloc(list->count + 1, sizeof(int64_t));
	struct store *store;

	int r = engine_store(engine, &store, err);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		strlist_take(&trees[i], frozen_layer_path(store, list->items[i].layer_id));
	if (r == 0)
		r = container_measure_trees(engine, trees, list->count, 0, bytes, err);
	for (size_t i = 0; i < list->count; i++) {
		if (r == 0)
			list->items[i].size_bytes = bytes[i];
		strlist_clear(&trees[i]);
	}
	return r;
}

/* ---- beginning with another one's state ---- */

void container_base_close(struct container_base *base)
{
	container_free(base->container);
	container_spec_free(base->spec);
	free(base->layer_id);
	fd_close(&base->lock_fd);
	*base = (struct container_base)CONTAINER_BASE_EMPTY;
}

static int open_tagged(struct engine *engine, const char *tag, struct container_base *base,
		       struct err *err)
{
	autofree char *found = NULL;
	struct database *db = NULL;

	int r = lock(engine, base->container, &base->lock_fd, err);
	if (r == 0)
		r = container_spec_of(base->container, &base->spec, err);
	if (r == 0)
		r = engine_database(engine, &db, err);
	return r < 0 ? r : find_snapshot(db, base->container, tag, &found, &base->layer_id, err);
}

static int open_present(struct engine *engine, struct container_base *base, struct err *err)
{
	struct container *container = base->container;

	int r = container_lock_stopped(engine, container, "take the state of", &base->lock_fd, err);
	if (r == 0)
		r = container_spec_of(container, &base->spec, err);
	if (r == 0)
		r = freeze(engine, container, base->spec, NULL, err);
	if (r == 0)
		base->layer_id = xstrdup(container->head_layer);
	return r;
}

int container_base_open(struct engine *engine, const char *word, struct container_base *base,
			struct err *err)
{
	const char *colon = strchr(word, ':');
	autofree char *name = xstrndup(word, colon ? (size_t)(colon - word) : strlen(word));

	int r = container_find(engine, name, CONTAINER_WITH_SPEC, &base->container, err);
	if (r < 0)
		return r;
	return colon ? open_tagged(engine, colon + 1, base, err) : open_present(engine, base, err);
}

/* What a user's container has written belongs to the IDs of its mapping, for good. What root's has written
 * belongs on disk to those of the image, and is mapped when it is mounted. */
int container_base_apply(struct engine *engine, const struct container_base *base,
			 struct container_spec *spec, struct err *err)
{
	const struct container_spec *from = base->spec;
	bool is_mapped = spec->userns_mode || spec->uid_maps.count;
	autofree char *wanted = strlist_join(&spec->uid_maps, ","),
		      *own = strlist_join(&from->uid_maps, ",");
	bool is_same = strcmp(spec->userns_mode ?: "", from->userns_mode ?: "") == 0 &&
		       (spec->userns_size || strcmp(wanted, own) == 0);

	free(spec->base_layer);
	free(spec->base_container);
	spec->base_layer = xstrdup(base->layer_id);
	spec->base_container = xstrdup(base->container->id);
	if (!engine->is_rootless || !base->layer_id)
		return 0;
	if (is_mapped && !is_same)
		return err_set(
			err, EINVAL,
			"the files of container %s belong to the IDs of its own mapping; leave "
			"--userns, --uidmap and --gidmap out",
			base->container->name);
	free(spec->userns_mode);
	strlist_clear(&spec->uid_maps);
	strlist_clear(&spec->gid_maps);
	spec->userns_mode = xstrdup(from->userns_mode);
	strlist_extend(&spec->uid_maps, &from->uid_maps);
	strlist_extend(&spec->gid_maps, &from->gid_maps);
	spec->userns_size = from->userns_size;
	return 0;
}
