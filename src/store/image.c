/* Images in the database: finding, listing, recording, naming and deleting them.
 *
 * Full names have two forms, "REPOSITORY:TAG" and "REPOSITORY@DIGEST". The second is recorded too,
 * when that is what was pulled. Which digests an image has (its manifests' and those of the indexes
 * that led to them) is a fact of its own: each of its repositories with each of its digests finds
 * it. */
#include "store/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "oci/image-config.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/database.h"
#include "store/store-internal.h"
#include "store/store.h"

#define ID_SIZE 64

static void layers_clear(struct image_layer *layers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(layers[i].diff_id);
		free(layers[i].blob_digest);
		free(layers[i].media_type);
	}
	free(layers);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	free(image->id);
	free(image->manifest_digest);
	free(image->manifest_type);
	free(image->architecture);
	free(image->os);
	free(image->variant);
	free(image->found_name);
	free(image->config_text);
	oci_image_config_free(image->config);
	strlist_clear(&image->names);
	strlist_clear(&image->digests);
	layers_clear(image->layers, image->layer_count);
	free(image);
}

void image_list_clear(struct image_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		image_free(list->items[i]);
	free(list->items);
	*list = (struct image_list){ 0 };
}

void image_name_split(const char *name, char **ret_repository, char **ret_tag, char **ret_digest)
{
	const char *at = strchr(name, '@');
	const char *end = at ? at : name + strlen(name);
	const char *colon = end;

	while (colon > name && *colon != ':' && *colon != '/')
		colon--;
	bool has_tag = *colon == ':' && colon < end && colon > name;
	*ret_digest = at ? xstrdup(at + 1) : NULL;
	*ret_tag = has_tag && !at ? xstrndup(colon + 1, (size_t)(end - colon - 1)) : NULL;
	*ret_repository = xstrndup(name, (size_t)((has_tag ? colon : end) - name));
}

/* The columns that every query for images begins with. */
#define IMAGE_COLUMNS                                                                              \
	"i.id, i.manifest_digest, i.manifest_type, i.created_nsec, i.size_bytes, "                 \
	"i.architecture, i.os, i.variant"

static struct image *image_from_row(struct statement *stmt)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->id = xstrdup(statement_text(stmt, 0));
	image->manifest_digest = xstrdup(statement_text(stmt, 1));
	image->manifest_type = xstrdup(statement_text(stmt, 2));
	image->created_nsec = statement_int(stmt, 3);
	image->size_bytes = statement_int(stmt, 4);
	image->architecture = xstrdup(statement_text(stmt, 5));
	image->os = xstrdup(statement_text(stmt, 6));
	image->variant = xstrdup(statement_text(stmt, 7));
	return image;
}

/* The query's image, when it gives exactly one. Returns 1, 0 when there is none; -EEXIST when there
 * are several. The ninth column is the configuration, the tenth the name. */
static int find_by(struct store *store, const char *sql, const char *first, const char *second,
		   const char *word, struct image **ret_image, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	autoimage struct image *image = NULL;
	size_t size;
	int r = database_prepare(store_database(store), sql, &stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, first);
	if (second)
		statement_bind_text(stmt, 2, second);
	r = statement_step(stmt, err);
	if (r <= 0)
		return r;
	image = image_from_row(stmt);
	const void *config = statement_blob(stmt, 8, &size);
	image->config_text = xmalloc(size + 1);
	if (size > 0)
		memcpy(image->config_text, config, size);
	image->config_text[size] = '\0';
	image->config_size = size;
	image->found_name = xstrdup(statement_text(stmt, 9));
	while ((r = statement_step(stmt, err)) > 0)
		if (strcmp(statement_text(stmt, 0), image->id) != 0)
			return err_set(err, EEXIST,
				       "image '%s' is ambiguous: both %.12s and %.12s are meant; "
				       "give more of the name or ID",
				       word, image->id, statement_text(stmt, 0));
	if (r < 0)
		return r;
	*ret_image = take_ptr(&image);
	return 1;
}

#define SELECT_FULL "SELECT " IMAGE_COLUMNS ", i.config, "

static bool is_hex(const char *text)
{
	return *text && strspn(text, "0123456789abcdef") == strlen(text);
}

static int find_by_id(struct store *store, const char *word, struct image **ret_image,
		      struct err *err)
{
	const char *hex = digest_hex(word);

	if (!is_hex(hex) || strlen(hex) > ID_SIZE)
		return 0;
	/* Behind "f" comes "g", which is no digit: the end of the range of the prefix. */
	autofree char *end = xasprintf("%sg", hex);
	return find_by(store, SELECT_FULL "NULL FROM images i WHERE i.id >= ? AND i.id < ? LIMIT 2",
		       hex, end, word, ret_image, err);
}

/* By a full name in any of its forms. */
static int find_by_name(struct store *store, const char *name, struct image **ret_image,
			struct err *err)
{
	struct err ignored = { 0 };
	autoreference struct reference reference = REFERENCE_EMPTY;

	if (reference_parse(name, &reference, &ignored) < 0 || reference_is_short(&reference))
		return 0;
	reference_set_default_tag(&reference);
	if (!reference.digest) {
		autofree char *full = reference_print(&reference);
		return find_by(store,
			       SELECT_FULL "n.name FROM image_names n JOIN images i ON i.id = "
					   "n.image_id WHERE n.name = ?",
			       full, NULL, name, ret_image, err);
	}
	autofree char *repository = reference_repository(&reference);
	int r = find_by(store,
			SELECT_FULL
			"n.name FROM image_manifests m JOIN images i ON i.id = m.image_id "
			"JOIN image_names n ON n.image_id = i.id WHERE m.digest = ?2 AND "
			"substr(n.name, 1, length(?1) + 1) IN (?1 || ':', ?1 || '@')",
			repository, reference.digest, name, ret_image, err);
	if (r > 0) {
		free((*ret_image)->found_name);
		(*ret_image)->found_name = xasprintf("%s@%s", repository, reference.digest);
	}
	return r;
}

static int find_by_name_end(struct store *store, const char *word, struct image **ret_image,
			    struct err *err)
{
	struct err ignored = { 0 };
	autoreference struct reference reference = REFERENCE_EMPTY;

	if (reference_parse(word, &reference, &ignored) < 0 || !reference_is_short(&reference) ||
	    reference.digest)
		return 0;
	reference_set_default_tag(&reference);
	autofree char *name = reference_print(&reference);
	autofree char *end = xasprintf("/%s", name);
	return find_by(store,
		       SELECT_FULL "n.name FROM image_names n JOIN images i ON i.id = n.image_id "
				   "WHERE substr(n.name, -length(?1)) = ?1",
		       end, NULL, word, ret_image, err);
}

int image_find(struct store *store, const char *word, const struct strlist *candidates,
	       struct image **ret_image, struct err *err)
{
	int r = 0;

	if (strlen(digest_hex(word)) == ID_SIZE)
		r = find_by_id(store, word, ret_image, err);
	if (r == 0)
		r = find_by_name(store, word, ret_image, err);
	for (size_t i = 0; r == 0 && candidates && i < candidates->count; i++)
		r = find_by_name(store, candidates->items[i], ret_image, err);
	if (r == 0)
		r = find_by_id(store, word, ret_image, err);
	if (r == 0)
		r = find_by_name_end(store, word, ret_image, err);
	if (r == 0)
		return err_set(err, ENOENT, "%s: image not known", word);
	return r < 0 ? r : 0;
}

int image_load(struct store *store, const char *id, struct image **ret_image, struct err *err)
{
	int r = find_by(store, SELECT_FULL "NULL FROM images i WHERE i.id = ?", digest_hex(id),
			NULL, id, ret_image, err);

	if (r == 0)
		return err_set(err, ENOENT, "%s: image not known", id);
	return r < 0 ? r : 0;
}

int image_load_config(struct store *store, struct image *image, struct err *err)
{
	if (image->config)
		return 0;
	if (!image->config_text) {
		autostatement struct statement *stmt = NULL;
		int r = database_prepare(store_database(store),
					 "SELECT config FROM images WHERE id = ?", &stmt, err);
		if (r < 0)
			return r;
		statement_bind_text(stmt, 1, image->id);
		r = statement_step(stmt, err);
		if (r < 0)
			return r;
		if (r == 0)
			return err_set(err, ENOENT, "%s: image not known", image->id);
		size_t size;
		const void *data = statement_blob(stmt, 0, &size);
		image->config_text = xmalloc(size + 1);
		if (size > 0)
			memcpy(image->config_text, data, size);
		image->config_text[size] = '\0';
		image->config_size = size;
	}
	return oci_image_config_parse(image->config_text, image->config_size, image->id,
				      &image->config, err);
}

static void add_once(struct strlist *list, char *item)
{
	if (strlist_contains(list, item))
		free(item);
	else
		strlist_take(list, item);
}

int image_load_names(struct store *store, struct image *image, struct err *err)
{
	autostatement struct statement *names = NULL, *digests = NULL;
	autostrlist struct strlist repositories = STRLIST_EMPTY;

	if (image->names.count > 0)
		return 0;
	int r = database_prepare(store_database(store),
				 "SELECT name FROM image_names WHERE image_id = ? ORDER BY rowid",
				 &names, err);
	if (r < 0)
		return r;
	statement_bind_text(names, 1, image->id);
	while ((r = statement_step(names, err)) > 0) {
		autofree char *tag = NULL, *digest = NULL;
		char *repository;
		const char *name = statement_text(names, 0);

		strlist_add(&image->names, name);
		image_name_split(name, &repository, &tag, &digest);
		add_once(&repositories, repository);
	}
	if (r >= 0)
		r = database_prepare(store_database(store),
				     "SELECT digest FROM image_manifests WHERE image_id = ?",
				     &digests, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < repositories.count; i++) {
		statement_bind_text(digests, 1, image->id);
		while ((r = statement_step(digests, err)) > 0)
			strlist_addf(&image->digests, "%s@%s", repositories.items[i],
				     statement_text(digests, 0));
		if (r < 0)
			return r;
		statement_reset(digests);
	}
	return 0;
}

int image_load_layers(struct store *store, struct image *image, struct err *err)
{
	autostatement struct statement *stmt = NULL;

	if (image->layer_count > 0)
		return 0;
	int r = database_prepare(store_database(store),
				 "SELECT diff_id, blob_digest, media_type, blob_size FROM "
				 "image_layers WHERE image_id = ? ORDER BY position",
				 &stmt, err);
	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, image->id);
	while ((r = statement_step(stmt, err)) > 0) {
		image->layers = xreallocarray(image->layers, image->layer_count + 1,
					      sizeof(*image->layers));
		image->layers[image->layer_count++] = (struct image_layer){
			.diff_id = xstrdup(statement_text(stmt, 0)),
			.blob_digest = xstrdup(statement_text(stmt, 1)),
			.media_type = xstrdup(statement_text(stmt, 2)),
			.blob_size = statement_int(stmt, 3),
		};
	}
	return r;
}

int image_list(struct store *store, struct image_list *ret_list, struct err *err)
{
	autoimage_list struct image_list list = { 0 };
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store),
				 "SELECT " IMAGE_COLUMNS
				 ", (SELECT count(*) FROM containers c WHERE c.image_id = i.id) "
				 "FROM images i ORDER BY i.created_nsec DESC, i.id",
				 &stmt, err);

	if (r < 0)
		return r;
	while ((r = statement_step(stmt, err)) > 0) {
		struct image *image = image_from_row(stmt);
		image->container_count = statement_int(stmt, 8);
		list.items = xreallocarray(list.items, list.count + 1, sizeof(*list.items));
		list.items[list.count++] = image;
	}
	for (size_t i = 0; r >= 0 && i < list.count; i++)
		r = image_load_names(store, list.items[i], err);
	if (r < 0)
		return r;
	*ret_list = list;
	list = (struct image_list){ 0 };
	return 0;
}

/* Whether all that the image consists of is there; how much of it is not synced is counted. */
static int count_unsynced(struct store *store, const struct image_record *record,
			  const char *config_digest, int *ret_unsynced, struct err *err)
{
	const char *const documents[] = { record->manifest_digest, config_digest };
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store),
				 "SELECT synced FROM layers WHERE diff_id = ?", &stmt, err);

	if (r < 0)
		return r;
	*ret_unsynced = 0;
	for (size_t i = 0; i < record->layer_count; i++) {
		const char *diff_id = record->layers[i].diff_id;
		statement_reset(stmt);
		statement_bind_text(stmt, 1, diff_id);
		r = statement_step(stmt, err);
		if (r < 0)
			return r;
		if (r == 0)
			return err_set(err, EAGAIN, "layer '%s' was removed meanwhile", diff_id);
		*ret_unsynced += statement_int(stmt, 0) == 0;
	}
	statement_release(stmt);
	stmt = NULL;
	r = database_prepare(store_database(store), "SELECT synced FROM blobs WHERE digest = ?",
			     &stmt, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < record->layer_count + ARRAY_SIZE(documents); i++) {
		const char *digest = i < record->layer_count ? record->layers[i].blob_digest
							     : documents[i - record->layer_count];
		statement_reset(stmt);
		statement_bind_text(stmt, 1, digest);
		r = statement_step(stmt, err);
		if (r < 0)
			return r;
		if (r == 0)
			return err_set(err, EAGAIN, "blob '%s' was removed meanwhile", digest);
		*ret_unsynced += statement_int(stmt, 0) == 0;
	}
	return 0;
}

static int run_with_texts(struct store *store, const char *sql, const char *const *texts,
			  size_t count, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store), sql, &stmt, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		statement_bind_text(stmt, (int)i + 1, texts[i]);
	return statement_run(stmt, err);
}
#define RUN(store, sql, err, ...)                                                                  \
	run_with_texts(store, sql, (const char *const[]){ __VA_ARGS__ },                           \
		       ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })), err)

/* The texts that a query about one image gives. */
static int collect(struct store *store, const char *sql, const char *id, struct strlist *list,
		   struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store), sql, &stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, id);
	while ((r = statement_step(stmt, err)) > 0)
		strlist_add(list, statement_text(stmt, 0));
	return r;
}

/* Inside a transaction: put those of the layers and blobs into the trash that no image has. */
static int discard_parts(struct store *store, const struct strlist *diff_ids,
			 const struct strlist *digests, struct err *err)
{
	struct database *db = store_database(store);
	int layers_fd = store_directory(store, STORE_LAYERS, err);
	int blobs_fd = layers_fd < 0 ? layers_fd : store_directory(store, STORE_BLOBS, err);
	int r = blobs_fd;

	for (size_t i = 0; r >= 0 && i < diff_ids->count; i++) {
		const char *diff_id = diff_ids->items[i];
		r = RUN(store,
			"DELETE FROM layers WHERE diff_id = ?1 AND NOT EXISTS "
			"(SELECT 1 FROM image_layers WHERE diff_id = ?1)",
			err, diff_id);
		if (r >= 0 && database_changes(db) > 0)
			r = store_trash(store, layers_fd, digest_hex(diff_id), err);
	}
	for (size_t i = 0; r >= 0 && i < digests->count; i++) {
		const char *digest = digests->items[i];
		r = RUN(store,
			"DELETE FROM blobs WHERE digest = ?1 AND NOT EXISTS "
			"(SELECT 1 FROM image_layers WHERE blob_digest = ?1) AND NOT EXISTS "
			"(SELECT 1 FROM image_manifests WHERE digest = ?1) AND NOT EXISTS "
			"(SELECT 1 FROM images WHERE 'sha256:' || id = ?1)",
			err, digest);
		if (r >= 0 && database_changes(db) > 0)
			r = store_trash(store, blobs_fd, digest_hex(digest), err);
	}
	return r < 0 ? r : 0;
}

int image_discard_parts(struct store *store, const struct strlist *diff_ids,
			const struct strlist *digests, struct err *err)
{
	struct database *db = store_database(store);
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = discard_parts(store, diff_ids, digests, err);
	return r < 0 ? r : database_commit(db, err);
}

static int mark_synced(struct store *store, const struct image_record *record,
		       const char *config_digest, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < record->layer_count; i++) {
		r = RUN(store, "UPDATE layers SET synced = 1 WHERE diff_id = ? AND NOT synced", err,
			record->layers[i].diff_id);
		if (r >= 0)
			r = RUN(store,
				"UPDATE blobs SET synced = 1 WHERE digest = ? AND NOT synced", err,
				record->layers[i].blob_digest);
	}
	if (r >= 0)
		r = RUN(store,
			"UPDATE blobs SET synced = 1 WHERE digest IN (?, ?, ?) AND NOT synced", err,
			record->manifest_digest, record->index_digest, config_digest);
	return r;
}

static int insert_image(struct store *store, const struct image_record *record,
			const struct oci_image_config *config, const char *id, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(
		store_database(store),
		"INSERT INTO images(id, manifest_digest, manifest_type, config, created_nsec, "
		"size_bytes, architecture, os, variant, added_nsec) "
		"VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO UPDATE SET "
		"manifest_digest = ?2, manifest_type = ?3",
		&stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, id);
	statement_bind_text(stmt, 2, record->manifest_digest);
	statement_bind_text(stmt, 3, record->manifest_type);
	statement_bind_blob(stmt, 4, record->config, record->config_size);
	statement_bind_int(stmt, 5, config->has_created ? config->created_nsec : 0);
	statement_bind_text(stmt, 6, config->architecture);
	statement_bind_text(stmt, 7, config->os);
	statement_bind_text(stmt, 8, config->variant);
	statement_bind_int(stmt, 9, timestamp_now_nsec());
	return statement_run(stmt, err);
}

static int insert_layers(struct store *store, const struct image_record *record, const char *id,
			 struct err *err)
{
	autostatement struct statement *stmt = NULL;
	autostrlist struct strlist replaced = STRLIST_EMPTY;
	static const struct strlist none = { 0 };
	int r = collect(store, "SELECT blob_digest FROM image_layers WHERE image_id = ?", id,
			&replaced, err);

	if (r >= 0)
		r = RUN(store, "DELETE FROM image_layers WHERE image_id = ?", err, id);
	if (r >= 0)
		r = database_prepare(store_database(store),
				     "INSERT INTO image_layers(image_id, position, diff_id, "
				     "blob_digest, media_type, blob_size) VALUES(?, ?, ?, ?, ?, ?)",
				     &stmt, err);
	for (size_t i = 0; r >= 0 && i < record->layer_count; i++) {
		const struct image_layer *layer = &record->layers[i];
		statement_bind_text(stmt, 1, id);
		statement_bind_int(stmt, 2, (int64_t)i);
		statement_bind_text(stmt, 3, layer->diff_id);
		statement_bind_text(stmt, 4, layer->blob_digest);
		statement_bind_text(stmt, 5, layer->media_type);
		statement_bind_int(stmt, 6, layer->blob_size);
		r = statement_run(stmt, err);
	}
	if (r >= 0)
		r = RUN(store,
			"UPDATE images SET size_bytes = (SELECT coalesce(sum(l.size_bytes), 0) "
			"FROM image_layers il JOIN layers l ON l.diff_id = il.diff_id WHERE "
			"il.image_id = images.id) WHERE id = ?",
			err, id);
	/* The same image may be packed in another way now: the old blobs are of no use any more. */
	return r < 0 ? r : discard_parts(store, &none, &replaced, err);
}

#define INSERT_NAME                                                                                \
	"INSERT INTO image_names(name, image_id, digest) VALUES(?1, ?2, ?3) ON CONFLICT(name) DO " \
	"UPDATE SET image_id = ?2, digest = ?3"

int image_record(struct store *store, const struct image_record *record, char **ret_id,
		 struct err *err)
{
	struct database *db = store_database(store);
	autoimage_config struct oci_image_config *config = NULL;
	char digest[DIGEST_TEXT_SIZE];
	int unsynced;
	int r = sha256_digest(record->config, record->config_size, digest, err);

	if (r >= 0)
		r = oci_image_config_parse(record->config, record->config_size, digest, &config,
					   err);
	if (r < 0)
		return r;
	if (config->diff_ids.count != record->layer_count)
		return err_set(err, EBADMSG,
			       "image '%s': the configuration names %zu layers, the manifest %zu",
			       digest, config->diff_ids.count, record->layer_count);
	const char *id = digest_hex(digest);
	r = count_unsynced(store, record, digest, &unsynced, err);
	if (r < 0)
		return r;
	if (unsynced > 0 && syncfs(store_root_fd(store)) < 0)
		return err_errno(err, "sync the store '%s'", store_root(store));

	r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	int still_unsynced;
	r = count_unsynced(store, record, digest, &still_unsynced, err);
	if (r >= 0 && still_unsynced > unsynced)
		return err_set(err, EAGAIN, "layers of image '%s' were made anew meanwhile",
			       digest);
	if (r >= 0 && unsynced > 0)
		r = mark_synced(store, record, digest, err);
	if (r >= 0)
		r = insert_image(store, record, config, id, err);
	if (r >= 0)
		r = insert_layers(store, record, id, err);
	if (r >= 0)
		r = RUN(store,
			"INSERT OR REPLACE INTO image_manifests(image_id, digest, media_type) "
			"VALUES(?, ?, ?)",
			err, id, record->manifest_digest, record->manifest_type);
	if (r >= 0 && record->index_digest)
		r = RUN(store,
			"INSERT OR REPLACE INTO image_manifests(image_id, digest, media_type) "
			"VALUES(?, ?, ?)",
			err, id, record->index_digest, record->index_type);
	for (size_t i = 0; r >= 0 && record->names && i < record->names->count; i++)
		r = RUN(store, INSERT_NAME, err, record->names->items[i], id,
			record->index_digest ? record->index_digest : record->manifest_digest);
	if (r >= 0)
		r = database_commit(db, err);
	if (r < 0)
		return r;
	*ret_id = xstrdup(id);
	return 0;
}

int image_tag(struct store *store, const struct image *image, const char *name, struct err *err)
{
	return RUN(store, INSERT_NAME, err, name, image->id, image->manifest_digest);
}

int image_untag(struct store *store, const struct image *image, const char *name, struct err *err)
{
	database_makes_room(store_database(store));
	int r = RUN(store, "DELETE FROM image_names WHERE name = ? AND image_id = ?", err, name,
		    image->id);

	if (r >= 0 && database_changes(store_database(store)) == 0)
		return err_set(err, ENOENT, "image '%.12s' has no name '%s'", image->id, name);
	return r;
}

int image_containers(struct store *store, const char *id, struct strlist *ret_ids, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(
		store_database(store),
		/* Those that mount it say so in their spec, where a line break is two characters. */
		"SELECT id FROM containers WHERE image_id = ?1 OR "
		"instr(spec, '\"image\\n' || ?1) > 0 ORDER BY created_nsec",
		&stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, id);
	while ((r = statement_step(stmt, err)) > 0)
		strlist_add(ret_ids, statement_text(stmt, 0));
	return r;
}

int image_delete(struct store *store, const struct image *image, struct err *err)
{
	struct database *db = store_database(store);
	autostrlist struct strlist users = STRLIST_EMPTY, layers = STRLIST_EMPTY,
				   blobs = STRLIST_EMPTY;
	database_makes_room(db);
	int layers_fd = store_directory(store, STORE_LAYERS, err);
	int blobs_fd = layers_fd < 0 ? layers_fd : store_directory(store, STORE_BLOBS, err);
	int r = blobs_fd < 0 ? blobs_fd : database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = image_containers(store, image->id, &users, err);
	if (r < 0)
		return r;
	if (users.count > 0)
		return err_set(err, EBUSY,
			       "image used by %s: image is in use by a container: remove it first, "
			       "or remove both with --force",
			       users.items[0]);

	r = collect(
		store,
		"SELECT DISTINCT diff_id FROM image_layers WHERE image_id = ?1 AND diff_id NOT IN "
		"(SELECT diff_id FROM image_layers WHERE image_id <> ?1)",
		image->id, &layers, err);
	if (r >= 0)
		r = collect(store,
			    "SELECT blob_digest FROM image_layers WHERE image_id = ?1 AND "
			    "blob_digest NOT IN (SELECT blob_digest FROM image_layers WHERE "
			    "image_id <> ?1) UNION "
			    "SELECT digest FROM image_manifests WHERE image_id = ?1 AND digest NOT "
			    "IN (SELECT digest FROM image_manifests WHERE image_id <> ?1) UNION "
			    "SELECT 'sha256:' || ?1",
			    image->id, &blobs, err);
	if (r >= 0)
		r = RUN(store, "DELETE FROM images WHERE id = ?", err, image->id);
	for (size_t i = 0; r >= 0 && i < layers.count; i++)
		r = RUN(store, "DELETE FROM layers WHERE diff_id = ?", err, layers.items[i]);
	for (size_t i = 0; r >= 0 && i < blobs.count; i++)
		r = RUN(store, "DELETE FROM blobs WHERE digest = ?", err, blobs.items[i]);
	/* Moved away while nobody else can record an image that would need them; without a row they
	 * are leftovers should the commit fail after all. */
	for (size_t i = 0; r >= 0 && i < layers.count; i++)
		r = store_trash(store, layers_fd, digest_hex(layers.items[i]), err);
	for (size_t i = 0; r >= 0 && i < blobs.count; i++)
		r = store_trash(store, blobs_fd, digest_hex(blobs.items[i]), err);
	return r < 0 ? r : database_commit(db, err);
}
