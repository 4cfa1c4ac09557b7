/* Lists of strings: argument vectors, environments, repeated options. The items array is
 * NULL-terminated whenever it is not NULL, so it can be handed to execve(2). Items are owned by the
 * list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct strlist {
	char **items;
	size_t count;
};

#define STRLIST_EMPTY ((struct strlist){ 0 })
#define autostrlist   __attribute__((cleanup(strlist_clear)))

void strlist_clear(struct strlist *list);
void strlist_add(struct strlist *list, const char *item); /* copies */
void strlist_take(struct strlist *list, char *item);	  /* owns `item` from now on */
void strlist_addf(struct strlist *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strlist_extend(struct strlist *list, const struct strlist *other);
void strlist_remove(struct strlist *list, size_t index); /* keeps the order of the rest */
void strlist_sort(struct strlist *list);		 /* by bytes */
bool strlist_contains(const struct strlist *list, const char *item);

/* Split at every `separator`; empty parts are kept. "" gives an empty list. */
void strlist_split(struct strlist *list, const char *text, char separator);

/* Joined by `separator`, owned by the caller. */
char *strlist_join(const struct strlist *list, const char *separator);

/* KEY=VALUE lists. Set replaces an entry of the same key in place or appends; get returns the
 * value, borrowed, or NULL. */
void strlist_env_set(struct strlist *list, const char *key, const char *value);
const char *strlist_env_get(const struct strlist *list, const char *key);
void strlist_env_unset(struct strlist *list, const char *key);
