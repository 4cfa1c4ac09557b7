/* The state database: what davit knows that must outlive the commands, in one SQLite file.
 *
 * One transaction is one change of davit's world, so a process may die anywhere. Queries live in
 * the modules of the nouns they are about; here is how they are asked. The tables are in schema.c.
 *
 * Every command is a fresh process, and that decides the settings: the write-ahead log is kept when
 * the last one closes, nothing is synced by a commit (a power cut may cost the last changes, never
 * the file), and the log is folded into the file by database_close(), when the user has been
 * answered, and only once it has grown large enough to make the next opening slow.
 *
 * A connection must not be used by both sides of a fork(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct database;
struct statement;

/* Open the file, making it (mode 0600) with the current schema or bringing an older one up to date.
 * -EPROTO: it was written by a newer davit. -EBUSY: somebody held it for more than ten seconds.
 * -EUCLEAN: it is damaged. These codes can come from every function that takes an err here. */
int database_open(const char *path, struct database **ret_db, struct err *err);
void database_close(struct database *db);

static inline void database_close_auto(struct database **at)
{
	database_close(*at);
}
#define autodatabase __attribute__((cleanup(database_close_auto)))

/* Writers take the lock at once, so a transaction that has begun does not fail half-way for being
 * late. Rolling back without a transaction does nothing. */
int database_begin(struct database *db, struct err *err);
int database_commit(struct database *db, struct err *err);
void database_rollback(struct database *db);

/* The transaction of a scope: rolled back when the scope is left without database_commit().
 *
 *	int r = database_begin(db, err);
 *	if (r < 0)
 *		return r;
 *	autorollback struct database *transaction = db;
 *	…
 *	return database_commit(db, err); */
static inline void database_rollback_auto(struct database **at)
{
	database_rollback(*at);
}
#define autorollback __attribute__((unused, cleanup(database_rollback_auto)))

/* From now on what this process commits has reached the disk when it goes on: for records of what is
 * about to be renamed, which a power cut must not lose while the rename stays. */
int database_sync_commits(struct database *db, struct err *err);

/* From now on this process removes, or tells how something ended: it may go on where the disk is full. */
void database_makes_room(struct database *db);

/* Run statements that take no values and give no rows. */
int database_execute(struct database *db, const char *sql, struct err *err);

/* Rows changed by the last INSERT, UPDATE or DELETE. */
int64_t database_changes(struct database *db);

/* One statement, compiled at its first use and kept by its text. Use it as
 *
 *	autostatement struct statement *stmt = NULL;
 *	int r = database_prepare(db, "SELECT id FROM images WHERE size > ?", &stmt, err);
 *	if (r < 0)
 *		return r;
 *	statement_bind_int(stmt, 1, size);
 *	while ((r = statement_step(stmt, err)) > 0)
 *		strlist_add(list, statement_text(stmt, 0));
 *	return r;
 *
 * The same text may be in use twice at once (a query inside a query). */
int database_prepare(struct database *db, const char *sql, struct statement **ret_stmt,
		     struct err *err);
void statement_release(struct statement *stmt); /* reset, unbound and back into the cache */

static inline void statement_release_auto(struct statement **at)
{
	statement_release(*at);
}
#define autostatement __attribute__((cleanup(statement_release_auto)))

/* Positions count from 1. Text and blobs are borrowed until the statement is released; NULL binds
 * SQL's NULL. */
void statement_bind_text(struct statement *stmt, int position, const char *text);
void statement_bind_int(struct statement *stmt, int position, int64_t value);
void statement_bind_blob(struct statement *stmt, int position, const void *data, size_t size);
void statement_bind_null(struct statement *stmt, int position);

/* The next row: 1, or 0 after the last one. -EEXIST: a row of this key is there already. -ENOENT:
 * a row that this one refers to is not there, or others refer to it. */
int statement_step(struct statement *stmt, struct err *err);
/* For what gives no rows: step to the end, then make it ready to be bound and run again. */
int statement_run(struct statement *stmt, struct err *err);
/* Ready to be bound and stepped again; bound values stay. */
void statement_reset(struct statement *stmt);

/* Columns count from 0. Text and blobs are borrowed until the next step; NULL for SQL's NULL. */
const char *statement_text(struct statement *stmt, int column);
int64_t statement_int(struct statement *stmt, int column);
const void *statement_blob(struct statement *stmt, int column, size_t *ret_size);
bool statement_is_null(struct statement *stmt, int column);
