#include "monitor/detach-keys.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

/* The byte that one key of the notation sends, or -1. */
static int key_byte(const char *text, size_t size)
{
	if (size == 1)
		return (unsigned char)*text;
	if (size != 6 || strncmp(text, "ctrl-", 5) != 0)
		return -1;
	char c = text[5];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@' || (c >= '[' && c <= '_'))
		return c - '@';
	return -1;
}

int detach_keys_parse(const char *text, struct detach_keys *ret_keys, struct err *err)
{
	struct detach_keys keys = { 0 };

	for (const char *at = text; *text;) {
		size_t size = strcspn(at, ",");
		int byte = key_byte(at, size);

		if (byte < 0)
			return err_set(
				err, EINVAL,
				"detach keys '%s': '%.*s' is no key; give single characters or "
				"ctrl-LETTER, separated by commas",
				text, (int)size, at);
		if (keys.count == DETACH_KEYS_MAX)
			return err_set(err, EINVAL, "detach keys '%s': more than %d keys", text,
				       DETACH_KEYS_MAX);
		keys.keys[keys.count++] = (unsigned char)byte;
		if (!at[size])
			break;
		at += size + 1;
	}
	*ret_keys = keys;
	return 0;
}

ssize_t detach_keys_filter(struct detach_keys *keys, const char *data, size_t size, char *out)
{
	size_t out_size = 0;

	if (keys->count == 0) {
		memcpy(out, data, size);
		return (ssize_t)size;
	}
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)data[i];

		/* Let go of held bytes until what is left, with this one, is a beginning of the
		 * sequence again. The held bytes are keys[0…matched), so they can be taken from
		 * there. */
		while (keys->matched && keys->keys[keys->matched] != byte) {
			size_t drop = 1;

			while (drop < keys->matched &&
			       memcmp(keys->keys + drop, keys->keys, keys->matched - drop) != 0)
				drop++;
			memcpy(out + out_size, keys->keys, drop);
			out_size += drop;
			keys->matched -= drop;
		}
		if (keys->keys[keys->matched] != byte)
			out[out_size++] = (char)byte;
		else if (++keys->matched == keys->count) {
			keys->matched = 0;
			return -1;
		}
	}
	return (ssize_t)out_size;
}
