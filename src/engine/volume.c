/* The directory is made and put away in the transaction of its record: of two commands that make and remove volumes of one
 * name, each finds both or neither. One that is killed may leave an empty directory without a record, which is swept. What
 * was put away has a name that no volume can have; whoever removes the next volume sweeps what a killed command has left. */
#include "engine/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/mount-spec.h"
#include "store/database.h"
#include "store/store.h"

#define COLUMNS                                                                                    \
	"name, driver, options, labels, created_nsec, anonymous, needs_copy_up, "                  \
	"(SELECT count(*) FROM container_volumes c WHERE c.volume = volumes.name)"

static char *volume_directory(const struct engine *engine, const char *name)
{
	return xasprintf("%s/volumes/%s", engine->root, name);
}

char *volume_data_path(const struct engine *engine, const char *name)
{
	return xasprintf("%s/volumes/%s/_data", engine->root, name);
}

int volume_make_directory(const struct engine *engine, const char *name, struct err *err)
{
	autofree char *directory = volume_directory(engine, name),
		      *data = volume_data_path(engine, name);

	int r = file_make_dirs(AT_FDCWD, directory, 0711, err);
	return r < 0 ? r : file_make_dirs(AT_FDCWD, data, 0755, err);
}

void volume_free(struct volume *volume)
{
	if (!volume)
		return;
	free(volume->name);
	free(volume->driver);
	free(volume->mountpoint);
	strlist_clear(&volume->options);
	strlist_clear(&volume->labels);
	free(volume);
}

void volume_list_free(struct volume **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		volume_free(list[i]);
	free(list);
}

static struct volume *volume_of_row(struct engine *engine, struct statement *row)
{
	struct volume *volume = xcalloc(1, sizeof(*volume));

	volume->name = xstrdup(statement_text(row, 0));
	volume->driver = xstrdup(statement_text(row, 1));
	json_pairs_from_text(statement_text(row, 2), &volume->options);
	json_pairs_from_text(statement_text(row, 3), &volume->labels);
	volume->created_nsec = statement_int(row, 4);
	volume->is_anonymous = statement_int(row, 5);
	volume->needs_copy_up = statement_int(row, 6);
	volume->use_count = statement_int(row, 7);
	volume->mountpoint = volume_data_path(engine, volume->name);
	return volume;
}

static int find(struct engine *engine, const char *name, bool by_prefix, struct volume **ret_volume,
		struct err *err)
{
	static const char *const queries[] = {
		"SELECT " COLUMNS " FROM volumes WHERE name = ?1",
		"SELECT " COLUMNS " FROM volumes WHERE substr(name, 1, length(?1)) = ?1 LIMIT 2",
	};
	struct database *db;

	int r = engine_database(engine, &db, err);
	for (size_t i = 0; r == 0 && i < (by_prefix ? 2 : 1); i++) {
		autostatement struct statement *query = NULL;
		autovolume struct volume *found = NULL;
		r = database_prepare(db, queries[i], &query, err);
		if (r < 0)
			break;
		statement_bind_text(query, 1, name);
		r = statement_step(query, err);
		if (r <= 0)
			continue;
		found = volume_of_row(engine, query);
		r = statement_step(query, err);
		if (r > 0)
			return err_set(
				err, ENOTUNIQ,
				"more than one volume's name begins with '%s'; give more of it",
				name);
		if (r == 0)
			*ret_volume = take_ptr(&found);
		return r;
	}
	return r < 0 ? r
		     : err_set(err, ENOENT, "no volume with name \"%s\" found: no such volume",
			       name);
}

int volume_find(struct engine *engine, const char *name, struct volume **ret_volume,
		struct err *err)
{
	return find(engine, name, true, ret_volume, err);
}

int volume_list(struct engine *engine, struct volume ***ret_list, size_t *ret_count,
		struct err *err)
{
	autostatement struct statement *query = NULL;
	struct volume **list = NULL;
	struct database *db;
	size_t count = 0;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "SELECT " COLUMNS " FROM volumes ORDER BY name", &query,
				     err);
	if (r < 0)
		return r;
	while ((r = statement_step(query, err)) > 0) {
		if ((count & (count + 1)) == 0)
			list = xreallocarray(list, 2 * count + 1, sizeof(struct volume *));
		list[count++] = volume_of_row(engine, query);
	}
	if (r < 0) {
		volume_list_free(list, count);
		return r;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

static int insert_row(struct database *db, const char *name, const struct strlist *labels,
		      const struct strlist *options, bool is_anonymous, struct err *err)
{
	autostatement struct statement *insert = NULL;
	autofree char *labels_text = json_pairs_text(labels),
		      *options_text = json_pairs_text(options);

	int r = database_prepare(db,
				 "INSERT INTO volumes(name, driver, options, labels, "
				 "created_nsec, anonymous) "
				 "VALUES(?, 'local', ?, ?, ?, ?)",
				 &insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, name);
	statement_bind_text(insert, 2, options_text);
	statement_bind_text(insert, 3, labels_text);
	statement_bind_int(insert, 4, timestamp_now_nsec());
	statement_bind_int(insert, 5, is_anonymous);
	return statement_run(insert, err);
}

/* Those directories that nothing leads to and that hold nothing: whoever made one was killed, or could not record it. Only
 * in a transaction of our own nobody is between the two. */
static void remove_unrecorded(struct engine *engine, struct database *db,
			      const struct strlist *names)
{
	struct err ignored; /* there is a next time */

	if (!names->count || database_begin(db, &ignored) < 0)
		return;
	autorollback struct database *transaction = db;
	autostatement struct statement *query = NULL;
	if (database_prepare(db, "SELECT 1 FROM volumes WHERE name = ?", &query, &ignored) < 0)
		return;
	for (size_t i = 0; i < names->count; i++) {
		autofree char *directory = volume_directory(engine, names->items[i]),
			      *data = volume_data_path(engine, names->items[i]);
		statement_reset(query);
		statement_bind_text(query, 1, names->items[i]);
		if (statement_step(query, &ignored) == 0 && (rmdir(data) == 0 || errno == ENOENT))
			(void)rmdir(directory); /* the next look tries again */
	}
}

static int create_recorded(struct engine *engine, struct database *db, const char *name,
			   const struct strlist *labels, const struct strlist *options,
			   bool is_anonymous, struct err *err)
{
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = insert_row(db, name, labels, options, is_anonymous, err);
	if (r == -EEXIST)
		return err_set(err, EEXIST, "volume with name %s already exists", name);
	if (r == 0)
		r = volume_make_directory(engine, name, err);
	return r < 0 ? r : database_commit(db, err);
}

int volume_create(struct engine *engine, const char *name, const struct strlist *labels,
		  const struct strlist *options, struct volume **ret_volume, struct err *err)
{
	autostrlist struct strlist made = STRLIST_EMPTY;
	char random[65];
	struct database *db;

	if (name && !object_name_is_valid(name))
		return err_set(
			err, EINVAL,
			"'%s' is no valid volume name; use letters, digits, '_', '.' and '-'",
			name);
	if (!name)
		random_hex(random, 32);
	const char *chosen = name ?: random;

	int r = engine_database(engine, &db, err);
	if (r < 0)
		return r;
	r = create_recorded(engine, db, chosen, labels, options, name == NULL, err);
	if (r < 0) {
		strlist_add(&made, chosen);
		remove_unrecorded(engine, db, &made);
		return r;
	}
	event_object(engine, "volume", EVENT_CREATE, chosen);
	return volume_find(engine, chosen, ret_volume, err);
}

int volume_ensure(struct engine *engine, const char *name, struct err *err)
{
	autovolume struct volume *volume = NULL;
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "SELECT 1 FROM volumes WHERE name = ?", &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, name);
	r = statement_step(query, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = volume_create(engine, name, NULL, NULL, &volume, err);
	return r == -EEXIST ? 0 : r; /* another command was faster, and that is as good */
}

int volume_mark_used(struct engine *engine, const char *name, struct err *err)
{
	autostatement struct statement *update = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "UPDATE volumes SET needs_copy_up = 0 WHERE name = ?",
				     &update, err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, name);
	return statement_run(update, err);
}

int volume_users(struct engine *engine, const char *name, struct strlist *names, struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db,
				     "SELECT c.name FROM containers c JOIN container_volumes v ON "
				     "v.container_id = c.id "
				     "WHERE v.volume = ? ORDER BY c.name",
				     &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, name);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(names, statement_text(query, 0));
	return r;
}

/* ---- removing ---- */

#define GONE_PREFIX ".gone-"

/* What its users wrote belongs to IDs that only root of the mapping may touch. */
static int remove_gone(void *arg, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	autoclose int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	int r = fd < 0 ? -errno : directory_list(fd, &names);
	if (r < 0)
		return err_set(err, -r, "read '%s': %s", (const char *)arg, strerror(-r));
	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (strncmp(names.items[i], GONE_PREFIX, strlen(GONE_PREFIX)) == 0)
			r = file_remove_tree(fd, names.items[i], err);
	return r;
}

static int delete_row(struct database *db, const char *name, struct err *err)
{
	autostatement struct statement *statement = NULL;

	int r = database_prepare(db, "DELETE FROM volumes WHERE name = ?", &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, name);
	r = statement_run(statement, err);
	if (r == -ENOENT) /* a container was given it meanwhile */
		return err_set(err, EBUSY, "volume %s is being used by a container", name);
	return r;
}

/* Take record and directory away. Killed in between it leaves a volume without content, which was to go anyway. */
static int put_away(struct database *db, int volumes_fd, const char *name, struct err *err)
{
	char gone[sizeof(GONE_PREFIX) + 16] = GONE_PREFIX;

	random_hex(gone + strlen(GONE_PREFIX), 8);
	database_makes_room(db);
	int r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = delete_row(db, name, err);
	if (r < 0)
		return r;
	if (volumes_fd >= 0 && renameat(volumes_fd, name, volumes_fd, gone) < 0 && errno != ENOENT)
		return errno == EBUSY ? err_set(err, EBUSY,
						"volume %s: something is mounted on its directory; "
						"unmount it first",
						name)
				      : err_errno(err, "remove volume '%s'", name);
	r = database_commit(db, err);
	if (r < 0) /* there is a volume still */
		(void)renameat(volumes_fd, gone, volumes_fd, name);
	return r;
}

int volume_remove(struct engine *engine, const char *name, struct err *err)
{
	autovolume struct volume *volume = NULL;
	autostrlist struct strlist users = STRLIST_EMPTY;
	autofree char *volumes = path_join(engine->root, "volumes");
	struct database *db;

	int r = find(engine, name, false, &volume, err);
	if (r == 0)
		r = volume_users(engine, volume->name, &users, err);
	if (r == 0 && users.count)
		return err_set(err, EBUSY,
			       "volume %s is being used by container '%s'; remove the container "
			       "first, or use --force",
			       volume->name, users.items[0]);
	if (r == 0)
		r = engine_database(engine, &db, err);
	if (r < 0)
		return r;
	autoclose int volumes_fd = open(volumes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volumes_fd < 0 && errno != ENOENT)
		return err_errno(err, "open '%s'", volumes);
	r = put_away(db, volumes_fd, volume->name, err);
	if (r < 0)
		return r;
	event_object(engine, "volume", EVENT_REMOVE, volume->name);
	struct err direct; /* mostly nobody else has written there */
	return remove_gone(volumes, &direct) == 0
		       ? 0
		       : engine_run_mapped(engine, remove_gone, volumes, err);
}

/* `anonymous` has this value when the container is gone that it was made for. */
#define LEAVING "2"

static int run_on(struct database *db, const char *sql, const char *name, struct err *err)
{
	autostatement struct statement *statement = NULL;

	int r = database_prepare(db, sql, &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, name);
	return statement_run(statement, err);
}

int volume_mark_leaving(struct engine *engine, const struct strlist *names, struct err *err)
{
	struct database *db;

	int r = engine_database(engine, &db, err);
	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = run_on(db, "UPDATE volumes SET anonymous = " LEAVING " WHERE name = ?",
			   names->items[i], err);
	return r;
}

int volume_sweep(struct engine *engine, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "SELECT name FROM volumes WHERE anonymous = " LEAVING,
				     &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0)
		strlist_add(&names, statement_text(query, 0));
	statement_release(take_ptr(&query));
	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		r = volume_remove(engine, names.items[i], err);
		if (r == -EBUSY) /* it stays with who has it now, or is mounted */
			r = run_on(db,
				   "UPDATE volumes SET anonymous = 1 WHERE name = ? AND name IN "
				   "(SELECT volume FROM container_volumes)",
				   names.items[i], err);
		if (r == -ENOENT) /* somebody else was faster */
			r = 0;
	}
	return r < 0 ? r : 0;
}

void volume_sweep_directories(struct engine *engine)
{
	autostrlist struct strlist entries = STRLIST_EMPTY, names = STRLIST_EMPTY;
	autostatement struct statement *query = NULL;
	autofree char *place = path_join(engine->root, "volumes");
	struct err ignored; /* there is a next time */
	struct database *db;

	autoclose int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || directory_list(fd, &entries) < 0 || !entries.count ||
	    engine_database(engine, &db, &ignored) < 0 ||
	    database_prepare(db, "SELECT 1 FROM volumes WHERE name = ?", &query, &ignored) < 0)
		return;
	for (size_t i = 0; i < entries.count; i++) {
		statement_reset(query);
		statement_bind_text(query, 1, entries.items[i]);
		if (entries.items[i][0] != '.' && statement_step(query, &ignored) == 0)
			strlist_add(&names, entries.items[i]);
	}
	statement_release(take_ptr(&query)); /* a transaction wants it to be over */
	remove_unrecorded(engine, db, &names);
}

void volume_drop_anonymous(struct engine *engine, const struct strlist *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		autovolume struct volume *volume = NULL;
		struct mount_spec mount;
		struct err ignored; /* what made them useless is the failure to tell */
		if (mount_spec_load(mounts->items[i], &mount, &ignored) < 0)
			continue;
		if (mount.kind == MOUNT_VOLUME &&
		    volume_find(engine, mount.source, &volume, &ignored) == 0 &&
		    volume->is_anonymous)
			(void)volume_remove(engine, volume->name, &ignored);
		mount_spec_clear(&mount);
	}
}
