/* A recursive-descent reader over one piece of memory.
 *
 * The text is checked to be UTF-8 without stray control characters before anything else, so the
 * grammar below looks at ASCII only. The hard part of TOML is not its values but who may extend a
 * table: a [header] opens a table once, dotted keys extend only what dotted keys made, inline
 * tables and arrays are closed for good. Each table and array therefore carries an enum origin as
 * its json-c user data, which is meaningless once parsing is over. */
#include "base/toml.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"

#define TOML_DEPTH 64

/* Where a table or an array came from, hence who may add to it. */
enum origin {
	ORIGIN_IMPLIED,	    /* on the way to a [header]; a header of its own may follow, once */
	ORIGIN_HEADER,	    /* [table], or an element of [[array]] */
	ORIGIN_DOTTED,	    /* made by a.b = …; only such keys add to it */
	ORIGIN_CLOSED,	    /* inline: { … } or [ … ] */
	ORIGIN_TABLE_ARRAY, /* [[array]] */
};

struct parser {
	const char *at, *end;
	unsigned line;
	unsigned depth; /* of nested values */
	struct err *err;
};

static int fail(struct parser *parser, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parser *parser, const char *fmt, ...)
{
	char text[256]; /* err->text is longer than this by enough for the line */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(parser->err, EINVAL, "line %u: %s", parser->line, text);
}

static enum origin origin_of(struct json_object *node)
{
	return (enum origin)(uintptr_t)json_object_get_userdata(node);
}

static void set_origin(struct json_object *node, enum origin origin)
{
	json_object_set_userdata(node, (void *)(uintptr_t)origin, NULL);
}

static struct json_object *new_table(enum origin origin)
{
	struct json_object *table = json_object_new_object();

	set_origin(table, origin);
	return table;
}

/* ---- characters ---- */

static int peek(const struct parser *parser)
{
	return parser->at < parser->end ? (unsigned char)*parser->at : -1;
}

static bool starts_with(const struct parser *parser, const char *text)
{
	size_t size = strlen(text);

	return (size_t)(parser->end - parser->at) >= size && memcmp(parser->at, text, size) == 0;
}

static bool is_digit(int c, int base)
{
	if (base == 16)
		return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
	return c >= '0' && c < '0' + base;
}

static bool is_bare_key(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c, 10) || c == '_' ||
	       c == '-';
}

static void skip_blanks(struct parser *parser)
{
	while (peek(parser) == ' ' || peek(parser) == '\t')
		parser->at++;
}

static bool skip_newline(struct parser *parser)
{
	if (peek(parser) == '\r') /* check_text() saw that a line feed follows */
		parser->at++;
	if (peek(parser) != '\n')
		return false;
	parser->at++;
	parser->line++;
	return true;
}

static void skip_comment(struct parser *parser)
{
	if (peek(parser) != '#')
		return;
	const char *end =
		memchr(parser->at, '\n', (size_t)(parser->end - parser->at)) ?: parser->end;
	if (end < parser->end && end[-1] == '\r')
		end--;
	parser->at = end;
}

/* Blanks, comments and line ends: what may stand between the elements of an array. */
static void skip_filler(struct parser *parser)
{
	do {
		skip_blanks(parser);
		skip_comment(parser);
	} while (skip_newline(parser));
}

static int expect_line_end(struct parser *parser)
{
	skip_blanks(parser);
	skip_comment(parser);
	if (parser->at == parser->end || skip_newline(parser))
		return 0;
	const char *start = parser->at;
	while (parser->at < parser->end && parser->at - start < 20 && *parser->at != '\n')
		parser->at++;
	return fail(parser, "unexpected text behind the value, at '%.*s'",
		    (int)(parser->at - start), start);
}

/* Bytes of the UTF-8 sequence at `at`, 0 when it is none (overlong forms and surrogates too). */
static size_t utf8_length(const unsigned char *at, size_t size)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t length;

	if (at[0] < 0x80)
		return 1;
	if ((at[0] & 0xe0) == 0xc0)
		length = 2, code = at[0] & 0x1f;
	else if ((at[0] & 0xf0) == 0xe0)
		length = 3, code = at[0] & 0x0f;
	else if ((at[0] & 0xf8) == 0xf0)
		length = 4, code = at[0] & 0x07;
	else
		return 0;
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

enum { PLAIN_BLOCK = 32 };

/* Whether a block is printable ASCII and line feeds. Compilers make vectors of a loop like this one. */
static bool is_plain(const char *at)
{
	unsigned char is_other = 0;

	for (size_t i = 0; i < PLAIN_BLOCK; i++) {
		unsigned char c = at[i] == '\n' ? ' ' : (unsigned char)at[i];
		is_other |= (unsigned char)(c - ' ') > '~' - ' ';
	}
	return !is_other;
}

static unsigned line_of(const struct parser *parser, const char *at)
{
	unsigned line = 1;

	for (const char *p = parser->at; p < at; p++)
		line += *p == '\n';
	return line;
}

static int check_text(struct parser *parser)
{
	const char *at = parser->at;

	while (at < parser->end) {
		/* Files of the system are mostly comments, and are read by every command. */
		if (parser->end - at >= PLAIN_BLOCK && is_plain(at)) {
			at += PLAIN_BLOCK;
			continue;
		}
		unsigned char c = (unsigned char)*at;
		size_t length = utf8_length((const unsigned char *)at, (size_t)(parser->end - at));
		bool line_end = c == '\n' || (c == '\r' && at + 1 < parser->end && at[1] == '\n');
		if (length == 0 || (c < 0x20 && c != '\t' && !line_end) || c == 0x7f) {
			parser->line = line_of(parser, at);
			return length ? fail(parser, "control character 0x%02x", c)
				      : fail(parser, "not valid UTF-8 (byte 0x%02x)", c);
		}
		at += length;
	}
	return 0;
}

/* ---- strings ---- */

static void add_utf8(struct strbuf *text, uint32_t code)
{
	if (code < 0x80) {
		strbuf_addc(text, (char)code);
	} else if (code < 0x800) {
		strbuf_addc(text, (char)(0xc0 | code >> 6));
		strbuf_addc(text, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		strbuf_addc(text, (char)(0xe0 | code >> 12));
		strbuf_addc(text, (char)(0x80 | (code >> 6 & 0x3f)));
		strbuf_addc(text, (char)(0x80 | (code & 0x3f)));
	} else {
		strbuf_addc(text, (char)(0xf0 | code >> 18));
		strbuf_addc(text, (char)(0x80 | (code >> 12 & 0x3f)));
		strbuf_addc(text, (char)(0x80 | (code >> 6 & 0x3f)));
		strbuf_addc(text, (char)(0x80 | (code & 0x3f)));
	}
}

static int parse_unicode_escape(struct parser *parser, int digits, struct strbuf *text)
{
	uint32_t code = 0;

	for (int i = 0; i < digits; i++) {
		int c = peek(parser);
		if (!is_digit(c, 16))
			return fail(parser, "\\%c needs %d hex digits", digits == 4 ? 'u' : 'U',
				    digits);
		code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
		parser->at++;
	}
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return fail(parser, "U+%04X is not a character", code);
	if (code == 0)
		return fail(parser, "a string may not contain the NUL character");
	add_utf8(text, code);
	return 0;
}

static int parse_escape(struct parser *parser, bool multi_line, struct strbuf *text)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	int c = peek(parser);

	if (multi_line && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
		/* A backslash at the end of a line swallows all white space up to the next word. */
		skip_blanks(parser);
		if (!skip_newline(parser))
			return fail(parser, "unknown escape '\\ '");
		do
			skip_blanks(parser);
		while (skip_newline(parser));
		return 0;
	}
	const char *name = c > 0 ? strchr(names, c) : NULL;
	if (name) {
		strbuf_addc(text, values[name - names]);
		parser->at++;
		return 0;
	}
	if (c == 'u' || c == 'U') {
		parser->at++;
		return parse_unicode_escape(parser, c == 'u' ? 4 : 8, text);
	}
	if (c < 0x20 || c > 0x7e)
		return fail(parser, "unknown escape");
	return fail(parser, "unknown escape '\\%c'; write '\\\\' for a backslash", c);
}

/* At the first quote of "…", '…', """…""" or '''…'''. */
static int parse_string(struct parser *parser, bool may_be_multi_line, struct strbuf *text)
{
	char quote = *parser->at;
	char fence[] = { quote, quote, quote, '\0' };
	bool multi_line = may_be_multi_line && starts_with(parser, fence);
	unsigned start = parser->line;

	parser->at += multi_line ? 3 : 1;
	if (multi_line)
		(void)skip_newline(parser); /* one directly behind the quotes does not count */
	for (;;) {
		int c = peek(parser);
		if (c < 0 || (!multi_line && (c == '\n' || c == '\r')))
			return fail(parser, "the string that starts on line %u has no end", start);
		if (c == quote && !multi_line) {
			parser->at++;
			return 0;
		}
		if (c == quote && starts_with(parser, fence)) {
			/* Up to two quotes may stand directly before the closing three. */
			parser->at += 3;
			for (int extra = 0; extra < 2 && peek(parser) == quote; extra++) {
				strbuf_addc(text, quote);
				parser->at++;
			}
			return 0;
		}
		if (c == '\\' && quote == '"') {
			parser->at++;
			int r = parse_escape(parser, multi_line, text);
			if (r < 0)
				return r;
			continue;
		}
		if (c == '\r' || c == '\n') {
			(void)skip_newline(parser);
			c = '\n';
			strbuf_addc(text, (char)c);
			continue;
		}
		strbuf_addc(text, (char)c);
		parser->at++;
	}
}

/* ---- keys ---- */

/* a, "a b", a.b."c" */
static int parse_key(struct parser *parser, struct strlist *parts)
{
	for (;;) {
		autostrbuf struct strbuf part = STRBUF_EMPTY;

		skip_blanks(parser);
		if (peek(parser) == '"' || peek(parser) == '\'') {
			int r = parse_string(parser, false, &part);
			if (r < 0)
				return r;
		} else {
			const char *start = parser->at;
			while (is_bare_key(peek(parser)))
				parser->at++;
			if (parser->at == start)
				return fail(parser, "expected a key");
			strbuf_add(&part, start, (size_t)(parser->at - start));
		}
		if (parts->count >= TOML_DEPTH)
			return fail(parser, "a key of more than %d parts", TOML_DEPTH);
		strlist_take(parts, strbuf_take(&part));
		skip_blanks(parser);
		if (peek(parser) != '.')
			return 0;
		parser->at++;
	}
}

static int parse_value(struct parser *parser, struct json_object **ret_value);

/* key = value, into `table`. */
static int parse_pair(struct parser *parser, struct json_object *table)
{
	autostrlist struct strlist parts = STRLIST_EMPTY;
	autojson struct json_object *value = NULL;
	unsigned line = parser->line;

	int r = parse_key(parser, &parts);
	if (r < 0)
		return r;
	if (peek(parser) != '=')
		return fail(parser, "expected '=' behind the key '%s'",
			    parts.items[parts.count - 1]);
	parser->at++;
	r = parse_value(parser, &value);
	if (r < 0)
		return r;

	for (size_t i = 0; i + 1 < parts.count; i++) {
		struct json_object *next = NULL;
		if (!json_object_object_get_ex(table, parts.items[i], &next)) {
			next = new_table(ORIGIN_DOTTED);
			json_object_object_add(table, parts.items[i], next);
		} else if (!json_object_is_type(next, json_type_object) ||
			   origin_of(next) != ORIGIN_DOTTED) {
			return fail(parser, "'%s' is defined already and cannot be added to",
				    parts.items[i]);
		}
		table = next;
	}
	const char *last = parts.items[parts.count - 1];
	if (json_object_object_get_ex(table, last, NULL)) {
		parser->line = line;
		return fail(parser, "the key '%s' is set twice", last);
	}
	json_object_object_add(table, last, take_ptr(&value));
	return 0;
}

/* ---- values ---- */

/* Digits with single underscores between them, appended to `digits` without those. */
static bool parse_digits(struct parser *parser, int base, struct strbuf *digits)
{
	if (!is_digit(peek(parser), base))
		return false;
	for (;;) {
		while (is_digit(peek(parser), base))
			strbuf_addc(digits, *parser->at++);
		if (peek(parser) != '_')
			return true;
		parser->at++;
		if (!is_digit(peek(parser), base))
			return false;
	}
}

static int parse_integer_of_base(struct parser *parser, int base, struct json_object **ret_value)
{
	autostrbuf struct strbuf digits = STRBUF_EMPTY;

	parser->at += 2;
	if (!parse_digits(parser, base, &digits))
		return fail(parser, "invalid number");
	errno = 0;
	long long value = strtoll(digits.data, NULL, base);
	if (errno)
		return fail(parser, "number out of range");
	*ret_value = json_object_new_int64(value);
	return 0;
}

static bool digits_at(const struct parser *parser, const char *shape)
{
	if ((size_t)(parser->end - parser->at) < strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == '0' ? !is_digit(parser->at[i], 10) : parser->at[i] != shape[i])
			return false;
	return true;
}

/* Dates and times keep their text: nothing here computes with them. */
static int parse_date_time(struct parser *parser, struct json_object **ret_value)
{
	const char *start = parser->at;
	bool date = digits_at(parser, "0000-00-00"), time = !date;

	if (date) {
		parser->at += 10;
		int c = peek(parser);
		if (c == 'T' || c == 't' || c == ' ') {
			parser->at++;
			time = digits_at(parser, "00:00:00");
			if (!time && c != ' ')
				return fail(parser, "invalid time");
			if (!time)
				parser->at--;
		}
	}
	if (time) {
		parser->at += 8;
		if (peek(parser) == '.') {
			parser->at++;
			if (!is_digit(peek(parser), 10))
				return fail(parser, "invalid time");
			while (is_digit(peek(parser), 10))
				parser->at++;
		}
		if (date && (peek(parser) == 'Z' || peek(parser) == 'z'))
			parser->at++;
		else if (date && (digits_at(parser, "+00:00") || digits_at(parser, "-00:00")))
			parser->at += 6;
	}
	*ret_value = json_object_new_string_len(start, (int)(parser->at - start));
	return 0;
}

static int parse_number(struct parser *parser, struct json_object **ret_value)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	bool is_float = false;

	if (digits_at(parser, "0000-00-00") || digits_at(parser, "00:00:00"))
		return parse_date_time(parser, ret_value);
	if (starts_with(parser, "0x"))
		return parse_integer_of_base(parser, 16, ret_value);
	if (starts_with(parser, "0o"))
		return parse_integer_of_base(parser, 8, ret_value);
	if (starts_with(parser, "0b"))
		return parse_integer_of_base(parser, 2, ret_value);

	int sign = peek(parser) == '+' || peek(parser) == '-' ? *parser->at++ : 0;
	if (sign == '-')
		strbuf_addc(&text, '-');
	if (starts_with(parser, "inf") || starts_with(parser, "nan")) {
		double value = *parser->at == 'i' ? (double)INFINITY : (double)NAN;
		parser->at += 3;
		*ret_value = json_object_new_double(sign == '-' ? -value : value);
		return 0;
	}
	const char *first = parser->at;
	if (!parse_digits(parser, 10, &text))
		return fail(parser, "invalid value; text needs quotes");
	if (*first == '0' && parser->at - first > 1)
		return fail(parser, "a number may not start with 0; octal is written 0o…");
	if (peek(parser) == '.') {
		is_float = true;
		strbuf_addc(&text, *parser->at++);
		if (!parse_digits(parser, 10, &text))
			return fail(parser, "invalid number");
	}
	if (peek(parser) == 'e' || peek(parser) == 'E') {
		is_float = true;
		strbuf_addc(&text, *parser->at++);
		if (peek(parser) == '+' || peek(parser) == '-')
			strbuf_addc(&text, *parser->at++);
		if (!parse_digits(parser, 10, &text))
			return fail(parser, "invalid number");
	}
	if (is_float) { /* the C locale is in force: nothing here calls setlocale(LC_NUMERIC) */
		*ret_value = json_object_new_double(strtod(text.data, NULL));
		return 0;
	}
	errno = 0;
	long long value = strtoll(text.data, NULL, 10);
	if (errno)
		return fail(parser, "number out of range");
	*ret_value = json_object_new_int64(value);
	return 0;
}

static int parse_array(struct parser *parser, struct json_object **ret_value)
{
	autojson struct json_object *array = json_object_new_array();
	unsigned start = parser->line;

	set_origin(array, ORIGIN_CLOSED);
	parser->at++;
	for (;;) {
		skip_filler(parser);
		if (peek(parser) == ']')
			break;
		if (peek(parser) < 0)
			return fail(parser, "the array that starts on line %u has no end", start);
		struct json_object *item = NULL;
		int r = parse_value(parser, &item);
		if (r < 0)
			return r;
		json_object_array_add(array, item);
		skip_filler(parser);
		if (peek(parser) == ',')
			parser->at++;
		else if (peek(parser) != ']')
			return fail(parser,
				    "expected ',' or ']' in the array that starts on line %u",
				    start);
	}
	parser->at++;
	*ret_value = take_ptr(&array);
	return 0;
}

/* From here on nothing may add to what an inline table holds, dotted keys neither. */
static void close_table(struct json_object *table)
{
	set_origin(table, ORIGIN_CLOSED);
	json_object_object_foreach(table, key, child)
	{
		(void)key;
		if (json_object_is_type(child, json_type_object) &&
		    origin_of(child) != ORIGIN_CLOSED)
			close_table(child);
	}
}

static int parse_inline_table(struct parser *parser, struct json_object **ret_value)
{
	autojson struct json_object *table = new_table(ORIGIN_DOTTED);

	parser->at++;
	skip_blanks(parser);
	if (peek(parser) == '}') {
		parser->at++;
	} else {
		for (;;) {
			int r = parse_pair(parser, table);
			if (r < 0)
				return r;
			skip_blanks(parser);
			int c = peek(parser);
			if (c != ',' && c != '}')
				return fail(parser,
					    "expected ',' or '}' on the line of an inline table");
			parser->at++;
			if (c == '}')
				break;
		}
	}
	close_table(table);
	*ret_value = take_ptr(&table);
	return 0;
}

static int parse_value(struct parser *parser, struct json_object **ret_value)
{
	int r = 0;

	if (++parser->depth > TOML_DEPTH)
		return fail(parser, "values are nested deeper than %d levels", TOML_DEPTH);
	skip_blanks(parser);
	int c = peek(parser);
	if (c == '"' || c == '\'') {
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		r = parse_string(parser, true, &text);
		if (r == 0)
			*ret_value = json_object_new_string_len(strbuf_text(&text), (int)text.size);
	} else if (c == '[') {
		r = parse_array(parser, ret_value);
	} else if (c == '{') {
		r = parse_inline_table(parser, ret_value);
	} else if (starts_with(parser, "true") || starts_with(parser, "false")) {
		*ret_value = json_object_new_boolean(c == 't');
		parser->at += c == 't' ? 4 : 5;
	} else if (c < 0 || c == '\n' || c == '\r' || c == '#') {
		r = fail(parser, "expected a value");
	} else {
		r = parse_number(parser, ret_value);
	}
	parser->depth--;
	return r;
}

/* ---- headers ---- */

/* The table that `key` leads to from `table` on the way to a header, made when it is missing. */
static int enter_table(struct parser *parser, struct json_object *table, const char *key,
		       struct json_object **ret_next)
{
	struct json_object *next = NULL;

	if (!json_object_object_get_ex(table, key, &next)) {
		next = new_table(ORIGIN_IMPLIED);
		json_object_object_add(table, key, next);
	} else if (json_object_is_type(next, json_type_array) &&
		   origin_of(next) == ORIGIN_TABLE_ARRAY) {
		next = json_object_array_get_idx(next, json_object_array_length(next) - 1);
	} else if (!json_object_is_type(next, json_type_object) ||
		   origin_of(next) == ORIGIN_CLOSED) {
		return fail(parser, "'%s' is defined already and cannot be added to", key);
	}
	*ret_next = next;
	return 0;
}

static int open_table(struct parser *parser, struct json_object *parent, const char *key,
		      struct json_object **ret_table)
{
	struct json_object *table = NULL;

	if (!json_object_object_get_ex(parent, key, &table)) {
		table = new_table(ORIGIN_HEADER);
		json_object_object_add(parent, key, table);
	} else if (json_object_is_type(table, json_type_object) &&
		   origin_of(table) == ORIGIN_IMPLIED) {
		set_origin(table, ORIGIN_HEADER);
	} else {
		return fail(parser, "the table '%s' is defined twice", key);
	}
	*ret_table = table;
	return 0;
}

static int open_array_element(struct parser *parser, struct json_object *parent, const char *key,
			      struct json_object **ret_table)
{
	struct json_object *array = NULL;

	if (!json_object_object_get_ex(parent, key, &array)) {
		array = json_object_new_array();
		set_origin(array, ORIGIN_TABLE_ARRAY);
		json_object_object_add(parent, key, array);
	} else if (!json_object_is_type(array, json_type_array) ||
		   origin_of(array) != ORIGIN_TABLE_ARRAY) {
		return fail(parser, "'%s' is defined already and is no array of tables", key);
	}
	*ret_table = new_table(ORIGIN_HEADER);
	json_object_array_add(array, *ret_table);
	return 0;
}

/* [a.b] or [[a.b]]; pairs that follow go into *ret_table. */
static int parse_header(struct parser *parser, struct json_object *root,
			struct json_object **ret_table)
{
	autostrlist struct strlist parts = STRLIST_EMPTY;
	bool is_array = starts_with(parser, "[[");

	parser->at += is_array ? 2 : 1;
	int r = parse_key(parser, &parts);
	if (r < 0)
		return r;
	if (!starts_with(parser, is_array ? "]]" : "]"))
		return fail(parser, "expected '%s' behind the name of the table",
			    is_array ? "]]" : "]");
	parser->at += is_array ? 2 : 1;

	struct json_object *table = root;
	for (size_t i = 0; i + 1 < parts.count; i++) {
		r = enter_table(parser, table, parts.items[i], &table);
		if (r < 0)
			return r;
	}
	const char *last = parts.items[parts.count - 1];
	r = is_array ? open_array_element(parser, table, last, ret_table)
		     : open_table(parser, table, last, ret_table);
	return r < 0 ? r : expect_line_end(parser);
}

int toml_parse(const char *text, size_t size, struct json_object **ret_root, struct err *err)
{
	struct parser parser = { .at = text, .end = text + size, .line = 1, .err = err };

	if (size > TOML_SIZE_MAX)
		return err_set(err, EFBIG, "TOML of %zu bytes is larger than the %zu allowed", size,
			       TOML_SIZE_MAX);
	int r = check_text(&parser);
	if (r < 0)
		return r;
	if (starts_with(&parser, "\xef\xbb\xbf"))
		parser.at += 3;

	autojson struct json_object *root = new_table(ORIGIN_HEADER);
	for (struct json_object *table = root;;) {
		skip_filler(&parser);
		if (parser.at == parser.end)
			break;
		if (peek(&parser) == '[') {
			r = parse_header(&parser, root, &table);
		} else {
			r = parse_pair(&parser, table);
			if (r == 0)
				r = expect_line_end(&parser);
		}
		if (r < 0)
			return r;
	}
	*ret_root = take_ptr(&root);
	return 0;
}
