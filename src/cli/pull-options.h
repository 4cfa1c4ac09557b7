/* Options of commands that may fetch an image: pull, run, create. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"
#include "engine/pull.h"

struct engine;
struct err;
struct image;

struct pull_args {
	const char *policy; /* NULL: containers.conf's */
	const char *platform, *architecture, *os, *variant;
	const char *creds, *authfile, *cert_dir;
	enum option_tristate tls_verify, no_content_trust;
	int64_t retry, retry_delay_usec;
};

/* Rows whose offsets count from struct pull_args: where from and which, without the policy, … */
extern const struct option_spec pull_source_specs[];
/* … and with it, as --pull. */
extern const struct option_spec pull_option_specs[];

/* What is named has to be there: else somebody would be asked, or believed, who was not meant. NULL is fine. */
int pull_args_check_file(const char *option, const char *path, struct err *err);

/* Turn them into what the engine wants. `user` and `password` of `ret_options` are owned by
 * `*ret_creds`, which the caller frees last. Progress is shown unless `quiet`; the caller frees
 * ret_options->progress. */
int pull_args_to_options(struct engine *engine, const struct pull_args *args, bool quiet,
			 struct pull_options *ret_options, char **ret_creds, struct err *err);

/* The image that run and create start from, pulled when the policy says so, its configuration
 * loaded. */
int pull_args_find_image(struct engine *engine, const struct pull_args *args, const char *name,
			 bool quiet, struct image **ret_image, struct err *err);
