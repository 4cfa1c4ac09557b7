/* The record of a new container, and its name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strlist.h"
#include "engine/container-dependencies.h"
#include "engine/container-end.h"
#include "engine/container-ids.h"
#include "engine/container-secrets.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/mount-spec.h"
#include "engine/names.h"
#include "engine/namespace-mode.h"
#include "store/database.h"

static char *command_text(const struct container_spec *spec)
{
	autostrlist struct strlist words = STRLIST_EMPTY;

	strlist_extend(&words, &spec->entrypoint);
	strlist_extend(&words, &spec->command);
	return strlist_join(&words, " ");
}

static int insert_volumes(struct database *db, const char *id, const struct container_spec *spec,
			  struct err *err)
{
	for (size_t i = 0; i < spec->mounts.count; i++) {
		autostatement struct statement *insert = NULL;
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		if (mount.kind == MOUNT_VOLUME) {
			r = database_prepare(db,
					     "INSERT OR IGNORE INTO container_volumes VALUES(?, ?)",
					     &insert, err);
			if (r == 0) {
				statement_bind_text(insert, 1, id);
				statement_bind_text(insert, 2, mount.source);
				r = statement_run(insert, err);
			}
		}
		mount_spec_clear(&mount);
		if (r < 0)
			return r;
	}
	return 0;
}

static int insert_row(struct database *db, const char *id, const char *name,
		      const struct container_spec *spec, enum create_flags flags, struct err *err)
{
	enum container_state state =
		flags & CREATE_TO_START ? CONTAINER_RUNNING : CONTAINER_CREATED;
	int64_t now = timestamp_now_nsec();
	autojson struct json_object *json = container_spec_to_json(spec);
	autofree char *command = command_text(spec), *ports = strlist_join(&spec->ports, "\n"),
		      *labels = json_pairs_text(&spec->labels);
	struct namespace_mode network = namespace_mode_of(spec, OCI_NS_NETWORK);
	autostatement struct statement *insert = NULL;

	int r = database_prepare(
		db,
		"INSERT INTO containers(id, name, image_id, image_name, spec, command, ports, "
		"labels, created_nsec, auto_remove, state, started_nsec, head_layer) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
		"COALESCE((SELECT ports FROM containers WHERE id = ?13), ?7), "
		"?8, ?9, ?10, ?11, ?12, ?14)",
		&insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, id);
	statement_bind_text(insert, 2, name);
	statement_bind_text(insert, 3, spec->image_id);
	statement_bind_text(insert, 4, spec->rootfs ?: spec->image_name);
	statement_bind_text(insert, 5, json_text(json));
	statement_bind_text(insert, 6, command);
	statement_bind_text(insert, 7, ports);
	statement_bind_text(insert, 8, labels);
	statement_bind_int(insert, 9, now);
	statement_bind_int(insert, 10, spec->auto_remove);
	statement_bind_text(insert, 11, container_state_name(state));
	statement_bind_int(insert, 12, state == CONTAINER_RUNNING ? now : 0);
	statement_bind_text(insert, 14, spec->base_layer);
	if (network.kind == NAMESPACE_CONTAINER) /* what leads to that one leads here */
		statement_bind_text(insert, 13, network.value);
	return statement_run(insert, err);
}

static int name_is_taken(struct engine *engine, const char *name, struct err *err)
{
	autocontainer struct container *holder = NULL;
	struct err ignored;

	if (container_find(engine, name, 0, &holder, &ignored) == 0)
		return err_set(err, EEXIST,
			       "the container name \"%s\" is already in use by %.12s; remove it "
			       "with 'davit rm %s', or choose another name (run and create also "
			       "have --replace)",
			       name, holder->id, name);
	return err_set(err, EEXIST,
		       "the container name \"%s\" is already in use; choose another name", name);
}

static int name_is_invalid(const char *name, struct err *err)
{
	return err_set(err, EINVAL,
		       "'%s' is no valid container name; use letters, digits, '_', '.' and '-'",
		       name);
}

/* One with --rm that ended, but whose commands were killed before they could remove it, does not
 * keep its name from others. */
static bool free_name(struct engine *engine, const char *name)
{
	autocontainer struct container *holder = NULL;
	struct err ignored; /* then the name is in use, and that is told */

	if (container_find(engine, name, 0, &holder, &ignored) < 0 || !holder->auto_remove ||
	    strcmp(holder->name, name) != 0)
		return false;
	/* What was killed may still be dying, with the lock in its hands. */
	int r = container_settle(engine, holder, &ignored);
	if (r == 0 && holder->needs_cleanup)
		return container_cleanup(engine, holder->id, &ignored) == 0;
	return r == -ENOENT;
}

static int insert(struct engine *engine, struct database *db, const char *id, const char *name,
		  struct container_spec *spec, enum create_flags flags, struct err *err)
{
	int r = database_begin(db, err);

	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = container_ids_allocate(engine, db, spec, err);
	if (r == 0)
		r = insert_row(db, id, name, spec, flags, err);
	if (r == 0)
		r = insert_volumes(db, id, spec, err);
	if (r == 0)
		r = container_insert_dependencies(db, id, spec, err);
	return r < 0 ? r : database_commit(db, err);
}

#define INSERT_ATTEMPTS 20

/* A made-up name may be taken; then another one is made up. */
static int insert_with_name(struct engine *engine, const char *id, const char *name,
			    struct container_spec *spec, enum create_flags flags, struct err *err)
{
	struct database *db;
	int r = engine_database(engine, &db, err);

	for (int attempt = 0; r == 0; attempt++) {
		autofree char *chosen = name ? xstrdup(name) : names_random(attempt);
		r = insert(engine, db, id, chosen, spec, flags, err);
		if (r != -EEXIST || attempt == INSERT_ATTEMPTS)
			break;
		if (name && (attempt > 0 || !free_name(engine, name)))
			return name_is_taken(engine, name, err);
		r = 0;
	}
	return r;
}

int container_create(struct engine *engine, struct container_spec *spec, const char *name,
		     enum create_flags flags, struct container **ret_container, struct err *err)
{
	autoclose int lock_fd = -1;
	char id[65];

	if (name && !object_name_is_valid(name))
		return name_is_invalid(name, err);
	int r = container_ids_size(engine, spec, err);
	if (r < 0)
		return r;
	random_hex(id, 32);
	autofree char *directory = container_directory(engine, id);
	autofree char *run_dir = container_run_directory(engine, id);
	do { /* a sweep may find it before it is locked */
		r = file_make_dirs(AT_FDCWD, directory, 0700, err);
		if (r == 0)
			r = container_lock(engine, id, &lock_fd, err);
	} while (r == -ENOENT);
	if (r == 0 && (flags & CREATE_TO_START))
		r = file_make_dirs(AT_FDCWD, run_dir, 0700, err);
	if (r == 0)
		r = container_secrets_keep(engine, spec, directory, err);
	if (r == 0)
		r = insert_with_name(engine, id, name, spec, flags, err);
	if (r < 0) {
		struct err ignored; /* a sweep finds what stays */
		(void)rmdir(run_dir);
		(void)file_remove_tree(AT_FDCWD, directory, &ignored);
		return r;
	}
	r = container_find(engine, id, CONTAINER_WITH_SPEC | CONTAINER_IS_LOCKED, ret_container,
			   err);
	if (r == 0 && (flags & CREATE_TO_START)) {
		(*ret_container)->needs_cleanup = false; /* the start that it awaits is ours */
		(*ret_container)->lock_fd = take_fd(&lock_fd);
	}
	if (r == 0)
		event_container(engine, *ret_container, EVENT_CREATE);
	return r;
}

int container_rename(struct engine *engine, const struct container *container, const char *name,
		     struct err *err)
{
	autostatement struct statement *update = NULL;
	struct database *db;

	if (!object_name_is_valid(name))
		return name_is_invalid(name, err);
	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "UPDATE containers SET name = ? WHERE id = ?", &update,
				     err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, name);
	statement_bind_text(update, 2, container->id);
	r = statement_run(update, err);
	if (r == 0) {
		struct container renamed = *container;
		renamed.name = (char *)name;
		event_container(engine, &renamed, EVENT_RENAME);
	}
	return r == -EEXIST ? name_is_taken(engine, name, err) : r;
}
