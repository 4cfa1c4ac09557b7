/* WWW-Authenticate, as strangers send it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "registry/program/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	struct challenge challenge = { 0 };

	challenge_parse(text, &challenge);
	if (challenge.scheme == CHALLENGE_BEARER && !challenge.realm)
		abort();
	challenge_clear(&challenge);
	return 0;
}
