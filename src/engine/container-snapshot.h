/* Snapshots: states of a container's files that it can be taken back to, and that others can begin with.
 *
 * None of this copies anything, so it takes the same time whatever the container has written. It needs a
 * container that does not run, as what a program is about to write is in no file yet. Volumes are not the
 * container's own and stay out of it, as do its options. See container-own-layers.h for how it works. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct container;
struct container_spec;
struct engine;
struct err;

struct snapshot {
	char *container_id, *container_name;
	char *tag;
	char *layer_id;
	int64_t created_nsec;
	int64_t size_bytes; /* what was written between the one before and this; -1: not measured */
	bool is_current;    /* it is what the container stands on */
};

struct snapshot_list {
	struct snapshot *items;
	size_t count;
};

/* Keep what the container is now. `tag` NULL: the next number. Returns the tag, owned by the caller.
 * -EBUSY: it runs; -EEXIST: there is one of this name; -EOPNOTSUPP: its files are a directory of the user's. */
int container_snapshot(struct engine *engine, struct container *container, const char *tag,
		       char **ret_tag, struct err *err);

/* Give up all that was written since the snapshot; NULL: the last one. Snapshots taken since stay. Returns
 * the tag, owned by the caller. What was given up is removed by a process of its own. -EBUSY, -ENOENT. */
int container_revert(struct engine *engine, struct container *container, const char *tag,
		     char **ret_tag, struct err *err);

/* Merge the layers that the container stands on into one, which shows the same: after many snapshots it stands on many, and
 * the kernel does not stack any number. Files are not copied, but get one more name. Snapshots stay as they are, and so
 * do clones, on the layers they have; room becomes free as they go. Returns how many layers there were; with less than two
 * nothing is done. -EBUSY: it runs. */
int container_flatten(struct engine *engine, struct container *container, struct err *err);

/* For the rest of this folder: the lock, and a container that does not run and that nobody has mounted. `what` is to be done
 * to it, for messages. */
int container_lock_stopped(struct engine *engine, struct container *container, const char *what,
			   int *ret_lock_fd, struct err *err);

/* -ENOENT. What clones and later snapshots stand on stays until they go. */
int container_snapshot_remove(struct engine *engine, struct container *container, const char *tag,
			      struct err *err);

/* Of one container, or of all with NULL; oldest first. */
int container_snapshots(struct engine *engine, const struct container *container,
			struct snapshot_list *ret_list, struct err *err);
int container_snapshots_measure(struct engine *engine, struct snapshot_list *list, struct err *err);
void snapshot_list_clear(struct snapshot_list *list);

/* A state that another container begins with. As long as it is open the container that it is of stays as it
 * is. */
struct container_base {
	struct container *container;
	struct container_spec *spec; /* of that container */
	char *layer_id;		     /* NULL: nothing was ever written */
	int lock_fd;
};
#define CONTAINER_BASE_EMPTY                                                                       \
	{                                                                                          \
		.lock_fd = -1                                                                      \
	}

/* "NAME": as it is now, so it must not run; "NAME:TAG": as it was then. */
int container_base_open(struct engine *engine, const char *word, struct container_base *base,
			struct err *err);
void container_base_close(struct container_base *base);

/* Let a container of this description begin there. -EINVAL if its mapping of IDs is another one, and only
 * root's kernel could show it the files. */
int container_base_apply(struct engine *engine, const struct container_base *base,
			 struct container_spec *spec, struct err *err);

#define autobase      __attribute__((cleanup(container_base_close)))
#define autosnapshots __attribute__((cleanup(snapshot_list_clear)))
