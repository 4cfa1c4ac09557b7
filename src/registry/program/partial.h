/* A blob on its way to the disk: "sha256-HEX.partial" in the download directory, hashed as it
 * grows, and taken up again where an earlier attempt ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "base/sha256.h"

struct err;

struct partial {
	int directory_fd; /* borrowed */
	char *name;
	char digest[DIGEST_TEXT_SIZE];
	int64_t size; /* that it must have */
	int fd;	      /* -1: not open */
	struct sha256 *hash;
	int64_t hashed;	  /* bytes; equals what is in the file once the old part is read */
	int64_t old_size; /* bytes an earlier attempt left; trusted only once the digest is right */
	bool waited;	  /* another process had it */
};

void partial_init(struct partial *partial, int directory_fd, const char *digest, int64_t size);
void partial_clear(struct partial *partial); /* the file stays */

/* Open and lock it. Returns 1; 0 while another process works on it; -EEXIST when that one has
 * finished and taken the file away. */
int partial_open(struct partial *partial, struct err *err);

/* Hash a piece of what an earlier attempt left. Returns 1 when there is more. */
int partial_read_old(struct partial *partial, struct err *err);

/* -EBADMSG when it would grow beyond its size; -ENOSPC. */
int partial_append(struct partial *partial, const void *data, size_t size, struct err *err);

/* Begin again with nothing. */
int partial_restart(struct partial *partial, struct err *err);

/* Compare the digest of the whole. -EBADMSG names both. */
int partial_check(struct partial *partial, struct err *err);

void partial_remove(struct partial *partial);
