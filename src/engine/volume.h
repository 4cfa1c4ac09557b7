/* Volumes: named directories that outlive containers. ROOT/volumes/NAME/_data holds the content.
 *
 * An anonymous volume belongs to the container it was made for and goes with it (`rm -v`, `run
 * --rm`). A new volume is filled with what the image has at the place where it is first mounted,
 * and given to the container's user. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

struct engine;
struct err;
struct identity;

struct volume {
	char *name;
	char *driver;			/* "local" */
	char *mountpoint;		/* the directory of the content */
	struct strlist options, labels; /* KEY=VALUE */
	int64_t created_nsec;
	bool is_anonymous;
	bool needs_copy_up; /* not used by any container yet */
	int64_t use_count;  /* containers that have it */
};

/* `name` NULL makes an anonymous one with a name of 64 hex digits. -EEXIST if there is one already.
 */
int volume_create(struct engine *engine, const char *name, const struct strlist *labels,
		  const struct strlist *options, struct volume **ret_volume, struct err *err);
/* The volume `name`, made when it is not there. */
int volume_ensure(struct engine *engine, const char *name, struct err *err);

/* Where the content of one is, which may have no record; owned by the caller. */
char *volume_data_path(const struct engine *engine, const char *name);
/* Make that directory if it is not there. */
int volume_make_directory(const struct engine *engine, const char *name, struct err *err);

/* By name or by a prefix that only one has. -ENOENT, -ENOTUNIQ. */
int volume_find(struct engine *engine, const char *name, struct volume **ret_volume,
		struct err *err);
/* In alphabetical order; volume_list_free() releases the array and its members. */
int volume_list(struct engine *engine, struct volume ***ret_list, size_t *ret_count,
		struct err *err);
void volume_free(struct volume *volume);
void volume_list_free(struct volume **list, size_t count);

/* It holds something now, so no container fills it any more. */
int volume_mark_used(struct engine *engine, const char *name, struct err *err);

/* Containers that have it, as names; appended to `names`. */
int volume_users(struct engine *engine, const char *name, struct strlist *names, struct err *err);

/* By its whole name: one that begins so may be another. -EBUSY if a container has it; the message names one. */
int volume_remove(struct engine *engine, const char *name, struct err *err);

/* In the transaction that removes the container they belong to: they are to go, too. */
int volume_mark_leaving(struct engine *engine, const struct strlist *names, struct err *err);
/* Remove what is marked so, unless another container has it by now: that one keeps it. */
int volume_sweep(struct engine *engine, struct err *err);

/* Remove empty directories that no volume has: of commands that were killed while they made one. */
void volume_sweep_directories(struct engine *engine);

/* Remove those volumes without a name that belong to no container: it failed to be made after they
 * were. `mounts` as in struct container_spec. */
void volume_drop_anonymous(struct engine *engine, const struct strlist *mounts);

/* Before the first use: copy what the layers (uppermost first) have at `path` into the volume, and
 * give its root to the user. Nothing happens when that was done before. Needs the caller's mapping,
 * see engine_run_mapped(). */
int volume_fill(struct engine *engine, const char *name, const struct strlist *layer_dirs,
		const char *path, bool copy, const struct identity *identity, struct err *err);

/* Give a whole tree to the container's user: the option U of a mount. */
int volume_chown(struct engine *engine, const char *path, const struct identity *identity,
		 struct err *err);

static inline void volume_free_auto(struct volume **at)
{
	volume_free(*at);
}
#define autovolume __attribute__((cleanup(volume_free_auto)))
