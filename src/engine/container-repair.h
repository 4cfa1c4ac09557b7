/* Putting right what killed commands have left behind. For commands that list: it goes away with the next look. */
#pragma once

#include <stddef.h>

struct container;
struct engine;
struct err;

/* Clean up after a container that was found to need it, unless somebody is at it in this moment. Failures are only
 * logged. Returns -ENOENT when that removed it (--rm), else 0. */
int container_repair(struct engine *engine, struct container *container);

/* The same for each of the list. Those that were removed are freed and leave it. Returns how many are left. */
size_t container_repair_all(struct engine *engine, struct container **list, size_t count);

/* Remove directories that belong to no container any more: of commands that were killed while they made or removed one.
 * `list` are all containers there are. */
void container_sweep(struct engine *engine, struct container *const *list, size_t count);

/* Remove a container's directory, with files of whatever owner. */
int container_remove_files(struct engine *engine, char *directory, struct err *err);
