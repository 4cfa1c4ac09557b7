/* The image configuration: what a container of this image shall run, and which layers it consists
 * of. The digest of these bytes is the image's ID.
 *
 * One reader for the OCI image specification's config.json and for Docker's, which differ by
 * nothing that we use. The document is foreign: unknown members are passed over, wrong types count
 * as absent, but layers that are missing or malformed are an error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;
struct json_object;

/* Larger documents are refused unread. */
#define OCI_IMAGE_CONFIG_SIZE_MAX (8 * 1024 * 1024)
#define OCI_LAYERS_MAX		  500

struct oci_history {
	int64_t created_nsec;
	bool has_created;
	char *created_by, *author, *comment; /* NULL when absent */
	bool empty_layer;
};

/* HEALTHCHECK; Docker's extension. */
struct oci_health_check {
	struct strlist test; /* "NONE", "CMD" args…, "CMD-SHELL" text; empty: inherited, so none */
	int64_t interval_nsec, timeout_nsec, start_period_nsec, retries; /* 0: the default */
};

struct oci_image_config {
	char *architecture, *os, *variant; /* "" when absent */
	int64_t created_nsec;
	bool has_created;
	char *author; /* "" when absent */
	char *comment;

	/* "config": what a container of it runs */
	char *user; /* "" is root */
	struct strlist env;
	struct strlist entrypoint, cmd;
	struct strlist exposed_ports; /* "80/tcp" */
	struct strlist volumes;	      /* paths */
	struct strlist on_build, shell;
	struct strlist labels; /* KEY=VALUE, in the document's order */
	char *working_dir;     /* "" when absent */
	char *stop_signal;     /* "" when absent */
	struct oci_health_check health_check;

	/* "rootfs" */
	struct strlist diff_ids; /* "sha256:HEX", lowest first */

	struct oci_history *history;
	size_t history_count;
};

/* `digest` names the document in errors. -EBADMSG if it is no image configuration. */
int oci_image_config_parse(const char *text, size_t size, const char *digest,
			   struct oci_image_config **ret_config, struct err *err);
void oci_image_config_free(struct oci_image_config *config);

static inline void oci_image_config_free_auto(struct oci_image_config **at)
{
	oci_image_config_free(*at);
}
#define autoimage_config __attribute__((cleanup(oci_image_config_free_auto)))
