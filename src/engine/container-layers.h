/* Where the files of a container's image are. */
#pragma once

#include "base/strlist.h"

struct container_spec;
struct engine;
struct err;

/* The directories that its root file system consists of below what it wrote itself, uppermost first: those of the
 * image's layers, or the one given with --rootfs. Appended to `dirs`. */
int container_layer_dirs(struct engine *engine, const struct container_spec *spec,
			 struct strlist *dirs, struct err *err);
