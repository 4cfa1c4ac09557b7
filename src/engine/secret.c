#include "engine/secret.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "store/database.h"

enum {
	ID_SIZE = 25,
	NAME_SIZE_MAX = 253,
};

#define COLUMNS "id, name, driver, options, labels, created_nsec, updated_nsec, file"

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	free(secret->id);
	free(secret->name);
	free(secret->driver);
	free(secret->file);
	strlist_clear(&secret->options);
	strlist_clear(&secret->labels);
	free(secret);
}

void secret_list_free(struct secret **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		secret_free(list[i]);
	free(list);
}

/* ---- finding ---- */

static struct secret *secret_of_row(struct statement *row)
{
	struct secret *secret = xcalloc(1, sizeof(*secret));

	secret->id = xstrdup(statement_text(row, 0));
	secret->name = xstrdup(statement_text(row, 1));
	secret->driver = xstrdup(statement_text(row, 2));
	json_pairs_from_text(statement_text(row, 3), &secret->options);
	json_pairs_from_text(statement_text(row, 4), &secret->labels);
	secret->created_nsec = statement_int(row, 5);
	secret->updated_nsec = statement_int(row, 6);
	secret->file = xstrdup(statement_text(row, 7));
	return secret;
}

int secret_find(struct engine *engine, const char *name, struct secret **ret_secret,
		struct err *err)
{
	static const char *const queries[] = {
		"SELECT " COLUMNS " FROM secrets WHERE name = ?1",
		"SELECT " COLUMNS " FROM secrets WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2",
	};
	struct database *db;

	int r = engine_database(engine, &db, err);
	for (size_t i = 0; r == 0 && *name && i < ARRAY_SIZE(queries); i++) {
		autostatement struct statement *query = NULL;
		r = database_prepare(db, queries[i], &query, err);
		if (r < 0)
			break;
		statement_bind_text(query, 1, name);
		r = statement_step(query, err);
		if (r <= 0)
			continue;
		autosecret struct secret *found = secret_of_row(query);
		r = statement_step(query, err);
		if (r > 0)
			return err_set(
				err, ENOTUNIQ,
				"more than one secret's ID begins with '%s'; give more of it",
				name);
		if (r == 0)
			*ret_secret = take_ptr(&found);
		return r;
	}
	return r < 0 ? r
		     : err_set(err, ENOENT, "no secret with name or id \"%s\": no such secret",
			       name);
}

int secret_list(struct engine *engine, struct secret ***ret_list, size_t *ret_count,
		struct err *err)
{
	autostatement struct statement *query = NULL;
	struct secret **list = NULL;
	struct database *db;
	size_t count = 0;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "SELECT " COLUMNS " FROM secrets ORDER BY name", &query,
				     err);
	if (r < 0)
		return r;
	while ((r = statement_step(query, err)) > 0) {
		if ((count & (count + 1)) == 0)
			list = xreallocarray(list, 2 * count + 1, sizeof(struct secret *));
		list[count++] = secret_of_row(query);
	}
	if (r < 0) {
		secret_list_free(list, count);
		return r;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

/* ---- values ---- */

static char *own_directory(const struct engine *engine)
{
	return path_join(engine->root, "secrets");
}

static char *directory_of(const struct engine *engine, const struct strlist *options)
{
	const char *path = options ? strlist_env_get(options, "path") : NULL;

	return path ? xstrdup(path) : own_directory(engine);
}

static char *value_path(const struct engine *engine, const struct secret *secret)
{
	autofree char *directory = directory_of(engine, &secret->options);

	return path_join(directory, secret->file);
}

int secret_read(struct engine *engine, const struct secret *secret, struct strbuf *value,
		struct err *err)
{
	autofree char *path = value_path(engine, secret);

	int r = file_read(AT_FDCWD, path, value, SECRET_SIZE_LIMIT, err);
	return r < 0 ? err_wrap(err, "secret '%s'", secret->name) : 0;
}

int secret_keep(struct engine *engine, const struct secret *secret, const char *path,
		struct err *err)
{
	autofree char *from = value_path(engine, secret);
	autostrbuf struct strbuf value = STRBUF_EMPTY;

	if (link(from, path) == 0)
		return 0;
	/* It is on another file system, or on one without links. */
	int r = secret_read(engine, secret, &value, err);
	if (r == 0)
		r = file_write(AT_FDCWD, path, value.data, value.size, 0600, 0, err);
	explicit_bzero(value.data, value.size);
	return r;
}

static int is_known(struct database *db, const char *file)
{
	autostatement struct statement *query = NULL;
	struct err ignored; /* what is not known to be useless stays */

	if (database_prepare(db, "SELECT 1 FROM secrets WHERE file = ?", &query, &ignored) < 0)
		return 1;
	statement_bind_text(query, 1, file);
	return statement_step(query, &ignored);
}

/* Values without a row: whoever wrote them was killed before, or removed the row and was killed then. The lock says that
 * nobody is just between the two. */
static void sweep(struct database *db, const char *directory)
{
	DIR *dir = opendir(directory);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    is_known(db, entry->d_name) == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0); /* next time, perhaps */
	if (dir)
		closedir(dir);
}

/* Whoever changes secrets holds davit's directory of them. */
static int lock(struct engine *engine, struct database **ret_db, int *ret_fd, struct err *err)
{
	autofree char *directory = own_directory(engine);

	int r = engine_database(engine, ret_db, err);
	if (r == 0)
		r = file_make_dirs(AT_FDCWD, directory, 0700, err);
	if (r < 0)
		return r;
	*ret_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 || flock(*ret_fd, LOCK_EX) < 0)
		return err_errno(err, "lock '%s'", directory);
	sweep(*ret_db, directory);
	return 0;
}

static int write_value(struct engine *engine, const struct secret_request *request,
		       const char *file, struct err *err)
{
	autofree char *directory = directory_of(engine, request->options),
		      *path = path_join(directory, file);

	int r = file_make_dirs(AT_FDCWD, directory, 0700, err);
	return r < 0 ? r
		     : file_write(AT_FDCWD, path, request->data, request->size, 0600,
				  FILE_WRITE_SYNC, err);
}

/* ---- changes ---- */

int secret_check_options(const struct strlist *options, struct err *err)
{
	for (size_t i = 0; i < options->count; i++)
		if (strncmp(options->items[i], "path=/", 6) != 0)
			return err_set(err, EINVAL,
				       "option '%s' of the secret driver file is not known; its "
				       "only one is path=/DIRECTORY",
				       options->items[i]);
	return 0;
}

/* It becomes a file's name, and a word among others that are separated by commas. */
static int check_request(const struct secret_request *request, struct err *err)
{
	const char *name = request->name;

	if (!*name || strlen(name) > NAME_SIZE_MAX || name[strcspn(name, "/,=")] ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(err, EINVAL,
			       "secret name '%s': invalid secret name; use 1 to %d characters, "
			       "without '=', '/' and ','",
			       name, NAME_SIZE_MAX);
	if (!request->size || request->size >= SECRET_SIZE_LIMIT)
		return err_set(err, EINVAL,
			       "secret '%s': its value has %zu bytes; it has to have more than 0 "
			       "and less than %d",
			       name, request->size, SECRET_SIZE_LIMIT);
	return 0;
}

static int find_by_name(struct engine *engine, const char *name, struct secret **ret_secret,
			struct err *err)
{
	int r = secret_find(engine, name, ret_secret, err);

	if (r == 0 && strcmp((*ret_secret)->name, name) != 0) /* its ID begins so */
		secret_free(take_ptr(ret_secret));
	return r == -ENOENT || r == -ENOTUNIQ ? 0 : r;
}

static int write_row(struct database *db, const struct secret_request *request, const char *id,
		     const char *file, struct err *err)
{
	autostatement struct statement *insert = NULL;
	autofree char *options = json_pairs_text(request->options),
		      *labels = json_pairs_text(request->labels);

	int r = database_prepare(db,
				 "INSERT INTO secrets(id, name, driver, options, labels, "
				 "created_nsec, updated_nsec, file) "
				 "VALUES(?1, ?2, 'file', ?3, ?4, ?5, ?5, ?6) "
				 "ON CONFLICT(id) DO UPDATE SET options = ?3, labels = ?4, "
				 "updated_nsec = ?5, file = ?6",
				 &insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, id);
	statement_bind_text(insert, 2, request->name);
	statement_bind_text(insert, 3, options);
	statement_bind_text(insert, 4, labels);
	statement_bind_int(insert, 5, timestamp_now_nsec());
	statement_bind_text(insert, 6, file);
	return statement_run(insert, err);
}

int secret_create(struct engine *engine, const struct secret_request *request,
		  struct secret **ret_secret, struct err *err)
{
	autosecret struct secret *old = NULL;
	autoclose int lock_fd = -1;
	struct database *db;
	char id[ID_SIZE + 2], file[33];

	int r = check_request(request, err);
	if (r == 0)
		r = lock(engine, &db, &lock_fd, err);
	if (r == 0)
		r = find_by_name(engine, request->name, &old, err);
	if (r < 0)
		return r;
	if (old && !request->replace)
		return err_set(err, EEXIST,
			       "secret '%s': secret name in use; remove it, or use --replace",
			       request->name);
	random_hex(id, (ID_SIZE + 1) / 2);
	id[ID_SIZE] = '\0';
	random_hex(file, (sizeof(file) - 1) / 2);
	r = write_value(engine, request, file, err);
	if (r == 0)
		r = write_row(db, request, old ? old->id : id, file, err);
	if (r < 0) {
		autofree char *directory = directory_of(engine, request->options),
			      *path = path_join(directory, file);
		(void)unlink(path);
		return err_wrap(err, "secret '%s'", request->name);
	}
	if (old) {
		autofree char *path = value_path(engine, old);
		(void)unlink(path); /* nobody asks for it any more */
	}
	event_object(engine, "secret", old ? EVENT_UPDATE : EVENT_CREATE, request->name);
	return secret_find(engine, request->name, ret_secret, err);
}

int secret_remove(struct engine *engine, const struct secret *secret, struct err *err)
{
	autostatement struct statement *statement = NULL;
	autofree char *path = value_path(engine, secret);
	autoclose int lock_fd = -1;
	struct database *db;

	int r = lock(engine, &db, &lock_fd, err);
	if (r == 0)
		r = database_prepare(db, "DELETE FROM secrets WHERE id = ?", &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, secret->id);
	r = statement_run(statement, err);
	if (r == 0)
		event_object(engine, "secret", EVENT_REMOVE, secret->name);
	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = err_errno(err, "secret '%s': remove '%s'", secret->name, path);
	return r;
}
