#include "base/sha256.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* The part of EVP(7) used here. Declared by hand: libcrypto is loaded, not linked. */
static struct {
	const void *(*sha256)(void);
	void *(*ctx_new)(void);
	void (*ctx_free)(void *ctx);
	int (*init)(void *ctx, const void *type, void *engine);
	int (*update)(void *ctx, const void *data, size_t size);
	int (*final)(void *ctx, unsigned char *out, unsigned *size);
} evp;

struct sha256 {
	void *ctx;
};

static int load(struct err *err)
{
	static const struct {
		const char *name;
		void *at;
	} symbols[] = {
		{ "EVP_sha256", &evp.sha256 },	      { "EVP_MD_CTX_new", &evp.ctx_new },
		{ "EVP_MD_CTX_free", &evp.ctx_free }, { "EVP_DigestInit_ex", &evp.init },
		{ "EVP_DigestUpdate", &evp.update },  { "EVP_DigestFinal_ex", &evp.final },
	};

	if (evp.final)
		return 0;
	void *library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return err_set(err, ENOENT,
			       "cannot load libcrypto.so.3; install the package libssl3");
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return err_set(err, ENOENT, "libcrypto.so.3 lacks %s", symbols[i].name);
		memcpy(symbols[i].at, &symbol, sizeof(symbol));
	}
	return 0;
}

int sha256_new(struct sha256 **ret_hash, struct err *err)
{
	int r = load(err);
	if (r < 0)
		return r;
	struct sha256 *hash = xcalloc(1, sizeof(*hash));
	hash->ctx = evp.ctx_new();
	if (!hash->ctx || !evp.init(hash->ctx, evp.sha256(), NULL)) {
		sha256_free(hash);
		return err_set(err, ENOMEM, "start SHA-256");
	}
	*ret_hash = hash;
	return 0;
}

void sha256_free(struct sha256 *hash)
{
	if (!hash)
		return;
	if (hash->ctx)
		evp.ctx_free(hash->ctx);
	free(hash);
}

void sha256_update(struct sha256 *hash, const void *data, size_t size)
{
	evp.update(hash->ctx, data, size);
}

void sha256_finish_digest(struct sha256 *hash, char digest[DIGEST_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[64];
	unsigned size = 0;

	evp.final(hash->ctx, raw, &size);
	evp.init(hash->ctx, evp.sha256(), NULL);
	memcpy(digest, "sha256:", 7);
	for (unsigned i = 0; i < SHA256_BYTES; i++) {
		digest[7 + 2 * i] = digits[raw[i] >> 4];
		digest[8 + 2 * i] = digits[raw[i] & 15];
	}
	digest[7 + 2 * SHA256_BYTES] = '\0';
}

int sha256_digest(const void *data, size_t size, char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	autosha256 struct sha256 *hash = NULL;
	int r = sha256_new(&hash, err);
	if (r < 0)
		return r;
	sha256_update(hash, data, size);
	sha256_finish_digest(hash, digest);
	return 0;
}
