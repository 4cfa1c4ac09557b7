/* Containers that need others: because they share their namespaces, or because the user said so
 * (--requires). Who is needed is started first, and cannot be removed before. */
#pragma once

struct container;
struct container_spec;
struct database;
struct engine;
struct err;
struct strlist;

/* --requires: names become IDs. -ENOENT */
int container_resolve_requires(struct engine *engine, struct container_spec *spec, struct err *err);

/* Note them beside the container's row, in the same transaction. */
int container_insert_dependencies(struct database *db, const char *id,
				  const struct container_spec *spec, struct err *err);

/* The IDs of those that need it. */
int container_dependents(struct engine *engine, const char *id, struct strlist *ids,
			 struct err *err);

/* -EEXIST, with words, if there are any. */
int container_refuse_dependents(struct engine *engine, const struct container *container,
				struct err *err);

/* Start those that a container of this spec needs and that do not run, and those that these need. */
int container_start_needed(struct engine *engine, const struct container_spec *spec,
			   struct err *err);
