/* Blobs: manifests, configurations and layers exactly as they came, by digest.
 *
 * A blob in the database is whole and was verified when it came; see schema.c for what `synced`
 * means. Files without a row are leftovers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct err;
struct store;

/* The blob is there and can be trusted after whatever happened since. */
bool blob_is_present(struct store *store, const char *digest);

/* Take a finished, verified file over: renamed into the store. */
int blob_adopt(struct store *store, int from_dir_fd, const char *from_name, const char *digest,
	       struct err *err);
/* Write a small one. The digest is computed here and returned in `digest`
 * (char[DIGEST_TEXT_SIZE]). */
int blob_write(struct store *store, const void *data, size_t size, char *digest, struct err *err);

/* Open it for reading. -ENOENT if it is not there (pruned). */
int blob_open(struct store *store, const char *digest, int *ret_fd, int64_t *ret_size,
	      struct err *err);
/* Read a small one and verify it; -EBADMSG if it is not what its name says. */
int blob_read(struct store *store, const char *digest, size_t limit, struct strbuf *ret_data,
	      struct err *err);

/* "ROOT/blobs/sha256/HEX", owned by the caller. */
char *blob_path(const struct store *store, const char *digest);
