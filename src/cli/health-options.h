/* The options of `run` and `create` that are about health checks. */
#pragma once

struct cli;
struct container_args;
struct container_spec;
struct err;
struct oci_image_config;

/* The user's options over the image's HEALTHCHECK. `image` may be NULL. */
int health_options_apply(struct cli *cli, const struct container_args *args,
			 const struct oci_image_config *image, struct container_spec *spec,
			 struct err *err);
