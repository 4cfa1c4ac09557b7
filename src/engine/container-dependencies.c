#include "engine/container-dependencies.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/shared-namespaces.h"
#include "store/database.h"

int container_resolve_requires(struct engine *engine, struct container_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->requires.count; i++) {
		autocontainer struct container *found = NULL;
		char *name = spec->requires.items[i];

		int r = container_find(engine, name, 0, &found, err);
		if (r < 0)
			return err_wrap(err, "\"%s\" cannot be used as a dependency", name);
		spec->requires.items[i] = xstrdup(found->id);
		free(name);
	}
	return 0;
}

int container_insert_dependencies(struct database *db, const char *id,
				  const struct container_spec *spec, struct err *err)
{
	autostrlist struct strlist needed = STRLIST_EMPTY;

	shared_namespaces_needed(spec, &needed);
	for (size_t i = 0; i < needed.count; i++) {
		autostatement struct statement *insert = NULL;
		int r = database_prepare(db, "INSERT INTO container_dependencies VALUES(?, ?)",
					 &insert, err);
		if (r < 0)
			return r;
		statement_bind_text(insert, 1, id);
		statement_bind_text(insert, 2, needed.items[i]);
		r = statement_run(insert, err);
		if (r == -ENOENT)
			return err_set(err, ESRCH, "container %.12s was removed meanwhile",
				       needed.items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int container_dependents(struct engine *engine, const char *id, struct strlist *ids,
			 struct err *err)
{
	autostatement struct statement *query = NULL;
	struct database *db;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_prepare(
			db, "SELECT container_id FROM container_dependencies WHERE needed_id = ?",
			&query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(ids, statement_text(query, 0));
	return r;
}

int container_refuse_dependents(struct engine *engine, const struct container *container,
				struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY, names = STRLIST_EMPTY;

	int r = container_dependents(engine, container->id, &ids, err);
	if (r < 0 || !ids.count)
		return r;
	for (size_t i = 0; i < ids.count; i++) {
		autocontainer struct container *dependent = NULL;
		struct err ignored; /* its ID will do */
		if (container_find(engine, ids.items[i], 0, &dependent, &ignored) == 0)
			strlist_add(&names, dependent->name);
		else
			strlist_addf(&names, "%.12s", ids.items[i]);
	}
	autofree char *list = strlist_join(&names, ", ");
	return err_set(err, EEXIST,
		       "container %s has dependent containers which must be removed before it: %s; "
		       "remove them, or use --depend",
		       container->name, list);
}

/* There are no circles: what is needed was there before. */
static int start_needed(struct engine *engine, const char *id, struct err *err)
{
	autocontainer struct container *needed = NULL;
	struct start_result started = { .client_fd = -1 };
	int exit_code;

	int r = container_find(engine, id, CONTAINER_WITH_SPEC, &needed, err);
	if (r < 0 || needed->state == CONTAINER_RUNNING)
		return r;
	r = container_start(engine, needed, 0, &started, &exit_code, err);
	if (r == -EALREADY)
		return 0; /* somebody else was faster */
	return r < 0 ? err_wrap(err, "start container %s, which it needs", needed->name) : 0;
}

int container_start_needed(struct engine *engine, const struct container_spec *spec,
			   struct err *err)
{
	autostrlist struct strlist needed = STRLIST_EMPTY;
	int r = 0;

	shared_namespaces_needed(spec, &needed);
	for (size_t i = 0; r == 0 && i < needed.count; i++)
		r = start_needed(engine, needed.items[i], err);
	return r;
}
