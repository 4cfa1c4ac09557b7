#include "base/mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "Error: out of memory\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1); /* nothing is left to do about it */
	abort();
}

static void *check(void *ptr)
{
	if (!ptr)
		out_of_memory();
	return ptr;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *ptr, size_t size)
{
	return check(realloc(ptr, size ? size : 1));
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
	return check(reallocarray(ptr, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *text)
{
	return text ? check(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t size)
{
	return check(strndup(text, size));
}

void *xmemdup(const void *data, size_t size)
{
	return size ? memcpy(xmalloc(size), data, size) : xmalloc(1);
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return text;
}

void mem_free_pointer(void *pointer_to_pointer)
{
	int saved = errno;
	free(*(void **)pointer_to_pointer);
	errno = saved;
}

void mem_expect(size_t size)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)mallopt(M_MMAP_THRESHOLD, (int)size * 2);
	(void)mallopt(M_TRIM_THRESHOLD, (int)size * 4);
	(void)mallopt(M_TOP_PAD, (int)size);
	char *first = malloc(size); /* the heap grows now, and keeps it */
	uintptr_t begin = (uintptr_t)first & ~(page - 1);
	free(first);
	/* Linux before 5.14 does not know this; then there are page faults. */
	if (begin)
		(void)madvise((void *)begin, size, MADV_POPULATE_WRITE);
}
