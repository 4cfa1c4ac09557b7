/* How the state database is opened, asked and left.
 *
 * What it costs decides how it is used, for `davit run` opens, writes and leaves it within
 * milliseconds:
 *
 * - A commit in the write-ahead log at synchronous=NORMAL syncs nothing, with one exception: the
 *   first one into an empty log syncs the log's header.
 * - Whoever opens the file while nobody else has it open would read the whole log to rebuild its index
 *   (about 1 ms per megabyte). database-index.c spares that, but for the first one after a boot.
 * - SQLite's own automatic checkpoints do not suit: a fresh process never finds the log restartable,
 *   so it grows for ever while every commit syncs.
 *
 * So automatic checkpoints are off, and database_close() folds a log of more than LOG_LIMIT into
 * the file, truncates it, and makes one small commit of its own, so that the sync of the header is
 * over as well before the next command comes. SQLite's checkpoint at the last close is off. */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/space.h"
#include "store/database-index.h"
#include "store/database-spare.h"
#include "store/store-internal.h"

#define BUSY_TIMEOUT_MSEC 10000
#define LOG_LIMIT_BYTES	  (256 * 1024)

/* Rows are small and a commit writes whole pages: small pages make short logs. */
#define PAGE_SIZE "1024"

struct statement {
	struct statement *next;
	struct database *db;
	sqlite3_stmt *handle;
	bool in_use;
};

struct database {
	sqlite3 *handle;
	char *path;
	struct statement *statements;
};

static int database_error(struct database *db, int code, struct err *err)
{
	int number = EIO;

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, EBUSY,
			       "state database '%s' is held by another process for more than %d "
			       "seconds; see lsof '%s'",
			       db->path, BUSY_TIMEOUT_MSEC / 1000, db->path);
	case SQLITE_CONSTRAINT:
		number = code == SQLITE_CONSTRAINT_FOREIGNKEY ? ENOENT : EEXIST;
		break;
	case SQLITE_FULL:
		(void)space_error(SPACE_STORE, ENOSPC, err);
		return err_wrap(err, "state database '%s'", db->path);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		number = EACCES;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, EUCLEAN,
			       "state database '%s' is damaged (%s); move it and its -wal and "
			       "-shm files away and load the images anew",
			       db->path, sqlite3_errmsg(db->handle));
	case SQLITE_CANTOPEN:
		number = sqlite3_system_errno(db->handle);
		if (number == 0)
			number = ENOENT;
		return err_set(err, number, "open state database '%s': %s", db->path,
			       strerror(number));
	case SQLITE_IOERR:
		number = sqlite3_system_errno(db->handle);
		if (number == 0)
			number = EIO;
		if (space_is_short(number)) {
			(void)space_error(SPACE_STORE, number, err);
			return err_wrap(err, "state database '%s'", db->path);
		}
		return err_set(err, number, "state database '%s': %s: %s", db->path,
			       sqlite3_errmsg(db->handle), strerror(number));
	case SQLITE_NOMEM:
		abort();
	default:
		break;
	}
	return err_set(err, number, "state database '%s': %s", db->path,
		       sqlite3_errmsg(db->handle));
}

int database_execute(struct database *db, const char *sql, struct err *err)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return database_error(db, sqlite3_extended_errcode(db->handle), err);
	return 0;
}

int database_sync_commits(struct database *db, struct err *err)
{
	return database_execute(db, "PRAGMA synchronous=FULL", err);
}

void database_makes_room(struct database *db)
{
	(void)db; /* SQLite's system calls do not know whose they are: it is of the process */
	database_spare_allow();
}

int64_t database_changes(struct database *db)
{
	return sqlite3_changes64(db->handle);
}

static int query_int(struct database *db, const char *sql, int64_t *ret_value, struct err *err)
{
	autostatement struct statement *stmt = NULL;

	int r = database_prepare(db, sql, &stmt, err);
	if (r < 0)
		return r;
	r = statement_step(stmt, err);
	if (r < 0)
		return r;
	*ret_value = r > 0 ? statement_int(stmt, 0) : 0;
	return 0;
}

/* Bring the file from whatever version it has to ours. One process at a time: switching an empty
 * file to the write-ahead log does not wait for others as commits do. */
static int migrate(struct database *db, struct err *err)
{
	autofree char *lock_path = xasprintf("%s-schema-lock", db->path);
	autoclose int lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return err_errno(err, "create '%s'", lock_path);
	while (flock(lock_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock '%s'", lock_path);

	int64_t version;
	int r = query_int(db, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (version == 0) {
		r = database_execute(db, "PRAGMA page_size=" PAGE_SIZE "; PRAGMA journal_mode=WAL",
				     err);
		if (r < 0)
			return r;
	}
	while (version < SCHEMA_VERSION) {
		r = database_begin(db, err);
		if (r < 0)
			return r;
		autorollback struct database *transaction = db;

		autofree char *set_version = xasprintf("PRAGMA user_version=%d", (int)version + 1);
		r = database_execute(db, schema_migrations[version], err);
		if (r >= 0)
			r = database_execute(db, set_version, err);
		if (r >= 0)
			r = database_commit(db, err);
		if (r < 0)
			return err_wrap(err, "bring the state database to version %d",
					(int)version + 1);
		version++;
	}
	(void)unlink(lock_path); /* a lock nobody waits for; a waiter finds the work done */
	return 0;
}

int database_open(const char *path, struct database **ret_db, struct err *err)
{
	autodatabase struct database *db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(path);

	/* SQLite gives its new files the mode of the first one. */
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, "open state database '%s'", path);
	fd_close(&fd);

	/* One thread of a process uses the database, and nobody asks how much memory it takes. */
	(void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	database_index_keep(db->path);
	database_spare_watch(db->path);
	int code = sqlite3_open_v2(
		path, &db->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (!db->handle)
		abort(); /* out of memory */
	if (code != SQLITE_OK)
		return database_error(db, code, err);

	int on = 1;
	(void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MSEC);
	(void)sqlite3_wal_autocheckpoint(db->handle, 0);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);

	int64_t version;
	int r = database_execute(db, "PRAGMA synchronous=NORMAL", err);
	if (r < 0)
		return r;
	r = query_int(db, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION)
		return err_set(err, EPROTO,
			       "state database '%s' is of version %d, this davit knows up to %d; "
			       "use the newer davit that wrote it, or another --root",
			       path, (int)version, SCHEMA_VERSION);
	if (version < SCHEMA_VERSION) {
		r = migrate(db, err);
		if (r < 0)
			return r;
		database_spare_make();
	}
	*ret_db = take_ptr(&db);
	return 0;
}

/* Fold a long log into the file. Failure is no loss: the log holds everything, and the next one to
 * close tries again. Somebody who reads at this very moment makes it a no-op as well. */
static void fold_log(struct database *db)
{
	autofree char *log_path = xasprintf("%s-wal", db->path);
	struct stat st;
	struct err ignored = { 0 };

	if (stat(log_path, &st) < 0 || st.st_size < LOG_LIMIT_BYTES)
		return;
	(void)sqlite3_busy_timeout(db->handle, 0);
	if (sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
	    SQLITE_OK)
		(void)database_execute(db, "UPDATE checkpoints SET count = count + 1", &ignored);
	database_spare_make();
}

void database_close(struct database *db)
{
	if (!db)
		return;
	int saved_errno = errno;

	for (struct statement *stmt = db->statements, *next; stmt; stmt = next) {
		next = stmt->next;
		(void)sqlite3_finalize(stmt->handle);
		free(stmt);
	}
	if (db->handle && db->path) {
		database_rollback(db);
		fold_log(db);
		database_spare_restore();
	}
	(void)sqlite3_close(db->handle);
	database_index_keep(NULL);
	database_spare_watch(NULL);
	free(db->path);
	free(db);
	errno = saved_errno;
}

int database_begin(struct database *db, struct err *err)
{
	autostatement struct statement *stmt = NULL;

	int r = database_prepare(db, "BEGIN IMMEDIATE", &stmt, err);
	return r < 0 ? r : statement_run(stmt, err);
}

int database_commit(struct database *db, struct err *err)
{
	autostatement struct statement *stmt = NULL;

	int r = database_prepare(db, "COMMIT", &stmt, err);
	return r < 0 ? r : statement_run(stmt, err);
}

void database_rollback(struct database *db)
{
	if (sqlite3_get_autocommit(db->handle))
		return;
	/* Queries that are still being stepped would make it fail. */
	for (struct statement *stmt = db->statements; stmt; stmt = stmt->next)
		(void)sqlite3_reset(stmt->handle);
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int database_prepare(struct database *db, const char *sql, struct statement **ret_stmt,
		     struct err *err)
{
	for (struct statement *stmt = db->statements; stmt; stmt = stmt->next) {
		if (!stmt->in_use && strcmp(sqlite3_sql(stmt->handle), sql) == 0) {
			stmt->in_use = true;
			*ret_stmt = stmt;
			return 0;
		}
	}

	sqlite3_stmt *handle = NULL;
	int code =
		sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
	if (code != SQLITE_OK)
		return database_error(db, code, err);

	struct statement *stmt = xcalloc(1, sizeof(*stmt));
	stmt->db = db;
	stmt->handle = handle;
	stmt->in_use = true;
	stmt->next = db->statements;
	db->statements = stmt;
	*ret_stmt = stmt;
	return 0;
}

void statement_release(struct statement *stmt)
{
	if (!stmt)
		return;
	(void)sqlite3_reset(stmt->handle); /* repeats the error that step has reported */
	(void)sqlite3_clear_bindings(stmt->handle);
	stmt->in_use = false;
}

void statement_bind_text(struct statement *stmt, int position, const char *text)
{
	(void)sqlite3_bind_text(stmt->handle, position, text, -1, SQLITE_STATIC);
}

void statement_bind_int(struct statement *stmt, int position, int64_t value)
{
	(void)sqlite3_bind_int64(stmt->handle, position, value);
}

void statement_bind_blob(struct statement *stmt, int position, const void *data, size_t size)
{
	(void)sqlite3_bind_blob64(stmt->handle, position, data, size, SQLITE_STATIC);
}

void statement_bind_null(struct statement *stmt, int position)
{
	(void)sqlite3_bind_null(stmt->handle, position);
}

int statement_step(struct statement *stmt, struct err *err)
{
	int code = sqlite3_step(stmt->handle);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return database_error(stmt->db, code, err);
}

int statement_run(struct statement *stmt, struct err *err)
{
	int r;

	while ((r = statement_step(stmt, err)) > 0)
		;
	(void)sqlite3_reset(stmt->handle);
	return r;
}

void statement_reset(struct statement *stmt)
{
	(void)sqlite3_reset(stmt->handle);
}

const char *statement_text(struct statement *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt->handle, column);
}

int64_t statement_int(struct statement *stmt, int column)
{
	return sqlite3_column_int64(stmt->handle, column);
}

const void *statement_blob(struct statement *stmt, int column, size_t *ret_size)
{
	const void *data = sqlite3_column_blob(stmt->handle, column);

	*ret_size = (size_t)sqlite3_column_bytes(stmt->handle, column);
	return data;
}

bool statement_is_null(struct statement *stmt, int column)
{
	return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}
