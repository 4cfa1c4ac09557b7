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
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/space.h"
#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/secret-driver.h"
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

/* The one row that `sql` finds; -ENOTUNIQ with several, -ENOENT without a message with none. */
static int find_row(struct engine *engine, const char *sql, const char *text,
		    struct secret **ret_secret, struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, sql, &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, text);
	r = statement_step(query, err);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	autosecret struct secret *found = secret_of_row(query);
	r = statement_step(query, err);
	if (r > 0)
		return err_set(err, ENOTUNIQ,
			       "more than one secret's ID begins with '%s'; give more of it", text);
	if (r == 0)
		*ret_secret = take_ptr(&found);
	return r;
}

static int tell_missing(const char *name, struct err *err)
{
	return err_set(err, ENOENT, "no secret with name or id \"%s\": no such secret", name);
}

int secret_find(struct engine *engine, const char *name, struct secret **ret_secret,
		struct err *err)
{
	static const char *const queries[] = {
		"SELECT " COLUMNS " FROM secrets WHERE name = ?1",
		"SELECT " COLUMNS " FROM secrets WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2",
	};
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && *name && i < ARRAY_SIZE(queries); i++)
		r = find_row(engine, queries[i], name, ret_secret, err);
	return r == -ENOENT ? tell_missing(name, err) : r;
}

int secret_load(struct engine *engine, const char *id, struct secret **ret_secret, struct err *err)
{
	int r = find_row(engine, "SELECT " COLUMNS " FROM secrets WHERE id = ?1", id, ret_secret,
			 err);

	return r == -ENOENT ? tell_missing(id, err) : r;
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

static int find_driver(const char *name, const struct secret_driver **ret_driver, struct err *err)
{
	*ret_driver = secret_driver_find(name);
	return *ret_driver
		       ? 0
		       : err_set(err, EINVAL,
				 "secret driver '%s' is not known; there are file, pass and shell",
				 name);
}

static struct secret_place place_of(const struct engine *engine, const struct secret *secret)
{
	return (struct secret_place){ .engine = engine,
				      .options = &secret->options,
				      .key = secret->file };
}

int secret_read(struct engine *engine, const struct secret *secret, struct strbuf *value,
		struct err *err)
{
	const struct secret_place place = place_of(engine, secret);
	const struct secret_driver *driver;

	int r = find_driver(secret->driver, &driver, err);
	if (r == 0)
		r = driver->read(&place, value, err);
	if (r == 0 && !value->size)
		r = err_set(err, ENODATA, "it has no value any more; make it again with --replace");
	return r < 0 ? err_wrap(err, "secret '%s'", secret->name) : 0;
}

static int link_value(struct engine *engine, const struct secret *secret, const char *path)
{
	const struct secret_place place = place_of(engine, secret);
	autofree char *from = secret_file_path(&place);

	return strcmp(secret->driver, "file") == 0 ? link(from, path) : -1;
}

int secret_keep(struct engine *engine, const struct secret *secret, const char *path,
		struct err *err)
{
	autostrbuf struct strbuf value = STRBUF_EMPTY;

	if (link_value(engine, secret, path) == 0)
		return 0;
	/* It is no file, or on another file system, or on one without links. */
	int r = secret_read(engine, secret, &value, err);
	if (r == 0)
		r = file_write(AT_FDCWD, path, value.data, value.size, 0600, 0, err);
	if (value.size)
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

/* Whoever changes secrets holds davit's directory of them. What he records has reached the disk before he goes on: a value
 * that no record leads to is swept, and one that a record leads to has to be there. */
static int lock(struct engine *engine, struct database **ret_db, int *ret_fd, struct err *err)
{
	autofree char *directory = secret_directory(engine);

	int r = engine_database(engine, ret_db, err);
	if (r == 0)
		r = database_sync_commits(*ret_db, err);
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

int secret_sweep(struct engine *engine, struct err *err)
{
	autoclose int lock_fd = -1;
	struct database *db;

	return lock(engine, &db, &lock_fd, err);
}

/* ---- changes ---- */

int secret_check_driver(const struct engine *engine, const char *name, struct strlist *options,
			struct err *err)
{
	const struct secret_driver *driver;

	int r = find_driver(name, &driver, err);
	return r < 0 ? r : driver->check(engine, options, err);
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
				 "VALUES(?1, ?2, ?7, ?3, ?4, ?5, ?5, ?6) "
				 "ON CONFLICT(id) DO UPDATE SET options = ?3, labels = ?4, "
				 "updated_nsec = ?5, file = ?6, driver = ?7",
				 &insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, id);
	statement_bind_text(insert, 2, request->name);
	statement_bind_text(insert, 3, options);
	statement_bind_text(insert, 4, labels);
	statement_bind_int(insert, 5, timestamp_now_nsec());
	statement_bind_text(insert, 6, file);
	statement_bind_text(insert, 7, request->driver);
	return statement_run(insert, err);
}

/* A new value has reached the disk before its record, and the record before the old value goes. */
static int store_and_record(struct engine *engine, struct database *db,
			    const struct secret_request *request, const struct secret *old,
			    struct err *err)
{
	const struct secret_driver *driver, *old_driver;
	char id[ID_SIZE + 2];
	struct err ignored;

	int r = find_driver(request->driver, &driver, err);
	if (r < 0)
		return r;
	random_hex(id, (ID_SIZE + 1) / 2);
	id[ID_SIZE] = '\0';
	const struct secret_place place = { .engine = engine,
					    .options = request->options,
					    .key = id };
	r = driver->store(&place, request->data, request->size, err);
	if (r == 0)
		r = write_row(db, request, old ? old->id : id, id, err);
	if (r < 0) {
		(void)driver->remove(&place, &ignored); /* it was never there */
		return r;
	}
	if (old && find_driver(old->driver, &old_driver, &ignored) == 0) {
		const struct secret_place old_place = place_of(engine, old);
		if (old_driver->remove(&old_place, &ignored) < 0)
			log_warn("secret '%s': its former value stays: %s", old->name,
				 ignored.text);
	}
	return 0;
}

int secret_create(struct engine *engine, const struct secret_request *request,
		  struct secret **ret_secret, struct err *err)
{
	autosecret struct secret *old = NULL;
	autoclose int lock_fd = -1;
	struct database *db;

	int r = check_request(request, err);
	if (r == 0)
		r = lock(engine, &db, &lock_fd, err);
	if (r == 0)
		r = find_by_name(engine, request->name, &old, err);
	if (r < 0)
		return space_remedy(SPACE_STORE, err);
	if (old && !request->replace)
		return err_set(err, EEXIST,
			       "secret '%s': secret name in use; remove it, or use --replace",
			       request->name);
	r = store_and_record(engine, db, request, old, err);
	if (r < 0)
		return err_wrap(err, "secret '%s'", request->name);
	event_object(engine, "secret", old ? EVENT_UPDATE : EVENT_CREATE, request->name);
	return secret_find(engine, request->name, ret_secret, err);
}

static int delete_row(struct database *db, const char *id, struct err *err)
{
	autostatement struct statement *statement = NULL;

	database_makes_room(db);
	int r = database_prepare(db, "DELETE FROM secrets WHERE id = ?", &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, id);
	return statement_run(statement, err);
}

/* A file goes after its record: if we are killed between the two the next one sweeps it. A value that somebody else keeps
 * goes before, as only the record leads to it. */
static int remove_value_and_row(struct engine *engine, struct database *db,
				const struct secret *secret, struct err *err)
{
	const struct secret_place place = place_of(engine, secret);
	const struct secret_driver *driver;

	int r = find_driver(secret->driver, &driver, err);
	if (r == 0 && !driver->is_swept)
		r = driver->remove(&place, err);
	if (r == 0)
		r = delete_row(db, secret->id, err);
	return r == 0 && driver->is_swept ? driver->remove(&place, err) : r;
}

int secret_remove(struct engine *engine, const char *id, struct err *err)
{
	autosecret struct secret *secret = NULL;
	autoclose int lock_fd = -1;
	struct database *db;

	/* What was seen before the lock may have got another value, or be gone. */
	int r = lock(engine, &db, &lock_fd, err);
	if (r == 0)
		r = secret_load(engine, id, &secret, err);
	if (r < 0)
		return r;
	r = remove_value_and_row(engine, db, secret, err);
	if (r < 0)
		return err_wrap(err, "secret '%s'", secret->name);
	event_object(engine, "secret", EVENT_REMOVE, secret->name);
	return 0;
}
