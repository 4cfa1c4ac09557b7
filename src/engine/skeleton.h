/* The skeleton: a directory that lies below every image's layers and has what davit mounts over, /proc, /dev, /sys,
 * /etc/hosts and the like. Without it the runtime would have to make these in the container's own layer, at each start
 * of an image that lacks them. */
#pragma once

struct engine;
struct err;

/* In ROOT. The number changes with the content: an older one is not touched, containers may be using
 * it. */
#define SKELETON_NAME "skeleton-2"

/* Its path, owned by the caller; made at the first call. */
int skeleton_open(struct engine *engine, char **ret_path, struct err *err);
