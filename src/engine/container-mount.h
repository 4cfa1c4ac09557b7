/* Root file systems of containers, mounted where the caller can reach them by a path: RUNROOT/mounts/ID.
 *
 * It is the very mount of a container that runs, without what is mounted in it, or for one that does not run a mount of
 * its own. It is the caller's mount namespace that has it, so an ordinary user needs one of his own: davit unshare. It
 * goes with unmounting, with the container, and when the container is started anew, as its files cannot be mounted
 * twice. Mounting it again gives the same path. */
#pragma once

#include <stdbool.h>

struct container;
struct engine;
struct err;

/* Where it is or would be; owned by the caller. */
char *container_mount_path(const struct engine *engine, const char *id);
bool container_is_mounted(const struct engine *engine, const char *id);

/* -EPERM for an ordinary user outside of davit unshare. */
int container_mount(struct engine *engine, struct container *container, char **ret_path,
		    struct err *err);

/* Nothing to do for one that is not mounted. -EBUSY while somebody uses it, unless `force`: then it goes when
 * nobody does any more. */
int container_unmount(struct engine *engine, const struct container *container, bool force,
		      struct err *err);

/* Whatever is mounted there goes, as the container goes or is started. */
void container_forget_mount(const struct engine *engine, const char *id);

/* What images have in common with that: the error for an ordinary user outside of davit unshare; and taking the mount
 * away, which returns 1 if there was one. */
int mount_refuse_outside(const struct engine *engine, const char *command, struct err *err);
int mount_take_away(const struct engine *engine, const char *id, bool force, struct err *err);
