/* Memory: allocation that ends the process instead of failing, and ownership that the compiler
 * cleans up.
 *
 * A short-lived command gains nothing from limping on without memory; what it leaves behind is
 * valid whenever it dies. Sizes that come from outside are bounded before they reach these
 * functions. */
#pragma once

#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *text);	       /* NULL stays NULL */
char *xstrndup(const char *text, size_t size); /* stops at a NUL or after `size` bytes */
void *xmemdup(const void *data, size_t size);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Say that the process is about to use some `size` bytes of heap: they are mapped by one call instead of a page fault
 * each, and kept when freed in between. A hint; memory that is not there fails where it is used. */
void mem_expect(size_t size);

/* Free what a `char *` or other pointer variable holds when it goes out of scope; errno is kept. */
void mem_free_pointer(void *pointer_to_pointer);
#define autofree __attribute__((cleanup(mem_free_pointer)))

/* Hand ownership on: the variable becomes NULL and its old value is the result. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__auto_type take_ptr_at_ = (p);                                                    \
		__auto_type take_ptr_value_ = *take_ptr_at_;                                       \
		*take_ptr_at_ = NULL;                                                              \
		take_ptr_value_;                                                                   \
	})

/* Defines the cleanup function behind an `autoX` macro of a type with an X_free(). */
#define DEFINE_AUTO(type, free_function)                                                           \
	static inline void free_function##_auto(type *at)                                          \
	{                                                                                          \
		if (*at)                                                                           \
			free_function(*at);                                                        \
	}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
