/* Images made of an archive of files: `davit import`. */
#pragma once

#include "base/strlist.h"

struct engine;
struct err;
struct oci_platform;
struct progress;

struct import_options {
	const char *name;	       /* in full, NULL: none */
	const char *message;	       /* NULL: none */
	const struct strlist *changes; /* instructions, see oci/image-instruction.h */
	const struct oci_platform *platform;
	struct progress *progress; /* may be NULL */
};

/* The archive is read from `fd`, a file or pipe; it may be compressed by gzip or zstd and is kept as it
 * is. The image's ID is owned by the caller. On failure nothing stays. */
int image_import(struct engine *engine, int fd, const struct import_options *options, char **ret_id,
		 struct err *err);
