/* Making an image of a container: what it has changed becomes a layer on those of its image, and its settings
 * those of the new image. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct container;
struct engine;
struct err;
struct progress;

struct commit_options {
	const char *name;	       /* in full, NULL: none */
	const char *author, *message;  /* NULL: none */
	const struct strlist *changes; /* instructions, see oci/image-instruction.h */
	bool is_docker;		       /* of Docker's kind instead of OCI's */
	bool pause;		       /* its processes stand still meanwhile */
	bool squash;		       /* one layer only, with all files */
	bool include_volumes;	       /* paths of its mounts become volumes of the image */
	struct progress *progress;     /* may be NULL */
};

/* The container may run. It is locked, so it does not start, end or go away meanwhile. The image's ID is owned
 * by the caller. On failure, and when the command is killed, nothing stays. */
int container_commit(struct engine *engine, struct container *container,
		     const struct commit_options *options, char **ret_id, struct err *err);
