/* A layer that is made here: an archive that comes through a descriptor is unpacked into the store and kept as
 * a blob at once, so its data is read only once. It may be compressed; the blob stays as it came. */
#pragma once

#include <stdint.h>

#include "base/sha256.h"
#include "store/image.h"

struct engine;
struct err;
struct new_layer_job;
struct progress;

/* Begin to take an archive from `fd`, a file or pipe, in a worker process. The caller may close it then.
 * The caller holds the lock of store_begin_pull() until the layer's image is recorded. */
int new_layer_start(struct engine *engine, int fd, struct new_layer_job **ret_job, struct err *err);
/* Wait for it. *ret_layer is owned by the caller, see new_layer_clear(). -EBADMSG: that is no archive; on failure nothing stays. */
int new_layer_finish(struct new_layer_job *job, struct progress *progress,
		     struct image_layer *ret_layer, struct err *err);

void new_layer_clear(struct image_layer *layer);
#define autonewlayer __attribute__((cleanup(new_layer_clear)))
