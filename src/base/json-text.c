#include "base/json-text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"

static void add_scalar(struct json_object *value, struct strbuf *out)
{
	strbuf_adds(out, json_text(value));
}

static void add_key(const char *key, struct strbuf *out)
{
	autojson struct json_object *text = json_object_new_string(key);

	add_scalar(text, out);
}

static void add_break(int columns, struct strbuf *out)
{
	strbuf_addc(out, '\n');
	while (columns-- > 0)
		strbuf_addc(out, ' ');
}

static void print_at(struct json_object *value, int indent, int column, struct strbuf *out)
{
	bool is_first = true;

	if (json_object_is_type(value, json_type_object) && json_object_object_length(value)) {
		strbuf_addc(out, '{');
		json_object_object_foreach(value, key, member)
		{
			if (!is_first)
				strbuf_addc(out, ',');
			is_first = false;
			add_break(column + indent, out);
			add_key(key, out);
			strbuf_adds(out, ": ");
			print_at(member, indent, column + indent, out);
		}
		add_break(column, out);
		strbuf_addc(out, '}');
	} else if (json_object_is_type(value, json_type_array) && json_object_array_length(value)) {
		strbuf_addc(out, '[');
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			if (i)
				strbuf_addc(out, ',');
			add_break(column + indent, out);
			print_at(json_object_array_get_idx(value, i), indent, column + indent, out);
		}
		add_break(column, out);
		strbuf_addc(out, ']');
	} else {
		add_scalar(value, out);
	}
}

void json_print(struct json_object *value, int indent, struct strbuf *out)
{
	print_at(value, indent, 0, out);
}

/* May the text stand in YAML without quotes and still be this text? Rather quote once too often. */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on",
					     "off",  "null",  "~",   "y",  "n" };
	size_t size = strlen(text);

	if (!size || strchr("-?:,[]{}#&*!|>'\"%@` .+=<", text[0]) || text[size - 1] == ' ' ||
	    text[size - 1] == ':')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || (*p == ':' && p[1] == ' ') ||
		    (*p == ' ' && p[1] == '#'))
			return false;
	/* "1.5", "0x1f", "2024-01-02", "1:30": all that begins like a number and holds only what a
	 * number, a time or a date may hold */
	return !isdigit((unsigned char)text[0]) ||
	       text[strspn(text, "0123456789abcdefABCDEFxo_.:-+TZ ")];
}

static void yaml_scalar(struct json_object *value, struct strbuf *out)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string)) {
		add_scalar(value, out);
		return;
	}
	text = json_object_get_string(value);
	if (is_plain(text))
		strbuf_adds(out, text);
	else
		add_scalar(value, out); /* JSON's quoted texts are YAML's */
}

static bool is_block(struct json_object *value)
{
	return (json_object_is_type(value, json_type_object) &&
		json_object_object_length(value) > 0) ||
	       (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0);
}

/* `goes_on`: the first line continues one that begins with "- ". */
static void yaml_block(struct json_object *value, int column, bool goes_on, struct strbuf *out)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			struct json_object *item = json_object_array_get_idx(value, i);

			if (!goes_on && out->size)
				add_break(column, out);
			goes_on = false;
			strbuf_adds(out, "- ");
			if (is_block(item))
				yaml_block(item, column + 2, true, out);
			else
				yaml_scalar(item, out);
		}
		return;
	}
	json_object_object_foreach(value, key, member)
	{
		if (!goes_on && out->size)
			add_break(column, out);
		goes_on = false;
		if (is_plain(key))
			strbuf_adds(out, key);
		else
			add_key(key, out);
		strbuf_adds(out, ":");
		if (!is_block(member)) {
			strbuf_addc(out, ' ');
			yaml_scalar(member, out);
		} else {
			yaml_block(member,
				   column + (json_object_is_type(member, json_type_object) ? 2 : 0),
				   false, out);
		}
	}
}

void json_print_yaml(struct json_object *value, struct strbuf *out)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (is_block(value))
		yaml_block(value, 0, false, &text);
	else
		yaml_scalar(value, &text);
	strbuf_adds(out, strbuf_text(&text));
	strbuf_addc(out, '\n');
}

void json_quote(const char *text, struct strbuf *out)
{
	strbuf_addc(out, '"');
	while (*text) {
		size_t plain = 0;
		while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		strbuf_add(out, text, plain);
		text += plain;
		if (!*text)
			break;
		if (*text == '"' || *text == '\\')
			strbuf_addf(out, "\\%c", *text);
		else
			strbuf_addf(out, "\\u%04x", (unsigned)(unsigned char)*text);
		text++;
	}
	strbuf_addc(out, '"');
}
