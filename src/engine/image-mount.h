/* Images mounted where the caller can look into them by a path, read-only; see container-mount.h, whose places and rules
 * these share. */
#pragma once

#include <stdbool.h>

struct engine;
struct err;
struct image;

/* *ret_path is owned by the caller. -EPERM for an ordinary user outside of davit unshare. */
int image_mount(struct engine *engine, struct image *image, char **ret_path, struct err *err);

/* Nothing to do for one that is not mounted. -EBUSY while somebody uses it, unless `force`. */
int image_unmount(struct engine *engine, const struct image *image, bool force, struct err *err);
