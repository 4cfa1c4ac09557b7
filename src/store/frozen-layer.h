/* Frozen layers: what containers have written, made read-only for ever, so that later states and other
 * containers can lie on top of it.
 *
 *   STORE/snapshots/ID/diff/    the tree, which was the upper directory of a container
 *
 * A frozen layer has the parent that was below it when it was written, or none: then there was only the
 * image. So they are trees, and one ID is a whole state of a container. A layer is used by containers
 * that stand on it, by snapshots, and by the layers above it; when the last of these goes, so does the
 * layer. The record says what is used, and comes first: a directory without a record is left over. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct database;
struct err;
struct store;

/* "ROOT/snapshots/ID/diff", owned by the caller. */
char *frozen_layer_path(const struct store *store, const char *id);

/* The layer and all below it, lowest first; appended. */
int frozen_layer_chain(struct database *db, const char *id, struct strlist *ids, struct err *err);

/* All that the container and its snapshots stand on, in no order; appended. */
int frozen_layer_of_container(struct database *db, const char *container_id, struct strlist *ids,
			      struct err *err);

/* The record of a new one, inside a transaction. `parent` NULL: none; `container_id`: who has written it. */
int frozen_layer_insert(struct database *db, const char *id, const char *parent,
			const char *container_id, struct err *err);

/* Inside a transaction, after a user has gone: take away the records of this layer and those below it
 * that nobody uses any more. Their IDs are appended to `gone`, for frozen_layer_discard() after the
 * transaction. */
int frozen_layer_release(struct database *db, const char *id, struct strlist *gone,
			 struct err *err);

/* Put the files of layers without a record into the trash. */
int frozen_layer_discard(struct store *store, const struct strlist *ids, struct err *err);

/* Does any record speak of it? Where that cannot be asked: yes. */
bool frozen_layer_is_known(struct store *store, const char *id);

/* While a new layer is built whose record comes last: nothing is swept as long as the descriptor is open. */
int frozen_layer_hold_sweeps(struct store *store, struct err *err);

/* Put all into the trash that killed commands have left. */
void frozen_layer_sweep(struct store *store);
