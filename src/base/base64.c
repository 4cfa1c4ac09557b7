#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t size, struct strbuf *text)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < size; i += 3) {
		uint32_t bits = (uint32_t)at[i] << 16;
		if (i + 1 < size)
			bits |= (uint32_t)at[i + 1] << 8;
		if (i + 2 < size)
			bits |= at[i + 2];
		strbuf_addc(text, digits[bits >> 18]);
		strbuf_addc(text, digits[bits >> 12 & 63]);
		strbuf_addc(text, i + 1 < size ? digits[bits >> 6 & 63] : '=');
		strbuf_addc(text, i + 2 < size ? digits[bits & 63] : '=');
	}
}

int base64_decode(const char *text, size_t size, struct strbuf *data)
{
	uint32_t bits = 0;
	unsigned count = 0, padding = 0;

	for (size_t i = 0; i < size; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
		if (text[i] && strchr(" \t\r\n", text[i]))
			continue;
		if (text[i] == '=' && ++padding <= 2)
			continue;
		if (!digit || padding)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (++count % 4 == 0) {
			strbuf_addc(data, (char)(bits >> 16));
			strbuf_addc(data, (char)(bits >> 8));
			strbuf_addc(data, (char)bits);
		}
	}
	switch (count % 4) {
	case 1:
		return -EINVAL;
	case 2:
		strbuf_addc(data, (char)(bits >> 4));
		break;
	case 3:
		strbuf_addc(data, (char)(bits >> 10));
		strbuf_addc(data, (char)(bits >> 2));
		break;
	}
	return 0;
}
