/* Environment, labels and annotations of a container, from all the places that they come from. */
#pragma once

struct cli;
struct container_args;
struct container_spec;
struct engine;
struct err;
struct oci_image_config;

/* @image: NULL without one
 * The tty of the spec is known already. */
int container_environment_build(struct cli *cli, struct engine *engine,
				const struct container_args *args,
				const struct oci_image_config *image, struct container_spec *spec,
				struct err *err);
int container_labels_build(struct cli *cli, struct engine *engine,
			   const struct container_args *args, const struct oci_image_config *image,
			   struct container_spec *spec, struct err *err);
