#include "store/frozen-layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/database.h"
#include "store/store.h"

char *frozen_layer_path(const struct store *store, const char *id)
{
	return xasprintf("%s/snapshots/%s/diff", store_root(store), id);
}

int frozen_layer_chain(struct database *db, const char *id, struct strlist *ids, struct err *err)
{
	autostatement struct statement *query = NULL;
	size_t before = ids->count;

	int r = database_prepare(
		db,
		"WITH RECURSIVE chain(id, depth) AS (SELECT ?1, 0 UNION ALL "
		"SELECT parent_id, depth + 1 FROM chain JOIN frozen_layers USING (id) "
		"WHERE parent_id IS NOT NULL) "
		"SELECT id FROM chain JOIN frozen_layers USING (id) ORDER BY depth DESC",
		&query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(ids, statement_text(query, 0));
	if (r == 0 && ids->count == before)
		r = err_set(err, ENOENT, "layer '%s' of a container has no record", id);
	return r;
}

int frozen_layer_of_container(struct database *db, const char *container_id, struct strlist *ids,
			      struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(
		db,
		"WITH RECURSIVE kept(id) AS (SELECT head_layer FROM containers WHERE id = ?1 AND "
		"head_layer IS NOT NULL UNION SELECT layer_id FROM snapshots WHERE container_id = "
		"?1 "
		"UNION SELECT parent_id FROM kept JOIN frozen_layers USING (id) "
		"WHERE parent_id IS NOT NULL) SELECT id FROM kept",
		&query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, container_id);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(ids, statement_text(query, 0));
	return r;
}

int frozen_layer_insert(struct database *db, const char *id, const char *parent,
			const char *container_id, struct err *err)
{
	autostatement struct statement *insert = NULL;

	int r = database_prepare(
		db,
		"INSERT INTO frozen_layers(id, parent_id, container_id, created_nsec) "
		"VALUES(?, ?, ?, ?)",
		&insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, id);
	statement_bind_text(insert, 2, parent);
	statement_bind_text(insert, 3, container_id);
	statement_bind_int(insert, 4, timestamp_now_nsec());
	return statement_run(insert, err);
}

/* Returns 1 and the parent (or NULL) when it was taken away, 0 when it is used. */
static int delete_unused(struct database *db, const char *id, char **ret_parent, struct err *err)
{
	autostatement struct statement *remove = NULL;

	int r = database_prepare(
		db,
		"DELETE FROM frozen_layers WHERE id = ?1 "
		"AND NOT EXISTS (SELECT 1 FROM containers WHERE head_layer = ?1) "
		"AND NOT EXISTS (SELECT 1 FROM snapshots WHERE layer_id = ?1) "
		"AND NOT EXISTS (SELECT 1 FROM frozen_layers WHERE parent_id = ?1) "
		"RETURNING parent_id",
		&remove, err);
	if (r < 0)
		return r;
	statement_bind_text(remove, 1, id);
	r = statement_step(remove, err);
	if (r <= 0)
		return r;
	autofree char *parent = xstrdup(statement_text(remove, 0));
	r = statement_step(remove, err);
	if (r < 0)
		return r;
	*ret_parent = take_ptr(&parent);
	return 1;
}

int frozen_layer_release(struct database *db, const char *id, struct strlist *gone, struct err *err)
{
	autofree char *at = xstrdup(id);

	while (at) {
		char *parent = NULL;
		int r = delete_unused(db, at, &parent, err);
		if (r <= 0)
			return r;
		strlist_take(gone, at);
		at = parent;
	}
	return 0;
}

/* -ENOENT, without a message, as long as there is none. */
static int open_directory(const struct store *store)
{
	int fd = openat(store_root_fd(store), "snapshots",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int frozen_layer_discard(struct store *store, const struct strlist *ids, struct err *err)
{
	autoclose int fd = ids->count ? open_directory(store) : -1;

	if (fd < 0)
		return 0; /* there is nothing to discard */
	for (size_t i = 0; i < ids->count; i++) {
		int r = store_trash(store, fd, ids->items[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool frozen_layer_is_known(struct store *store, const char *id)
{
	autostatement struct statement *query = NULL;
	struct err ignored; /* what cannot be asked stays */

	/* Where somebody needs it whose own record is lost, a hand can still bring that back. */
	if (database_prepare(store_database(store),
			     "SELECT 1 FROM frozen_layers WHERE id = ?1 OR parent_id = ?1 "
			     "UNION ALL SELECT 1 FROM snapshots WHERE layer_id = ?1 "
			     "UNION ALL SELECT 1 FROM containers WHERE head_layer = ?1 LIMIT 1",
			     &query, &ignored) < 0)
		return true;
	statement_bind_text(query, 1, id);
	return statement_step(query, &ignored) != 0;
}

int frozen_layer_hold_sweeps(struct store *store, struct err *err)
{
	autoclose int fd = open_directory(store);

	if (fd < 0)
		return err_set(err, -fd, "open 'snapshots': %s", strerror(-fd));
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock 'snapshots'");
	return take_fd(&fd);
}

void frozen_layer_sweep(struct store *store)
{
	int fd = open_directory(store);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct err ignored; /* the next sweep tries again */

	if (!dir) {
		fd_close(&fd);
		return;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) { /* one is being built */
		closedir(dir);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && !frozen_layer_is_known(store, entry->d_name))
			(void)store_trash(store, dirfd(dir), entry->d_name, &ignored);
	closedir(dir);
}
