/* Waiting for the end of containers, any number of them at once.
 *
 * All are watched from the moment they are added, whichever of them the caller asks for first: one with --rm is gone
 * with everything that is known of it as soon as it has ended. */
#pragma once

#include <stddef.h>

struct container;
struct engine;
struct err;

struct container_waits;

struct container_waits *container_waits_new(struct engine *engine);
void container_waits_free(struct container_waits *waits);

/* From now on its end is not missed. A start that is going on is waited for. Returns its index; -ENOENT if it was removed
 * meanwhile. */
int container_waits_add(struct container_waits *waits, const struct container *container,
			struct err *err);

/* Wait until this one has ended, will not be started again, and is put away. *ret_exit_code is as a shell shows it, -1
 * if nobody knows. */
int container_waits_finish(struct container_waits *waits, size_t index, int *ret_exit_code,
			   struct err *err);

static inline void container_waits_free_auto(struct container_waits **at)
{
	container_waits_free(*at);
}
#define autowaits __attribute__((cleanup(container_waits_free_auto)))
