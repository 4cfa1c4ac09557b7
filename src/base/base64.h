/* Base64 of RFC 4648, section 4, with padding. */
#pragma once

#include <stddef.h>

struct strbuf;

void base64_encode(const void *data, size_t size, struct strbuf *text);

/* Append the bytes that `text` stands for; missing padding is forgiven, white space is passed
 * over. -EINVAL for anything else. */
int base64_decode(const char *text, size_t size, struct strbuf *data);
