#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names in errors come from images, archives and registries, and errors end on a terminal: one that
 * holds control characters could move the cursor or worse. */
static void make_printable(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++) {
		if (*at < 0x20 || *at == 0x7f)
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* U+0080 to U+009F */
			at[0] = at[1] = '?';
	}
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = code > 0 ? code : EIO;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	make_printable(err->text);
	return -err->code;
}

int err_errno(struct err *err, const char *fmt, ...)
{
	int code = errno;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;

	/* The cause is worth more than the tail of a long name. */
	const char *cause = strerror(code);
	size_t room = strlen(cause) + 3, at = (size_t)n;
	if (at + room > sizeof(err->text))
		at = sizeof(err->text) - room;
	snprintf(err->text + at, sizeof(err->text) - at, ": %s", cause);
	make_printable(err->text);
	err->code = code > 0 ? code : EIO;
	return -err->code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char joined[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(joined, sizeof(joined), fmt, ap);
	va_end(ap);
	size_t cause = strlen(err->text);
	if (n >= 0 && (size_t)n + 2 + cause < sizeof(joined)) {
		joined[n] = ':';
		joined[n + 1] = ' ';
		memcpy(joined + n + 2, err->text, cause + 1);
		memcpy(err->text, joined, (size_t)n + cause + 3);
		make_printable(err->text);
	}
	return -(err->code > 0 ? err->code : EIO);
}

int err_remedy(struct err *err, const char *remedy)
{
	size_t cause = strlen(err->text), size = strlen(remedy);

	if (cause + 2 + size < sizeof(err->text)) {
		memcpy(err->text + cause, "; ", 2);
		memcpy(err->text + cause + 2, remedy, size + 1);
	}
	return -(err->code > 0 ? err->code : EIO);
}
