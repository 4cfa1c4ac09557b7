/* The part of `run` and `create` between the options and the start. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "engine/container.h"

struct cli;
struct container_args;
struct err;

/* Make the container that the options describe; with --replace its predecessor goes first. Owned by
 * the caller. */
int create_container(struct cli *cli, const struct container_args *args, enum create_flags flags,
		     bool detached, int argc, char **argv, struct container **ret_container,
		     struct err *err);
