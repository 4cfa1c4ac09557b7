/* A container's settings as those of an image. */
#pragma once

#include <stdbool.h>

struct container_spec;
struct err;
struct json_object;

/* Put them into the "config" object of an image's configuration, which has those of the container's own
 * image. What davit has added for running it is left out. */
int commit_config_fill(struct json_object *config, const struct container_spec *spec,
		       bool include_volumes, struct err *err);
