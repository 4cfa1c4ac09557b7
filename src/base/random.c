#include "base/random.h"

#include <sys/random.h>

static void random_bytes(unsigned char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = getrandom(data, size, 0);
		if (n < 0)
			continue; /* only a signal can interrupt it */
		data += n;
		size -= (size_t)n;
	}
}

void random_hex(char *text, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";

	/* The bytes go to the far half of the text and are spread out from its front. */
	unsigned char *raw = (unsigned char *)text + bytes;
	random_bytes(raw, bytes);
	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = raw[i];
		text[2 * i] = digits[byte >> 4];
		text[2 * i + 1] = digits[byte & 15];
	}
	text[2 * bytes] = '\0';
}

unsigned random_below(unsigned limit)
{
	unsigned value;

	random_bytes((unsigned char *)&value, sizeof(value));
	return value % limit;
}
