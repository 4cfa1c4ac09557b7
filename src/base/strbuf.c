#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void strbuf_clear(struct strbuf *buf)
{
	free(buf->data);
	*buf = STRBUF_EMPTY;
}

void strbuf_reset(struct strbuf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void strbuf_reserve(struct strbuf *buf, size_t extra_bytes)
{
	size_t need = buf->size + extra_bytes + 1;

	if (need <= buf->capacity)
		return;
	size_t capacity = buf->capacity ? buf->capacity : 64;
	while (capacity < need)
		capacity *= 2;
	buf->data = xrealloc(buf->data, capacity);
	buf->capacity = capacity;
}

void strbuf_add(struct strbuf *buf, const void *data, size_t size)
{
	strbuf_reserve(buf, size);
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void strbuf_adds(struct strbuf *buf, const char *text)
{
	strbuf_add(buf, text, strlen(text));
}

void strbuf_addc(struct strbuf *buf, char c)
{
	strbuf_add(buf, &c, 1);
}

void strbuf_addf(struct strbuf *buf, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		strbuf_reserve(buf, (size_t)n);
		vsnprintf(buf->data + buf->size, (size_t)n + 1, fmt, again);
		buf->size += (size_t)n;
	}
	va_end(again);
}

const char *strbuf_text(const struct strbuf *buf)
{
	return buf->data ? buf->data : "";
}

char *strbuf_take(struct strbuf *buf)
{
	char *data = buf->data ? buf->data : xstrdup("");

	*buf = STRBUF_EMPTY;
	return data;
}
