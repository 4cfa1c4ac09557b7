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

/* A large one that is still being written: a file without a name where the file system can, so that a
 * crash leaves nothing. */
struct blob_draft {
	int fd;	    /* for reading and writing; owned */
	char *name; /* NULL: it has none */
};
int blob_draft_begin(struct store *store, struct blob_draft *ret_draft, struct err *err);
/* It is complete, and this is its digest: put it into the store. */
int blob_draft_adopt(struct store *store, struct blob_draft *draft, const char *digest,
		     struct err *err);
/* Close it; one that was not adopted is gone. */
void blob_draft_end(struct store *store, struct blob_draft *draft);

/* Open it for reading. -ENOENT if it is not there (pruned). */
int blob_open(struct store *store, const char *digest, int *ret_fd, int64_t *ret_size,
	      struct err *err);
/* Read a small one and verify it; -EBADMSG if it is not what its name says. */
int blob_read(struct store *store, const char *digest, size_t limit, struct strbuf *ret_data,
	      struct err *err);

/* "ROOT/blobs/sha256/HEX", owned by the caller. */
char *blob_path(const struct store *store, const char *digest);
