#include "engine/disk-usage.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/volume.h"
#include "store/database.h"

void disk_usage_clear(struct disk_usage *usage)
{
	image_list_clear(&usage->images);
	free(usage->image_unique);
	container_list_free(usage->containers, usage->container_count);
	free(usage->container_sizes);
	volume_list_free(usage->volumes, usage->volume_count);
	free(usage->volume_bytes);
	*usage = (struct disk_usage){ 0 };
}

/* A query that gives one number. */
static int ask(struct engine *engine, const char *sql, const char *text, int64_t *ret_number,
	       struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, sql, &query, err);
	if (r < 0)
		return r;
	if (text)
		statement_bind_text(query, 1, text);
	r = statement_step(query, err);
	if (r < 0)
		return r;
	*ret_number = r > 0 ? statement_int(query, 0) : 0;
	return 0;
}

int disk_usage_of_images(struct engine *engine, int64_t *ret_bytes, int64_t *ret_reclaimable,
			 struct err *err)
{
	int r = ask(engine,
		    "SELECT COALESCE(SUM(size_bytes), 0) FROM layers "
		    "WHERE diff_id IN (SELECT diff_id FROM image_layers)",
		    NULL, ret_bytes, err);

	if (r == 0)
		r = ask(engine,
			"SELECT COALESCE(SUM(size_bytes), 0) FROM layers "
			"WHERE diff_id IN (SELECT diff_id FROM image_layers) AND diff_id NOT IN "
			"(SELECT i.diff_id FROM image_layers i "
			"JOIN containers c ON c.image_id = i.image_id)",
			NULL, ret_reclaimable, err);
	return r;
}

static int load_images(struct engine *engine, struct disk_usage *usage, struct err *err)
{
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = image_list(store, &usage->images, err);
	if (r < 0)
		return r;
	usage->image_unique = xcalloc(usage->images.count + 1, sizeof(int64_t));
	for (size_t i = 0; r >= 0 && i < usage->images.count; i++)
		r = ask(engine,
			"SELECT COALESCE(SUM(size_bytes), 0) FROM layers WHERE diff_id IN "
			"(SELECT diff_id FROM image_layers WHERE image_id = ?1) AND diff_id NOT IN "
			"(SELECT diff_id FROM image_layers WHERE image_id <> ?1)",
			usage->images.items[i]->id, &usage->image_unique[i], err);
	return r < 0 ? r
		     : disk_usage_of_images(engine, &usage->image_bytes, &usage->image_reclaimable,
					    err);
}

static int load_containers(struct engine *engine, enum disk_usage_flags flags,
			   struct disk_usage *usage, struct err *err)
{
	int r = container_list(engine, CONTAINER_WITH_SPEC, &usage->containers,
			       &usage->container_count, err);

	if (r < 0)
		return r;
	if (!(flags & DISK_USAGE_EACH))
		return container_sizes_together(engine, usage->containers, usage->container_count,
						&usage->container_totals, err);
	usage->container_sizes = xcalloc(usage->container_count + 1, sizeof(struct container_size));
	return container_sizes(engine, usage->containers, usage->container_count,
			       usage->container_sizes, err);
}

int disk_usage_of_volumes(struct engine *engine, struct volume *const *list, size_t count,
			  int64_t *ret_bytes, struct err *err)
{
	autofree struct strlist *trees = xcalloc(count + 1, sizeof(struct strlist));

	for (size_t i = 0; i < count; i++)
		strlist_add(&trees[i], list[i]->mountpoint);
	int r = container_measure_trees(engine, trees, count, 0, ret_bytes, err);
	for (size_t i = 0; i < count; i++)
		strlist_clear(&trees[i]);
	return r;
}

static int load_volumes(struct engine *engine, struct disk_usage *usage, struct err *err)
{
	int r = volume_list(engine, &usage->volumes, &usage->volume_count, err);

	if (r < 0)
		return r;
	usage->volume_bytes = xcalloc(usage->volume_count + 1, sizeof(int64_t));
	return disk_usage_of_volumes(engine, usage->volumes, usage->volume_count,
				     usage->volume_bytes, err);
}

int disk_usage_load(struct engine *engine, enum disk_usage_flags flags,
		    struct disk_usage *ret_usage, struct err *err)
{
	autodisk_usage struct disk_usage usage = { 0 };

	int r = load_images(engine, &usage, err);
	if (r >= 0)
		r = load_containers(engine, flags, &usage, err);
	if (r >= 0)
		r = load_volumes(engine, &usage, err);
	if (r < 0)
		return r;
	*ret_usage = usage;
	usage = (struct disk_usage){ 0 };
	return 0;
}
