/* Which run root a store's containers run under. */
#pragma once

#include <stdbool.h>

struct engine;
struct err;

/* Make engine->runroot the one that the store's running containers have, and remember it in ROOT/runroot. Without this a
 * caller with another XDG_RUNTIME_DIR would see containers without a process, and clean up what runs.
 *
 * @was_chosen: by --runroot, so another one is an error instead: -EBUSY */
int engine_settle_runroot(struct engine *engine, bool was_chosen, struct err *err);
