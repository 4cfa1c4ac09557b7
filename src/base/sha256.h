/* SHA-256, by libcrypto (which uses the processor's own instructions). The library is loaded at the
 * first call, so that verbs that never hash do not pay for it. */
#pragma once

#include <stddef.h>

struct err;
struct sha256;

#define SHA256_BYTES	 32
#define SHA256_HEX_SIZE	 65		       /* with the NUL */
#define DIGEST_TEXT_SIZE (7 + SHA256_HEX_SIZE) /* "sha256:" + hex, with the NUL */

/* Fails with ENOENT when libcrypto cannot be loaded. */
int sha256_new(struct sha256 **ret_hash, struct err *err);
void sha256_free(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
/* Write "sha256:HEX" and start over. */
void sha256_finish_digest(struct sha256 *hash, char digest[DIGEST_TEXT_SIZE]);

/* The digest of one piece of memory. */
int sha256_digest(const void *data, size_t size, char digest[DIGEST_TEXT_SIZE], struct err *err);

static inline void sha256_free_auto(struct sha256 **at)
{
	sha256_free(*at);
}
#define autosha256 __attribute__((cleanup(sha256_free_auto)))
