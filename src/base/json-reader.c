#include "base/json-reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct json_at json_at_root(struct json_reader *reader, struct json_object *root)
{
	return (struct json_at){ .reader = reader, .value = root };
}

int json_reader_failed(const struct json_reader *reader)
{
	return reader->code;
}

static void write_place(struct strbuf *text, const struct json_at *at)
{
	if (!at || !at->parent)
		return;
	write_place(text, at->parent);
	if (at->member)
		strbuf_addf(text, "%s%s", text->size ? "." : "", at->member);
	else
		strbuf_addf(text, "[%zu]", at->index);
}

bool json_at_fail(const struct json_at *at, const char *member, const char *fmt, ...)
{
	autostrbuf struct strbuf place = STRBUF_EMPTY;
	struct json_reader *reader = at->reader;
	char text[300];
	va_list ap;

	if (reader->code)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_place(&place, at);
	if (member)
		strbuf_addf(&place, "%s%s", place.size ? "." : "", member);
	reader->code = err_set(
		reader->err, EINVAL, "%s%s%s%s%s", reader->document ? reader->document : "",
		reader->document ? ": " : "", strbuf_text(&place), place.size ? ": " : "", text);
	return false;
}

static const char *type_words(enum json_type type)
{
	switch (type) {
	case json_type_array:
		return "a list";
	case json_type_object:
		return "an object";
	case json_type_string:
		return "a string";
	case json_type_boolean:
		return "true or false";
	default:
		return "a whole number";
	}
}

bool json_at_member(const struct json_at *object, const char *name, enum json_type type,
		    struct json_at *ret_at)
{
	struct json_object *value = NULL;

	if (object->reader->code || !json_object_is_type(object->value, json_type_object) ||
	    !json_object_object_get_ex(object->value, name, &value) || !value)
		return false;
	if (!json_object_is_type(value, type))
		return json_at_fail(object, name, "not %s", type_words(type));
	*ret_at = (struct json_at){ object->reader, object, name, 0, value };
	return true;
}

bool json_at_element(const struct json_at *list, size_t index, enum json_type type,
		     struct json_at *ret_at)
{
	if (list->reader->code || index >= json_object_array_length(list->value))
		return false;
	*ret_at = (struct json_at){ list->reader, list, NULL, index,
				    json_object_array_get_idx(list->value, index) };
	if (!json_object_is_type(ret_at->value, type))
		return json_at_fail(ret_at, NULL, "not %s", type_words(type));
	return true;
}

const char *json_at_text(const struct json_at *at)
{
	const char *text = json_object_get_string(at->value);

	if (strlen(text) == (size_t)json_object_get_string_len(at->value))
		return text;
	json_at_fail(at, NULL, "has a NUL character in it");
	return "";
}

const char *json_at_string(const struct json_at *object, const char *name)
{
	struct json_at at;

	return json_at_member(object, name, json_type_string, &at) ? json_at_text(&at) : NULL;
}

const char *json_at_need_string(const struct json_at *object, const char *name)
{
	const char *text = json_at_string(object, name);

	if (!text)
		json_at_fail(object, name, "missing");
	else if (!*text)
		json_at_fail(object, name, "empty");
	return text ? text : "";
}

void json_at_copy(const struct json_at *object, const char *name, char **text)
{
	const char *value = json_at_string(object, name);

	if (!value)
		return;
	free(*text);
	*text = xstrdup(value);
}

/* json-c keeps what is too large or small at the end of its range, so the ends themselves cannot be told from that. */
static bool is_whole(struct json_object *value, bool *ret_negative)
{
	int64_t number = json_object_get_int64(value);

	*ret_negative = number < 0;
	return number != INT64_MIN && json_object_get_uint64(value) != UINT64_MAX;
}

bool json_at_int(const struct json_at *object, const char *name, int64_t min, int64_t max,
		 int64_t *ret_number)
{
	struct json_at at;
	bool negative;

	if (!json_at_member(object, name, json_type_int, &at))
		return false;
	bool whole = is_whole(at.value, &negative);
	int64_t number = json_object_get_int64(at.value);
	if (!whole || number < min || number > max || (number == INT64_MAX && max != INT64_MAX))
		return json_at_fail(&at, NULL, "not from %" PRId64 " to %" PRId64, min, max);
	*ret_number = number;
	return true;
}

bool json_at_uint(const struct json_at *object, const char *name, uint64_t max,
		  uint64_t *ret_number)
{
	struct json_at at;
	bool negative;

	if (!json_at_member(object, name, json_type_int, &at))
		return false;
	(void)is_whole(at.value, &negative);
	uint64_t number = json_object_get_uint64(at.value);
	if (negative || number > max)
		return json_at_fail(&at, NULL, "not from 0 to %" PRIu64, max);
	*ret_number = number;
	return true;
}

int64_t json_at_need_int(const struct json_at *object, const char *name, int64_t min, int64_t max)
{
	int64_t number = min;

	if (!json_at_int(object, name, min, max, &number))
		json_at_fail(object, name, "missing");
	return number;
}

bool json_at_bool(const struct json_at *object, const char *name)
{
	struct json_at at;

	return json_at_member(object, name, json_type_boolean, &at) &&
	       json_object_get_boolean(at.value);
}

void json_at_strlist(const struct json_at *object, const char *name, struct strlist *list)
{
	struct json_at array, at;

	if (!json_at_member(object, name, json_type_array, &array))
		return;
	for (size_t i = 0; json_at_element(&array, i, json_type_string, &at); i++)
		strlist_add(list, json_at_text(&at));
}

void json_at_pairs(const struct json_at *object, const char *name,
		   void (*add)(void *data, const struct json_at *at, const char *key,
			       const char *value),
		   void *data)
{
	struct json_at members;

	if (!json_at_member(object, name, json_type_object, &members))
		return;
	json_object_object_foreach(members.value, key, value)
	{
		struct json_at at = { members.reader, &members, key, 0, value };
		if (members.reader->code)
			return;
		if (!json_object_is_type(value, json_type_string))
			json_at_fail(&at, NULL, "not a string");
		else
			add(data, &at, key, json_at_text(&at));
	}
}
