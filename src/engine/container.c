#include "engine/container.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "store/database.h"

static const char *const state_names[] = {
	[CONTAINER_CREATED] = "created",
	[CONTAINER_STARTING] = "initialized", /* podman's word */
	[CONTAINER_INITIALIZED] = "initialized",
	[CONTAINER_RUNNING] = "running",
	[CONTAINER_EXITED] = "exited",
	[CONTAINER_RESTARTING] = "restarting",
};
_Static_assert(ARRAY_SIZE(state_names) == CONTAINER_STATE_COUNT, "every state has a name");

#define COLUMNS                                                                                    \
	"id, name, image_id, image_name, command, ports, labels, created_nsec, state, "            \
	"started_nsec, finished_nsec, "                                                            \
	"exit_code, oom_killed, auto_remove, restart_count, head_layer, upper_move, "              \
	"stopped_by_user"
#define COLUMN_SPEC 18

const char *container_state_name(enum container_state state)
{
	return state_names[state];
}

bool container_is_restarting(const struct container *container)
{
	return container->state == CONTAINER_RESTARTING ||
	       (container->state == CONTAINER_STARTING && container->restart_count > 0);
}

const char *container_status_name(const struct container *container)
{
	if (container_is_restarting(container))
		return container_state_name(CONTAINER_RESTARTING);
	return container->state == CONTAINER_RUNNING && container->run.is_paused
		       ? "paused"
		       : container_state_name(container->state);
}

char *container_directory(const struct engine *engine, const char *id)
{
	return xasprintf("%s/containers/%s", engine->root, id);
}

char *container_run_directory(const struct engine *engine, const char *id)
{
	return xasprintf("%s/containers/%s", engine->runroot, id);
}

void container_free(struct container *container)
{
	if (!container)
		return;
	free(container->id);
	free(container->name);
	free(container->image_id);
	free(container->image_name);
	free(container->command);
	free(container->ports);
	free(container->labels);
	free(container->spec_text);
	free(container->head_layer);
	free(container->upper_move);
	free(container);
}

void container_list_free(struct container **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		container_free(list[i]);
	free(list);
}

static enum container_state state_of_name(const char *name)
{
	for (int i = 0; i < CONTAINER_STATE_COUNT; i++)
		if (name && strcmp(name, state_names[i]) == 0)
			return (enum container_state)i;
	return CONTAINER_EXITED;
}

/* What of the row changes. Between the reading of the row and of the run directory somebody may have
 * cleaned up, which is written into the row before the directory goes. -ENOENT when the container
 * was removed. No other statement may be at work: it would hold the row as it was. */
static int read_row_again(struct engine *engine, struct container *container)
{
	autostatement struct statement *query = NULL;
	struct database *db;
	struct err ignored; /* what cannot be read does not tell */

	if (engine_database(engine, &db, &ignored) < 0 ||
	    database_prepare(db,
			     "SELECT state, started_nsec, finished_nsec, exit_code, oom_killed, "
			     "restart_count "
			     "FROM containers WHERE id = ?",
			     &query, &ignored) < 0)
		return 0;
	statement_bind_text(query, 1, container->id);
	int r = statement_step(query, &ignored);
	if (r <= 0)
		return r < 0 ? 0 : -ENOENT;
	container->state = state_of_name(statement_text(query, 0));
	container->started_nsec = statement_int(query, 1);
	container->finished_nsec = statement_int(query, 2);
	container->exit_code = (int)statement_int(query, 3);
	container->oom_killed = statement_int(query, 4);
	container->restart_count = statement_int(query, 5);
	return 0;
}

/* What is true by row and run directory; the row keeps how it ended the last time until it ends
 * again. Returns false where it could be otherwise: something is missing that somebody may just be
 * writing, or have put away. */
static bool judge(struct container *container, const char *run_dir)
{
	const struct run_status *run = &container->run;

	container->needs_cleanup = false;
	if (run->is_running && run->is_held) {
		container->state = CONTAINER_INITIALIZED; /* how it ended last is still true */
		return true;
	}
	if (run->is_running) {
		container->state = CONTAINER_RUNNING;
		container->started_nsec = run->started_nsec;
		container->exit_code = 0;
		container->oom_killed = false;
		container->finished_nsec = 0;
		return true;
	}
	if (run->has_exit && run->was_started) {
		/* It ended, and nobody has put that into the row yet. */
		container->state = run->will_restart ? CONTAINER_RESTARTING : CONTAINER_EXITED;
		container->started_nsec = run->started_nsec;
		container->exit_code = exit_code_of(run->wait_status);
		container->oom_killed = run->oom_killed;
		container->finished_nsec = run->finished_nsec;
		container->needs_cleanup = !run->will_restart;
		return true;
	}
	if (container->state != CONTAINER_RUNNING) {
		container->needs_cleanup = run->was_started;
		return !run->was_started;
	}
	container->needs_cleanup = true;
	if (!run->was_started && access(run_dir, F_OK) == 0) {
		/* A start that was killed: what was before is still true. */
		container->state = container->finished_nsec ? CONTAINER_EXITED : CONTAINER_CREATED;
		if (container->state == CONTAINER_CREATED)
			container->started_nsec = 0;
		return false;
	}
	/* The monitor was killed, or the machine was: nobody knows how it ended. */
	container->state = CONTAINER_EXITED;
	container->exit_code = -1;
	container->oom_killed = false;
	container->finished_nsec = 0;
	if (run->was_started)
		container->started_nsec = run->started_nsec;
	return false;
}

bool container_keep_still(const struct engine *engine, const char *id, int *ret_fd)
{
	autofree char *directory = container_directory(engine, id);

	*ret_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 || flock(*ret_fd, LOCK_SH | LOCK_NB) == 0;
}

/* Returns -ENOENT if it is seen that it was removed meanwhile. */
static int refresh(struct engine *engine, struct container *container,
		   enum container_details details)
{
	autofree char *run_dir = container_run_directory(engine, container->id);
	autoclose int lock_fd = -1;

	(void)run_directory_status(run_dir, &container->run); /* what cannot be read does not run */
	if (judge(container, run_dir) || (details & CONTAINER_IS_LOCKED))
		return 0;
	bool is_still = container_keep_still(engine, container->id, &lock_fd);
	int r = read_row_again(engine, container);
	if (r < 0)
		return r;
	(void)run_directory_status(run_dir, &container->run);
	if (container->state == CONTAINER_RUNNING && !container->run.was_started && !is_still) {
		container->state = CONTAINER_STARTING;
		container->needs_cleanup = false;
		if (container->restart_count > 0)
			return 0; /* how it ended is why it is started */
		container->oom_killed = false;
		container->exit_code = 0;
		container->finished_nsec = 0;
		return 0;
	}
	(void)judge(container, run_dir);
	return 0;
}

void container_refresh(struct engine *engine, struct container *container,
		       enum container_details details)
{
	(void)refresh(engine, container, details);
}

static struct container *container_of_row(struct statement *row, enum container_details details)
{
	struct container *container = xcalloc(1, sizeof(*container));

	container->id = xstrdup(statement_text(row, 0));
	container->name = xstrdup(statement_text(row, 1));
	container->image_id = xstrdup(statement_text(row, 2));
	container->image_name = xstrdup(statement_text(row, 3));
	container->command = xstrdup(statement_text(row, 4) ?: "");
	container->ports = xstrdup(statement_text(row, 5) ?: "");
	container->labels = xstrdup(statement_text(row, 6));
	container->created_nsec = statement_int(row, 7);
	container->started_nsec = statement_int(row, 9);
	container->finished_nsec = statement_int(row, 10);
	container->exit_code = (int)statement_int(row, 11);
	container->oom_killed = statement_int(row, 12);
	container->auto_remove = statement_int(row, 13);
	container->restart_count = statement_int(row, 14);
	container->stopped_by_user = statement_int(row, 17);
	container->head_layer = xstrdup(statement_text(row, 15));
	container->upper_move = xstrdup(statement_text(row, 16));
	container->state = state_of_name(statement_text(row, 8));
	container->lock_fd = -1;
	if (details & CONTAINER_WITH_SPEC)
		container->spec_text = xstrdup(statement_text(row, COLUMN_SPEC));
	return container;
}

static bool is_id_prefix(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isdigit((unsigned char)*p) && (*p < 'a' || *p > 'f'))
			return false;
	return *text && strlen(text) <= CONTAINER_ID_DIGITS;
}

int container_find(struct engine *engine, const char *name, enum container_details details,
		   struct container **ret_container, struct err *err)
{
	/* Names win over IDs that are not whole. The range of IDs that begin so is one search in the
	 * primary key's index. */
	static const char *const queries[][2] = {
		{ "SELECT " COLUMNS " FROM containers WHERE name = ?1 LIMIT 1",
		  "SELECT " COLUMNS ", spec FROM containers WHERE name = ?1 LIMIT 1" },
		{ "SELECT " COLUMNS " FROM containers WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2",
		  "SELECT " COLUMNS
		  ", spec FROM containers WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2" },
	};
	autocontainer struct container *found = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r < 0)
		return r;
	bool may_be_id = is_id_prefix(name),
	     is_whole_id = may_be_id && strlen(name) == CONTAINER_ID_DIGITS;
	for (int attempt = 0; attempt < 1 + may_be_id && !found; attempt++) {
		autostatement struct statement *query = NULL;
		int by_id = attempt == 0 ? is_whole_id : !is_whole_id;
		r = database_prepare(db, queries[by_id][(details & CONTAINER_WITH_SPEC) != 0],
				     &query, err);
		if (r < 0)
			return r;
		statement_bind_text(query, 1, name);
		r = statement_step(query, err);
		if (r > 0) {
			found = container_of_row(query, details);
			r = statement_step(query, err);
		}
		if (r < 0)
			return r;
		if (r > 0)
			return err_set(
				err, ENOTUNIQ,
				"more than one container's ID begins with '%s'; give more digits",
				name);
	}
	if (!found || refresh(engine, found, details) < 0)
		return err_set(err, ENOENT,
			       "no container with name or ID \"%s\" found: no such container",
			       name);
	*ret_container = take_ptr(&found);
	return 0;
}

int container_find_latest(struct engine *engine, enum container_details details,
			  struct container **ret_container, struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db,
				     "SELECT id FROM containers ORDER BY created_nsec DESC LIMIT 1",
				     &query, err);
	if (r == 0)
		r = statement_step(query, err);
	if (r == 0)
		return err_set(err, ENOENT, "there is no container yet, so there is no latest one");
	autofree char *id = r > 0 ? xstrdup(statement_text(query, 0)) : NULL;
	return r < 0 ? r : container_find(engine, id, details, ret_container, err);
}

int container_list(struct engine *engine, enum container_details details,
		   struct container ***ret_list, size_t *ret_count, struct err *err)
{
	autostatement struct statement *query = NULL;
	struct container **list = NULL;
	struct database *db;
	size_t count = 0;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(
			db,
			details & CONTAINER_WITH_SPEC
				? "SELECT " COLUMNS ", spec FROM containers ORDER BY created_nsec"
				: "SELECT " COLUMNS " FROM containers ORDER BY created_nsec",
			&query, err);
	if (r < 0)
		return r;
	while ((r = statement_step(query, err)) > 0) {
		if ((count & (count + 1)) == 0) /* room for 1, 3, 7, … */
			list = xreallocarray(list, 2 * count + 1, sizeof(struct container *));
		list[count++] = container_of_row(query, details);
	}
	if (r < 0) {
		container_list_free(list, count);
		return r;
	}
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (refresh(engine, list[i], details) < 0)
			container_free(list[i]);
		else
			list[kept++] = list[i];
	}
	*ret_list = list;
	*ret_count = kept;
	return 0;
}

int container_spec_of(const struct container *container, struct container_spec **ret_spec,
		      struct err *err)
{
	autojson struct json_object *json = NULL;

	int r = json_parse(container->spec_text, strlen(container->spec_text), &json, err);
	if (r == 0)
		r = container_spec_from_json(json, ret_spec, err);
	return r < 0 ? err_wrap(err, "container '%s'", container->name) : 0;
}

int container_set_spec(struct engine *engine, const char *id, const struct container_spec *spec,
		       struct err *err)
{
	autostatement struct statement *update = NULL;
	autojson struct json_object *json = container_spec_to_json(spec);
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, "UPDATE containers SET spec = ? WHERE id = ?", &update,
				     err);
	if (r < 0)
		return r;
	statement_bind_text(update, 1, json_text(json));
	statement_bind_text(update, 2, id);
	return statement_run(update, err);
}

int container_lock(struct engine *engine, const char *id, int *ret_fd, struct err *err)
{
	autofree char *directory = container_directory(engine, id);
	struct stat st;

	autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			return err_set(err, ENOENT, "container %.12s was removed meanwhile", id);
		return err_errno(err, "open '%s'", directory);
	}
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, "lock '%s'", directory);
	if (fstat(fd, &st) == 0 && st.st_nlink == 0)
		return err_set(err, ENOENT, "container %.12s was removed meanwhile", id);
	*ret_fd = take_fd(&fd);
	return 0;
}

int container_find_again(struct engine *engine, struct container *container, struct err *err)
{
	struct container *now;

	int r = container_find(engine, container->id, CONTAINER_WITH_SPEC | CONTAINER_IS_LOCKED,
			       &now, err);
	if (r < 0)
		return r;
	struct container before = *container;
	*container = *now;
	*now = before;
	container_free(now);
	return 0;
}

int container_find_locked(struct engine *engine, const char *id, struct container **ret_container,
			  int *ret_lock_fd, struct err *err)
{
	autoclose int lock_fd = -1;

	int r = container_lock(engine, id, &lock_fd, err);
	if (r == 0)
		r = container_find(engine, id, CONTAINER_WITH_SPEC | CONTAINER_IS_LOCKED,
				   ret_container, err);
	if (r == 0)
		*ret_lock_fd = take_fd(&lock_fd);
	return r;
}

int container_lock_found(struct engine *engine, struct container *container, int *ret_lock_fd,
			 struct err *err)
{
	autoclose int lock_fd = -1;

	int r = container_lock(engine, container->id, &lock_fd, err);
	if (r == 0)
		r = container_find_again(engine, container, err);
	if (r == 0)
		*ret_lock_fd = take_fd(&lock_fd);
	return r;
}

int container_settle(struct engine *engine, struct container *container, struct err *err)
{
	autoclose int lock_fd = -1;

	return container->state == CONTAINER_STARTING
		       ? container_lock_found(engine, container, &lock_fd, err)
		       : 0;
}

/* The disk may be full when something ends or goes. */
static int make_room(struct engine *engine, struct err *err)
{
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		database_makes_room(db);
	return r;
}

static int run_statement(struct engine *engine, const char *sql, const char *id,
			 const int64_t *values, int count, struct err *err)
{
	autostatement struct statement *statement = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db, sql, &statement, err);
	if (r < 0)
		return r;
	statement_bind_text(statement, 1, id);
	for (int i = 0; i < count; i++)
		statement_bind_int(statement, i + 2, values[i]);
	return statement_run(statement, err);
}

int container_set_running(struct engine *engine, const char *id, int64_t started_nsec,
			  int64_t restart_count, struct err *err)
{
	const int64_t values[] = { started_nsec, restart_count };

	return run_statement(engine,
			     "UPDATE containers SET state = 'running', started_nsec = ?2, "
			     "restart_count = ?3, stopped_by_user = 0 WHERE id = ?1",
			     id, values, 2, err);
}

int container_set_exited(struct engine *engine, const char *id, int exit_code, bool oom_killed,
			 int64_t finished_nsec, struct err *err)
{
	const int64_t values[] = { exit_code, oom_killed, finished_nsec };

	int r = make_room(engine, err);
	return r < 0 ? r
		     : run_statement(engine,
				     "UPDATE containers SET state = 'exited', exit_code = ?2, "
				     "oom_killed = ?3, finished_nsec = ?4 WHERE id = ?1",
				     id, values, 3, err);
}

int container_set_starting_again(struct engine *engine, const char *id, int exit_code,
				 bool oom_killed, int64_t finished_nsec, struct err *err)
{
	const int64_t values[] = { exit_code, oom_killed, finished_nsec };

	return run_statement(engine,
			     "UPDATE containers SET state = 'running', exit_code = ?2, oom_killed "
			     "= ?3, finished_nsec = ?4, restart_count = restart_count + 1 "
			     "WHERE id = ?1",
			     id, values, 3, err);
}

int container_set_stopped_by_user(struct engine *engine, const char *id, struct err *err)
{
	int r = make_room(engine, err);
	return r < 0 ? r
		     : run_statement(engine,
				     "UPDATE containers SET stopped_by_user = 1 WHERE id = ?1", id,
				     NULL, 0, err);
}

int container_set_created(struct engine *engine, const char *id, struct err *err)
{
	return run_statement(
		engine, "UPDATE containers SET state = 'created', started_nsec = 0 WHERE id = ?1",
		id, NULL, 0, err);
}

int container_delete_row(struct engine *engine, const char *id, struct err *err)
{
	int r = make_room(engine, err);
	if (r == 0)
		r = run_statement(engine, "DELETE FROM containers WHERE id = ?1", id, NULL, 0, err);

	return r == -ENOENT ? err_set(err, EBUSY, "container '%s' is needed by others", id) : r;
}

int container_anonymous_volumes(struct engine *engine, const char *id, struct strlist *names,
				struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(db,
				     "SELECT v.name FROM volumes v JOIN container_volumes c ON "
				     "c.volume = v.name "
				     "WHERE c.container_id = ? AND v.anonymous",
				     &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(names, statement_text(query, 0));
	return r;
}
