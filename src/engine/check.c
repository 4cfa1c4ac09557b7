#include "engine/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/check-internal.h"
#include "engine/container-cgroup.h"
#include "engine/container-end.h"
#include "engine/container-own-layers.h"
#include "engine/container-repair.h"
#include "engine/container-secrets.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/volume.h"
#include "kernel/cgroup.h"
#include "store/database.h"
#include "store/store.h"

void check_found(struct check *check, enum check_flags needs, check_repair *repair, const char *id,
		 const char *object, const char *damage)
{
	struct err err;

	check->result.found++;
	if (!repair || (check->flags & needs) != needs) {
		check->tell(check->arg, object, damage, NULL);
		return;
	}
	if (repair(check, id, &err) < 0) {
		check->tell(check->arg, object, damage, err.text);
		return;
	}
	check->result.repaired++;
	check->tell(check->arg, object, damage, needs == CHECK_FORCE ? "removed" : "repaired");
}

int check_run(struct check *check, const char *sql, const char *text, struct err *err)
{
	autostatement struct statement *statement = NULL;

	int r = database_prepare(check->db, sql, &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, text);
	return statement_run(statement, err);
}

/* --- the database itself */

/* Rows that name rows of others that are gone: files may be whole, and only a hand can tell whose they are. */
static int check_references(struct check *check, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(check->db, "PRAGMA foreign_key_check", &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0) {
		autofree char *text = xasprintf("a row of %s needs one of %s that is not there",
						statement_text(query, 0), statement_text(query, 2));
		check_found(check, CHECK_FORCE, NULL, "", "database davit.db", text);
	}
	return r;
}

static int check_database(struct check *check, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(check->db,
				 check->flags & CHECK_QUICK ? "PRAGMA quick_check(10)"
							    : "PRAGMA integrity_check(10)",
				 &query, err);
	while (r >= 0 && (r = statement_step(query, err)) > 0) {
		const char *text = statement_text(query, 0);
		if (text && strcmp(text, "ok") != 0)
			check_found(check, CHECK_FORCE, NULL, "", "database davit.db", text);
	}
	return r < 0 ? r : check_references(check, err);
}

/* --- containers */

/* What it has written is lost, it itself is not. */
static int make_directory(struct check *check, const char *id, struct err *err)
{
	autofree char *directory = container_directory(check->engine, id);

	return file_make_dirs(AT_FDCWD, directory, 0700, err);
}

static int remove_record(struct check *check, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	autofree char *directory = container_directory(check->engine, id);
	autoclose int lock_fd = -1;

	int r = container_lock(check->engine, id, &lock_fd, err);
	if (r == 0 || r == -ENOENT)
		r = container_find(check->engine, id, CONTAINER_IS_LOCKED, &container, err);
	if (r == 0 && container_is_alive(container))
		return err_set(err, EBUSY, "it runs; end it first with 'davit kill %s'",
			       container->name);
	if (r == 0)
		r = container_delete_record(check->engine, container, &STRLIST_EMPTY, err);
	return r < 0 ? r : container_remove_files(check->engine, directory, err);
}

static int put_away(struct check *check, const char *id, struct err *err)
{
	return container_cleanup(check->engine, id, err);
}

/* Under the lock, so that no start is taken for something left over. */
static int remove_cgroup(struct check *check, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	autocontainer_spec struct container_spec *spec = NULL;
	autocgroup struct cgroup *cgroup = NULL;
	autoclose int lock_fd = -1;

	int r = container_lock(check->engine, id, &lock_fd, err);
	if (r == 0)
		r = container_find(check->engine, id, CONTAINER_WITH_SPEC | CONTAINER_IS_LOCKED,
				   &container, err);
	if (r == 0)
		r = container_spec_of(container, &spec, err);
	if (r < 0 || container_is_alive(container) || container->state == CONTAINER_RESTARTING)
		return r;
	r = container_cgroup_open(check->engine, container, spec, &cgroup, err);
	return r == -ENOENT ? 0 : r < 0 ? r : cgroup_remove(cgroup, err);
}

int check_has_row(struct check *check, const char *sql, const char *text, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(check->db, sql, &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, text);
	return statement_step(query, err);
}

static int keep_secrets(struct check *check, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *directory = container_directory(check->engine, id);
	autoclose int lock_fd = -1;

	int r = container_find_locked(check->engine, id, &container, &lock_fd, err);
	if (r == 0)
		r = container_spec_of(container, &spec, err);
	return r < 0 ? r : container_secrets_keep(check->engine, spec, directory, err);
}

static int check_kept_secrets(struct check *check, const struct container *container,
			      const struct container_spec *spec, const char *object,
			      struct err *err)
{
	autofree char *directory = container_directory(check->engine, container->id);

	if (!container_secrets_are_missing(spec, directory))
		return 0;
	/* It may have been removed since. */
	int r = check_has_row(check, "SELECT 1 FROM containers WHERE id = ?", container->id, err);
	if (r > 0)
		check_found(check, CHECK_REPAIR, keep_secrets, container->id, object,
			    "what it keeps of its secrets is missing; repair takes what the "
			    "secrets are now");
	return r < 0 ? r : 0;
}

static int check_container(struct check *check, const struct container *container, struct err *err)
{
	autofree char *directory = container_directory(check->engine, container->id),
		      *object = xasprintf("container %s (%.12s)", container->name, container->id);
	autocontainer_spec struct container_spec *spec = NULL;
	autocgroup struct cgroup *cgroup = NULL;
	struct err damage;

	if (access(directory, F_OK) < 0)
		check_found(check, CHECK_REPAIR, make_directory, container->id, object,
			    "its directory is missing, and what it has written with it");
	if (container_spec_of(container, &spec, &damage) < 0) {
		check_found(check, CHECK_FORCE, remove_record, container->id, object,
			    "its record cannot be read");
		return 0;
	}
	if (container->needs_cleanup)
		check_found(check, CHECK_REPAIR, put_away, container->id, object,
			    "it has ended, and what it used was not put away");
	else if (!container_is_alive(container) && container->state != CONTAINER_RESTARTING &&
		 container->state != CONTAINER_STARTING &&
		 container_cgroup_open(check->engine, container, spec, &cgroup, &damage) == 0)
		check_found(check, CHECK_REPAIR, remove_cgroup, container->id, object,
			    "it has ended, and its control group is still there");
	int r = check_kept_secrets(check, container, spec, object, err);
	if (r < 0 || !container->image_id)
		return r;
	r = check_has_row(check, "SELECT 1 FROM images WHERE id = ?", container->image_id, err);
	if (r == 0)
		check_found(check, CHECK_FORCE, remove_record, container->id, object,
			    "its image is gone; pull it again, or remove the container");
	return r < 0 ? r : 0;
}

static int sweep_container(struct check *check, const char *id, struct err *err)
{
	struct container **list;
	size_t count;

	int r = container_list(check->engine, 0, &list, &count, err);
	if (r < 0)
		return r;
	container_sweep(check->engine, list, count);
	container_list_free(list, count);
	autofree char *directory = container_directory(check->engine, id);
	return access(directory, F_OK) == 0
		       ? err_set(err, EBUSY, "somebody works on it, or it cannot be removed")
		       : 0;
}

/* Directories of no container that nobody has locked. */
static int check_container_directories(struct check *check, struct err *err)
{
	autofree char *place = path_join(check->engine->root, "containers");
	DIR *dir = opendir(place);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", place);
	for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
		if (strlen(entry->d_name) != 64)
			continue;
		autoclose int fd = openat(dirfd(dir), entry->d_name,
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
			continue; /* it is being made or removed */
		r = check_has_row(check, "SELECT 1 FROM containers WHERE id = ?", entry->d_name,
				  err);
		fd_close(&fd);
		autofree char *object = xasprintf("directory containers/%.12s…", entry->d_name);
		if (r == 0)
			check_found(check, CHECK_REPAIR, sweep_container, entry->d_name, object,
				    "it belongs to no container");
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

static int check_containers(struct check *check, struct err *err)
{
	struct container **list;
	size_t count;

	int r = container_list(check->engine, CONTAINER_WITH_SPEC, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = check_container(check, list[i], err);
	container_list_free(list, count);
	return r < 0 ? r : check_container_directories(check, err);
}

/* --- volumes */

static int make_volume_directory(struct check *check, const char *name, struct err *err)
{
	return volume_make_directory(check->engine, name, err);
}

/* Somebody may want what is in it. */
static int adopt_volume(struct check *check, const char *name, struct err *err)
{
	return volume_ensure(check->engine, name, err);
}

static int check_volume_directories(struct check *check, struct err *err)
{
	autofree char *place = path_join(check->engine->root, "volumes");
	DIR *dir = opendir(place);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", place);
	for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		r = check_has_row(check, "SELECT 1 FROM volumes WHERE name = ?", entry->d_name,
				  err);
		autofree char *object = xasprintf("directory volumes/%s", entry->d_name);
		if (r == 0)
			check_found(check, CHECK_REPAIR, adopt_volume, entry->d_name, object,
				    "it belongs to no volume; repair makes it one again");
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

static int check_volumes(struct check *check, struct err *err)
{
	struct volume **list;
	size_t count;

	int r = volume_list(check->engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		autofree char *object = xasprintf("volume %s", list[i]->name);
		if (access(list[i]->mountpoint, F_OK) < 0)
			check_found(check, CHECK_REPAIR, make_volume_directory, list[i]->name,
				    object, "its directory is missing, and its content with it");
	}
	volume_list_free(list, count);
	return check_volume_directories(check, err);
}

/* --- all of it */

/* What killed commands have left is no damage: it goes here as it goes with `davit ps -a`. What stays is told later. */
static int put_away_leftovers(struct engine *engine, struct err *err)
{
	struct container **list;
	size_t count;

	int r = container_list(engine, 0, &list, &count, err);
	if (r < 0)
		return r;
	count = container_repair_all(engine, list, count);
	container_sweep(engine, list, count);
	container_list_free(list, count);
	return 0;
}

int engine_check(struct engine *engine, enum check_flags flags,
		 void (*tell)(void *arg, const char *object, const char *damage,
			      const char *outcome),
		 void *arg, struct check_result *ret_result, struct err *err)
{
	struct check check = { .engine = engine,
			       .flags = flags | (flags & CHECK_FORCE ? CHECK_REPAIR : 0),
			       .tell = tell,
			       .arg = arg };
	/* Layers before images, images before containers: what was found to be missing counts for what needs it. */
	int (*const steps[])(struct check *, struct err *) = {
		check_database, check_blobs,	 check_layers,	   check_images, check_volumes,
		check_secrets,	check_snapshots, check_containers, check_mounts, check_ports
	};

	int r = engine_store(engine, &check.store, err);
	if (r == 0)
		r = engine_database(engine, &check.db, err);
	if (r == 0)
		r = put_away_leftovers(engine, err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&check, err);
	if (r >= 0 && check.flags & CHECK_REPAIR) {
		store_sweep(check.store, 0);
		r = image_empty_trash(engine, err);
	}
	*ret_result = check.result;
	return r < 0 ? r : 0;
}
