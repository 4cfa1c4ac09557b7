#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define JSON_DEPTH 64

int json_parse(const char *text, size_t size, struct json_object **ret_root, struct err *err)
{
	struct json_tokener *parser = json_tokener_new_ex(JSON_DEPTH);
	if (!parser)
		return err_set(err, ENOMEM, "parse JSON");
	if (size > INT32_MAX - 1) {
		json_tokener_free(parser);
		return err_set(err, EFBIG, "JSON of %zu bytes is too large", size);
	}

	struct json_object *root = json_tokener_parse_ex(parser, text, (int)size);
	enum json_tokener_error error = json_tokener_get_error(parser);
	if (error == json_tokener_continue) /* a bare number ends only with the text */
		root = json_tokener_parse_ex(parser, "", 1), error = json_tokener_get_error(parser);
	size_t end = json_tokener_get_parse_end(parser);
	json_tokener_free(parser);
	if (error != json_tokener_success) {
		json_object_put(root);
		return err_set(err, EINVAL, "invalid JSON at byte %zu: %s", end,
			       json_tokener_error_desc(error));
	}
	while (end < size && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (end < size) {
		json_object_put(root);
		return err_set(err, EINVAL, "invalid JSON at byte %zu: text behind the document",
			       end);
	}
	*ret_root = root;
	return 0;
}

struct json_object *json_get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

const char *json_get_string(struct json_object *object, const char *key, const char *fallback)
{
	struct json_object *value = json_get(object, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value)
							    : fallback;
}

int64_t json_get_int(struct json_object *object, const char *key, int64_t fallback)
{
	struct json_object *value = json_get(object, key);

	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

bool json_get_bool(struct json_object *object, const char *key, bool fallback)
{
	struct json_object *value = json_get(object, key);

	return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
							     : fallback;
}

void json_get_strlist(struct json_object *object, const char *key, struct strlist *list)
{
	struct json_object *array = json_get(object, key);

	if (!json_object_is_type(array, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		if (json_object_is_type(item, json_type_string))
			strlist_add(list, json_object_get_string(item));
	}
}

void json_add_string(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

void json_add_int(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_strlist(struct json_object *object, const char *key, const struct strlist *list)
{
	struct json_object *array = json_object_new_array_ext((int)list->count);

	for (size_t i = 0; i < list->count; i++)
		json_append_string(array, list->items[i]);
	json_object_object_add(object, key, array);
}

void json_append_string(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}

struct json_object *json_need_object(struct json_object *object, const char *key)
{
	struct json_object *member = json_get(object, key);

	if (!json_object_is_type(member, json_type_object)) {
		member = json_object_new_object();
		json_object_object_add(object, key, member);
	}
	return member;
}

struct json_object *json_need_array(struct json_object *object, const char *key)
{
	struct json_object *member = json_get(object, key);

	if (!json_object_is_type(member, json_type_array)) {
		member = json_object_new_array();
		json_object_object_add(object, key, member);
	}
	return member;
}

const char *json_text(struct json_object *value)
{
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE);
}

struct json_object *json_from_pairs(const struct strlist *pairs)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < pairs->count; i++) {
		const char *pair = pairs->items[i], *equals = strchrnul(pair, '=');
		autofree char *key = xstrndup(pair, (size_t)(equals - pair));
		json_add_string(object, key, *equals ? equals + 1 : "");
	}
	return object;
}

char *json_pairs_text(const struct strlist *pairs)
{
	if (!pairs || !pairs->count)
		return NULL;
	autojson struct json_object *object = json_from_pairs(pairs);
	return xstrdup(json_text(object));
}

void json_pairs_from_text(const char *text, struct strlist *pairs)
{
	autojson struct json_object *object = NULL;
	struct err ignored;

	if (!text || json_parse(text, strlen(text), &object, &ignored) < 0 ||
	    !json_object_is_type(object, json_type_object))
		return;
	json_object_object_foreach(object, key, value)
		strlist_addf(pairs, "%s=%s", key, json_object_get_string(value));
}

void json_put_pointer(struct json_object **at)
{
	int saved = errno;
	json_object_put(*at);
	*at = NULL;
	errno = saved;
}
