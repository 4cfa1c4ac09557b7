#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "engine/check-internal.h"
#include "engine/container-end.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "store/blob.h"
#include "store/database.h"
#include "store/store.h"

#define READ_BYTES 65536

/* All rows of a query with a text and a number, which is done before anything is repaired. */
static int list_rows(struct check *check, const char *sql, struct strlist *texts,
		     int64_t **ret_numbers, struct err *err)
{
	autostatement struct statement *query = NULL;
	autofree int64_t *numbers = NULL;

	int r = database_prepare(check->db, sql, &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0) {
		numbers = xreallocarray(numbers, texts->count + 1, sizeof(*numbers));
		numbers[texts->count] = statement_int(query, 1);
		strlist_add(texts, statement_text(query, 0) ?: "");
	}
	if (r == 0)
		*ret_numbers = take_ptr(&numbers);
	return r;
}

/* --- blobs */

static int forget_blob(struct check *check, const char *digest, struct err *err)
{
	int dir_fd = store_directory(check->store, STORE_BLOBS, err);
	int r = dir_fd < 0 ? dir_fd
			   : check_run(check, "DELETE FROM blobs WHERE digest = ?", digest, err);

	return r < 0 ? r : store_trash(check->store, dir_fd, strchr(digest, ':') + 1, err);
}

/* Its digest, or "" if it cannot be read. Without libcrypto nothing can be said of it, and that is an error. */
static int hash_file(int fd, char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	autosha256 struct sha256 *hash = NULL;
	autofree char *buffer = xmalloc(READ_BYTES);
	ssize_t n;

	int r = sha256_new(&hash, err);
	if (r < 0)
		return r;
	while ((n = read(fd, buffer, READ_BYTES)) > 0)
		sha256_update(hash, buffer, (size_t)n);
	digest[0] = '\0';
	if (n == 0)
		sha256_finish_digest(hash, digest);
	return 0;
}

/* What is wrong with it, or NULL. */
static int judge_blob(struct check *check, int fd, const char *digest, int64_t size_bytes,
		      const char **ret_damage, struct err *err)
{
	char found[DIGEST_TEXT_SIZE];
	struct stat st;

	*ret_damage = NULL;
	if (fstat(fd, &st) < 0)
		return err_errno(err, "look at blob '%s'", digest);
	if (st.st_size != size_bytes) {
		*ret_damage = "its file has another size";
		return 0;
	}
	if (check->flags & CHECK_QUICK)
		return 0;
	int r = hash_file(fd, found, err);
	if (r == 0 && strcmp(found, digest) != 0)
		*ret_damage = *found ? "its content is another" : "its file cannot be read";
	return r;
}

static int check_blob(struct check *check, const char *digest, int64_t size_bytes, struct err *err)
{
	autofree char *path = blob_path(check->store, digest);
	autofree char *object = xasprintf("blob %s", digest);
	const char *damage = "its file is missing";
	int r = 0;

	autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ELOOP) {
		/* It may be whole: nothing is done about it. */
		check_found(check, CHECK_REPAIR, NULL, digest, object, strerror(errno));
		return 0;
	}
	if (fd >= 0)
		r = judge_blob(check, fd, digest, size_bytes, &damage, err);
	if (r == 0 && damage)
		check_found(check, CHECK_REPAIR, forget_blob, digest, object, damage);
	return r;
}

int check_blobs(struct check *check, struct err *err)
{
	autostrlist struct strlist digests = STRLIST_EMPTY;
	autofree int64_t *sizes = NULL;

	int r = list_rows(check, "SELECT digest, size_bytes FROM blobs ORDER BY digest", &digests,
			  &sizes, err);
	for (size_t i = 0; r == 0 && i < digests.count; i++)
		if (strncmp(digests.items[i], "sha256:", 7) == 0)
			r = check_blob(check, digests.items[i], sizes[i], err);
	return r;
}

/* --- layers */

static int forget_layer(struct check *check, const char *diff_id, struct err *err)
{
	int dir_fd = store_directory(check->store, STORE_LAYERS, err);
	int r = dir_fd < 0 ? dir_fd
			   : check_run(check, "DELETE FROM layers WHERE diff_id = ?", diff_id, err);

	return r < 0 ? r : store_trash(check->store, dir_fd, strchr(diff_id, ':') + 1, err);
}

/* A tree has at least the bytes that were unpacked, and more where files have holes: less means that something was
 * removed. */
static int check_layer_trees(struct check *check, const struct strlist *diff_ids,
			     const int64_t *sizes, struct err *err)
{
	autofree struct strlist *trees = xcalloc(diff_ids->count + 1, sizeof(*trees));
	autofree int64_t *bytes = xcalloc(diff_ids->count + 1, sizeof(*bytes));

	for (size_t i = 0; i < diff_ids->count; i++)
		strlist_take(&trees[i], store_layer_path(check->store, diff_ids->items[i]));
	int r = container_measure_trees(check->engine, trees, diff_ids->count, 0, bytes, err);
	for (size_t i = 0; r >= 0 && i < diff_ids->count; i++) {
		autofree char *object = xasprintf("layer %s", diff_ids->items[i]);
		/* Parts of files with several names are rounded down. */
		if (bytes[i] + bytes[i] / 100 + 4096 < sizes[i])
			check_found(check, CHECK_REPAIR, forget_layer, diff_ids->items[i], object,
				    "files in it are missing or too short");
	}
	for (size_t i = 0; i < diff_ids->count; i++)
		strlist_clear(&trees[i]);
	return r;
}

int check_layers(struct check *check, struct err *err)
{
	autostrlist struct strlist diff_ids = STRLIST_EMPTY, present = STRLIST_EMPTY;
	autofree int64_t *sizes = NULL;
	size_t kept = 0;

	int r = list_rows(check, "SELECT diff_id, size_bytes FROM layers ORDER BY diff_id",
			  &diff_ids, &sizes, err);
	for (size_t i = 0; r == 0 && i < diff_ids.count; i++) {
		autofree char *path = store_layer_path(check->store, diff_ids.items[i]);
		autofree char *object = xasprintf("layer %s", diff_ids.items[i]);
		if (access(path, F_OK) == 0) {
			strlist_add(&present, diff_ids.items[i]);
			sizes[kept++] = sizes[i];
		} else {
			check_found(check, CHECK_REPAIR, forget_layer, diff_ids.items[i], object,
				    "its directory is missing");
		}
	}
	if (r == 0 && !(check->flags & CHECK_QUICK))
		r = check_layer_trees(check, &present, sizes, err);
	return r;
}

/* --- images */

static int remove_image(struct check *check, const char *id, struct err *err)
{
	autoimage struct image *image = NULL;
	autostrlist struct strlist users = STRLIST_EMPTY;

	int r = image_load(check->store, id, &image, err);
	if (r >= 0)
		r = image_containers(check->store, id, &users, err);
	for (size_t i = 0; r >= 0 && i < users.count; i++) {
		autocontainer struct container *container = NULL;
		r = container_find(check->engine, users.items[i], CONTAINER_WITH_SPEC, &container,
				   err);
		if (r == 0)
			r = container_remove(check->engine, container,
					     REMOVE_FORCE | REMOVE_DEPENDENTS, 0, err);
		if (r == -ENOENT)
			r = 0;
	}
	if (r >= 0)
		r = image_load_names(check->store, image, err);
	return r < 0 ? r : image_delete(check->store, image, err);
}

/* Which of its layers no longer can be relied upon; NULL if none. */
static int find_missing(struct check *check, const char *id, char **ret_diff_id, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(check->db,
				 "SELECT diff_id FROM image_layers WHERE image_id = ? AND diff_id "
				 "NOT IN (SELECT diff_id FROM layers) LIMIT 1",
				 &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	r = statement_step(query, err);
	if (r > 0)
		*ret_diff_id = xstrdup(statement_text(query, 0));
	return r < 0 ? r : 0;
}

static int check_image(struct check *check, const char *id, const char *name, struct err *err)
{
	autoimage struct image *image = NULL;
	autofree char *missing = NULL, *object = xasprintf("image %s (%.12s)", name, id),
		      *wanted = xasprintf("sha256:%s", id);
	char found[DIGEST_TEXT_SIZE];
	struct err damage;

	if (image_load(check->store, id, &image, &damage) < 0 ||
	    sha256_digest(image->config_text, image->config_size, found, &damage) < 0) {
		check_found(check, CHECK_FORCE, NULL, id, object, damage.text);
		return 0;
	}
	if (strcmp(found, wanted) != 0) {
		check_found(check, CHECK_FORCE, remove_image, id, object,
			    "its configuration is damaged; remove it, and pull it again");
		return 0;
	}
	int r = find_missing(check, id, &missing, err);
	if (r == 0 && missing) {
		autofree char *text = xasprintf("its layer %.19s… is missing; pull it again, or "
						"remove it",
						missing);
		check_found(check, CHECK_FORCE, remove_image, id, object, text);
	}
	return r;
}

int check_images(struct check *check, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY, names = STRLIST_EMPTY;
	autostatement struct statement *query = NULL;

	int r = database_prepare(
		check->db,
		"SELECT id, COALESCE((SELECT name FROM image_names n WHERE "
		"n.image_id = images.id LIMIT 1), '<none>') FROM images ORDER BY id",
		&query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0) {
		strlist_add(&ids, statement_text(query, 0));
		strlist_add(&names, statement_text(query, 1));
	}
	statement_release(take_ptr(&query));
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = check_image(check, ids.items[i], names.items[i], err);
	return r;
}
