/* The options of `run`, `create` and `update` that are about health checks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"

struct cli;
struct container_spec;
struct err;
struct oci_image_config;

struct health_args {
	const char *command, *interval, *timeout, *start_period, *on_failure;
	int64_t retries;
	bool none;
	const char *startup_command, *startup_interval, *startup_timeout;
	int64_t startup_retries, startup_success;
	const char *log_destination;
	int64_t log_count, log_size;
};

/* Rows whose offsets count from struct health_args. */
extern const struct option_spec health_option_specs[];

/* The user's options over the image's HEALTHCHECK. `image` may be NULL. The restart policy is known. */
int health_options_apply(struct cli *cli, const struct health_args *args,
			 const struct oci_image_config *image, struct container_spec *spec,
			 struct err *err);
/* The user's options over what the spec has. */
int health_options_change(const struct cli *cli, const struct health_args *args,
			  struct container_spec *spec, struct err *err);
