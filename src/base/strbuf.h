/* Growing byte strings. Always NUL-terminated, may hold NULs inside. */
#pragma once

#include <stddef.h>

struct strbuf {
	char *data; /* never NULL after the first append; owned */
	size_t size;
	size_t capacity;
};

#define STRBUF_EMPTY ((struct strbuf){ 0 })
#define autostrbuf   __attribute__((cleanup(strbuf_clear)))

void strbuf_clear(struct strbuf *buf); /* frees; the buffer is empty and usable again */
void strbuf_reset(struct strbuf *buf); /* forgets the content, keeps the memory */
void strbuf_reserve(struct strbuf *buf, size_t extra_bytes);
void strbuf_add(struct strbuf *buf, const void *data, size_t size);
void strbuf_adds(struct strbuf *buf, const char *text);
void strbuf_addc(struct strbuf *buf, char c);
void strbuf_addf(struct strbuf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text, "" when nothing was added; borrowed until the next change. */
const char *strbuf_text(const struct strbuf *buf);

/* Give the content away as a malloc()ed string; the buffer is empty afterwards. */
char *strbuf_take(struct strbuf *buf);
