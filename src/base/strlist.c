#include "base/strlist.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

void strlist_clear(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = STRLIST_EMPTY;
}

void strlist_take(struct strlist *list, char *item)
{
	/* Doubling at powers of two needs no capacity field. */
	size_t used = list->count + 1;
	if (!list->items)
		list->items = xreallocarray(NULL, 4, sizeof(char *));
	else if (used >= 4 && (used & (used - 1)) == 0)
		list->items = xreallocarray(list->items, used * 2, sizeof(char *));
	list->items[list->count++] = item;
	list->items[list->count] = NULL;
}

void strlist_add(struct strlist *list, const char *item)
{
	strlist_take(list, xstrdup(item));
}

void strlist_addf(struct strlist *list, const char *fmt, ...)
{
	char *item = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&item, fmt, ap);
	va_end(ap);
	strlist_take(list, n < 0 ? xstrdup("") : item);
}

void strlist_extend(struct strlist *list, const struct strlist *other)
{
	for (size_t i = 0; i < other->count; i++)
		strlist_add(list, other->items[i]);
}

void strlist_remove(struct strlist *list, size_t index)
{
	free(list->items[index]);
	memmove(list->items + index, list->items + index + 1,
		(list->count - index) * sizeof(char *));
	list->count--;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

bool strlist_contains(const struct strlist *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

void strlist_split(struct strlist *list, const char *text, char separator)
{
	if (!*text)
		return;
	for (;;) {
		const char *end = strchrnul(text, separator);
		strlist_take(list, xstrndup(text, (size_t)(end - text)));
		if (!*end)
			return;
		text = end + 1;
	}
}

char *strlist_join(const struct strlist *list, const char *separator)
{
	struct strbuf out = STRBUF_EMPTY;

	for (size_t i = 0; i < list->count; i++) {
		if (i)
			strbuf_adds(&out, separator);
		strbuf_adds(&out, list->items[i]);
	}
	return strbuf_take(&out);
}

static bool key_matches(const char *entry, const char *key, size_t size)
{
	return strncmp(entry, key, size) == 0 && (entry[size] == '=' || entry[size] == '\0');
}

static size_t env_find(const struct strlist *list, const char *key)
{
	size_t size = strlen(key), i;

	for (i = 0; i < list->count; i++)
		if (key_matches(list->items[i], key, size))
			break;
	return i;
}

void strlist_env_set(struct strlist *list, const char *key, const char *value)
{
	size_t at = env_find(list, key);
	char *entry = xasprintf("%s=%s", key, value);

	if (at < list->count) {
		free(list->items[at]);
		list->items[at] = entry;
	} else {
		strlist_take(list, entry);
	}
}

const char *strlist_env_get(const struct strlist *list, const char *key)
{
	size_t at = env_find(list, key);

	if (at == list->count)
		return NULL;
	const char *equals = strchr(list->items[at], '=');
	return equals ? equals + 1 : "";
}

void strlist_env_unset(struct strlist *list, const char *key)
{
	for (size_t at; (at = env_find(list, key)) < list->count;)
		strlist_remove(list, at);
}
