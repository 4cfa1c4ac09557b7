/* -v, --mount, --tmpfs and --volumes-from: read first, applied when the image is there.
 *
 * All are read before any volume is made, so that a wrong one makes nothing. */
#pragma once

#include <stddef.h>

struct container_args;
struct container_spec;
struct engine;
struct err;
struct mount_spec;
struct oci_image_config;

struct mount_list {
	struct mount_spec *items; /* owned */
	size_t count;
};

int mount_options_read(struct engine *engine, const struct container_args *args,
		       struct mount_list *list, struct err *err);

/* With the image's own volumes (`image` may be NULL) into the spec; volumes that are missing are made. */
int mount_options_apply(struct engine *engine, const struct container_args *args,
			const struct oci_image_config *image, struct mount_list *list,
			struct container_spec *spec, struct err *err);
void mount_list_clear(struct mount_list *list);
