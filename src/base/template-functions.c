/* The functions of templates, and how values are printed and compared. */
#include "base/template-internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

const char *template_type_name(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return "nil";
	case json_type_boolean:
		return "bool";
	case json_type_double:
		return "float";
	case json_type_int:
		return "number";
	case json_type_object:
		return "object";
	case json_type_array:
		return "list";
	case json_type_string:
		return "text";
	}
	return "value";
}

bool template_is_true(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return false;
	case json_type_boolean:
		return json_object_get_boolean(value);
	case json_type_double:
		return json_object_get_double(value) != 0;
	case json_type_int:
		return json_object_get_int64(value) != 0;
	case json_type_object:
		return json_object_object_length(value) > 0;
	case json_type_array:
		return json_object_array_length(value) > 0;
	case json_type_string:
		return json_object_get_string_len(value) > 0;
	}
	return false;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **template_sorted_keys(struct json_object *object, size_t *ret_count)
{
	size_t count = 0;
	const char **keys = xcalloc((size_t)json_object_object_length(object) + 1, sizeof(*keys));

	json_object_object_foreach(object, key, member)
	{
		(void)member;
		keys[count++] = key;
	}
	qsort(keys, count, sizeof(*keys), compare_keys);
	*ret_count = count;
	return keys;
}

/* The shortest decimal that reads back as the same number, as Go has it. */
static void print_double(double number, struct strbuf *out)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	/* %g turns to exponents at fewer digits than Go does */
	if (strchr(text, 'e') && (number < 0 ? -number : number) >= 1 &&
	    (number < 0 ? -number : number) < 1e21)
		snprintf(text, sizeof(text), "%.0f", number);
	strbuf_adds(out, text);
}

static void print_inner(struct json_object *value, struct strbuf *out)
{
	autofree const char **keys = NULL;
	size_t count;

	switch (json_object_get_type(value)) {
	case json_type_null:
		strbuf_adds(out, "<nil>");
		break;
	case json_type_boolean:
		strbuf_adds(out, json_object_get_boolean(value) ? "true" : "false");
		break;
	case json_type_double:
		print_double(json_object_get_double(value), out);
		break;
	case json_type_int:
		strbuf_addf(out, "%" PRId64, json_object_get_int64(value));
		break;
	case json_type_string:
		strbuf_add(out, json_object_get_string(value),
			   (size_t)json_object_get_string_len(value));
		break;
	case json_type_array:
		strbuf_addc(out, '[');
		count = json_object_array_length(value);
		for (size_t i = 0; i < count; i++) {
			if (i)
				strbuf_addc(out, ' ');
			print_inner(json_object_array_get_idx(value, i), out);
		}
		strbuf_addc(out, ']');
		break;
	case json_type_object:
		strbuf_adds(out, "map[");
		keys = template_sorted_keys(value, &count);
		for (size_t i = 0; i < count; i++) {
			strbuf_addf(out, "%s%s:", i ? " " : "", keys[i]);
			print_inner(json_get(value, keys[i]), out);
		}
		strbuf_addc(out, ']');
		break;
	}
}

void template_print_value(struct json_object *value, struct strbuf *out)
{
	if (!value)
		strbuf_adds(out, "<no value>");
	else
		print_inner(value, out);
}

static int give_text(struct strbuf *buf, struct json_object **ret_value)
{
	*ret_value = json_object_new_string_len(strbuf_text(buf), (int)buf->size);
	return 0;
}

static int give_bool(bool value, struct json_object **ret_value)
{
	*ret_value = json_object_new_boolean(value);
	return 0;
}

static bool is_text(struct json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

static bool is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) ||
	       json_object_is_type(value, json_type_double);
}

/* The text of a value that has to be one; others are printed, which is kinder than Go. */
static const char *text_of(struct json_object *value, struct strbuf *buf)
{
	if (is_text(value))
		return json_object_get_string(value);
	if (value)
		print_inner(value, buf);
	return strbuf_text(buf);
}

/* and, or: the first argument that decides came last, the caller stopped there. */
static int call_last(struct json_object **args, int count, struct json_object **ret_value,
		     struct err *err)
{
	*ret_value = json_object_get(args[count - 1]);
	return 0;
}

static int call_not(struct json_object **args, int count, struct json_object **ret_value,
		    struct err *err)
{
	return give_bool(!template_is_true(args[0]), ret_value);
}

static bool is_equal(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b) && json_object_get_type(a) != json_object_get_type(b))
		return json_object_get_double(a) == json_object_get_double(b);
	return json_object_get_type(a) == json_object_get_type(b) && json_object_equal(a, b);
}

static int call_eq(struct json_object **args, int count, struct json_object **ret_value,
		   struct err *err)
{
	for (int i = 1; i < count; i++)
		if (is_equal(args[0], args[i]))
			return give_bool(true, ret_value);
	return give_bool(false, ret_value);
}

static int call_ne(struct json_object **args, int count, struct json_object **ret_value,
		   struct err *err)
{
	return give_bool(!is_equal(args[0], args[1]), ret_value);
}

/* < 0, 0, > 0 in `ret_order`; only numbers and texts have an order. */
static int compare(struct json_object **args, int *ret_order, struct err *err)
{
	if (json_object_is_type(args[0], json_type_int) &&
	    json_object_is_type(args[1], json_type_int)) {
		int64_t a = json_object_get_int64(args[0]), b = json_object_get_int64(args[1]);
		*ret_order = (a > b) - (a < b);
	} else if (is_number(args[0]) && is_number(args[1])) {
		double a = json_object_get_double(args[0]), b = json_object_get_double(args[1]);
		*ret_order = (a > b) - (a < b);
	} else if (is_text(args[0]) && is_text(args[1])) {
		*ret_order =
			strcmp(json_object_get_string(args[0]), json_object_get_string(args[1]));
	} else {
		return err_set(err, EINVAL, "can't compare a %s with a %s",
			       template_type_name(args[0]), template_type_name(args[1]));
	}
	return 0;
}

#define DEFINE_ORDER(name, condition)                                                              \
	static int call_##name(struct json_object **args, int count,                               \
			       struct json_object **ret_value, struct err *err)                    \
	{                                                                                          \
		int order = 0, r = compare(args, &order, err);                                     \
		return r < 0 ? r : give_bool(condition, ret_value);                                \
	}
DEFINE_ORDER(lt, order < 0)
DEFINE_ORDER(le, order <= 0)
DEFINE_ORDER(gt, order > 0)
DEFINE_ORDER(ge, order >= 0)

static int length_of(struct json_object *value, int64_t *ret_length, struct err *err)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		*ret_length = json_object_get_string_len(value);
		return 0;
	case json_type_array:
		*ret_length = (int64_t)json_object_array_length(value);
		return 0;
	case json_type_object:
		*ret_length = json_object_object_length(value);
		return 0;
	case json_type_null: /* an empty list or object that was left out */
		*ret_length = 0;
		return 0;
	default:
		return err_set(err, EINVAL, "len of a %s", template_type_name(value));
	}
}

static int call_len(struct json_object **args, int count, struct json_object **ret_value,
		    struct err *err)
{
	int64_t length = 0;
	int r = length_of(args[0], &length, err);

	if (r >= 0)
		*ret_value = json_object_new_int64(length);
	return r;
}

static int index_one(struct json_object *value, struct json_object *key,
		     struct json_object **ret_value, struct err *err)
{
	int64_t length = 0, at;
	int r;

	if (json_object_is_type(value, json_type_object)) {
		if (!is_text(key))
			return err_set(err, EINVAL, "index of an object with a %s",
				       template_type_name(key));
		*ret_value = json_get(value, json_object_get_string(key));
		return 0;
	}
	if (!value && is_text(key)) {
		*ret_value = NULL;
		return 0;
	}
	if (value && !is_text(value) && !json_object_is_type(value, json_type_array))
		return err_set(err, EINVAL, "can't index a %s", template_type_name(value));
	if (!json_object_is_type(key, json_type_int))
		return err_set(err, EINVAL, "index of a list with a %s", template_type_name(key));
	r = length_of(value, &length, err);
	if (r < 0)
		return r;
	at = json_object_get_int64(key);
	if (at < 0 || at >= length)
		return err_set(err, ERANGE, "index out of range: %" PRId64 " of %" PRId64, at,
			       length);
	*ret_value = json_object_array_get_idx(value, (size_t)at);
	return 0;
}

static int call_index(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	struct json_object *value = args[0];

	for (int i = 1; i < count; i++) {
		/* the one thing in a text that can be indexed is its bytes */
		if (is_text(value) && json_object_is_type(args[i], json_type_int)) {
			int64_t at = json_object_get_int64(args[i]);

			if (at < 0 || at >= json_object_get_string_len(value) || i + 1 < count)
				return err_set(err, ERANGE, "index out of range: %" PRId64, at);
			*ret_value = json_object_new_int64(
				(unsigned char)json_object_get_string(value)[at]);
			return 0;
		}
		int r = index_one(value, args[i], &value, err);
		if (r < 0)
			return r;
	}
	*ret_value = json_object_get(value);
	return 0;
}

static int call_slice(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	int64_t length = 0, bounds[2];

	if (!is_text(args[0]) && !json_object_is_type(args[0], json_type_array))
		return err_set(err, EINVAL, "can't slice a %s", template_type_name(args[0]));
	int r = length_of(args[0], &length, err);
	if (r < 0)
		return r;
	bounds[0] = 0;
	bounds[1] = length;
	for (int i = 1; i < count; i++) {
		if (!json_object_is_type(args[i], json_type_int))
			return err_set(err, EINVAL, "slice with a %s", template_type_name(args[i]));
		bounds[i - 1] = json_object_get_int64(args[i]);
	}
	if (bounds[0] < 0 || bounds[1] > length || bounds[0] > bounds[1])
		return err_set(err, ERANGE,
			       "slice out of range: %" PRId64 ":%" PRId64 " of %" PRId64, bounds[0],
			       bounds[1], length);
	if (is_text(args[0])) {
		*ret_value = json_object_new_string_len(json_object_get_string(args[0]) + bounds[0],
							(int)(bounds[1] - bounds[0]));
		return 0;
	}
	*ret_value = json_object_new_array();
	for (int64_t i = bounds[0]; i < bounds[1]; i++)
		json_object_array_add(
			*ret_value, json_object_get(json_object_array_get_idx(args[0], (size_t)i)));
	return 0;
}

static int call_print(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	for (int i = 0; i < count; i++) {
		/* Go: a space between two operands when neither is a text */
		if (i && !is_text(args[i]) && !is_text(args[i - 1]))
			strbuf_addc(&buf, ' ');
		print_inner(args[i], &buf);
	}
	return give_text(&buf, ret_value);
}

static int call_println(struct json_object **args, int count, struct json_object **ret_value,
			struct err *err)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	for (int i = 0; i < count; i++) {
		if (i)
			strbuf_addc(&buf, ' ');
		print_inner(args[i], &buf);
	}
	strbuf_addc(&buf, '\n');
	return give_text(&buf, ret_value);
}

static void add_quoted(const char *text, struct strbuf *buf)
{
	strbuf_addc(buf, '"');
	for (const char *p = text; *p; p++)
		if (*p == '"' || *p == '\\')
			strbuf_addf(buf, "\\%c", *p);
		else if (*p == '\n' || *p == '\t' || *p == '\r')
			strbuf_adds(buf, *p == '\n' ? "\\n" : *p == '\t' ? "\\t" : "\\r");
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			strbuf_addf(buf, "\\x%02x", (unsigned)*p);
		else
			strbuf_addc(buf, *p);
	strbuf_addc(buf, '"');
}

static size_t utf8_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += ((unsigned char)*text & 0xc0) != 0x80;
	return length;
}

/* The bytes of the first `count` characters. */
static size_t utf8_prefix(const char *text, size_t count)
{
	const char *p = text;

	for (; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80 && count-- == 0)
			break;
	return (size_t)(p - text);
}

/* A directive of printf: "%-10.3s" */
struct directive {
	bool left, plus, zero, sharp, space, has_precision;
	int width, precision;
	char verb;
};

#define WIDEST 1000 /* columns of padding that one directive may ask for */

static const char *parse_directive(const char *p, struct directive *ret_directive)
{
	struct directive d = { 0 };

	for (;; p++) {
		if (*p == '-')
			d.left = true;
		else if (*p == '+')
			d.plus = true;
		else if (*p == '0')
			d.zero = true;
		else if (*p == '#')
			d.sharp = true;
		else if (*p == ' ')
			d.space = true;
		else
			break;
	}
	for (; isdigit((unsigned char)*p); p++)
		d.width = d.width < WIDEST ? d.width * 10 + (*p - '0') : WIDEST;
	if (*p == '.') {
		d.has_precision = true;
		for (p++; isdigit((unsigned char)*p); p++)
			d.precision = d.precision < WIDEST ? d.precision * 10 + (*p - '0') : WIDEST;
	}
	d.width = d.width < WIDEST ? d.width : WIDEST;
	d.precision = d.precision < WIDEST ? d.precision : WIDEST;
	d.verb = *p;
	*ret_directive = d;
	return *p ? p + 1 : p;
}

static void add_padded(const struct directive *d, const char *text, struct strbuf *buf)
{
	size_t length = utf8_length(text);
	size_t padding = (size_t)d->width > length ? (size_t)d->width - length : 0;
	bool zero = d->zero && !d->left && strchr("dxXofge", d->verb);

	if (zero && padding && (*text == '-' || *text == '+'))
		strbuf_addc(buf, *text++);
	for (size_t i = 0; i < padding && !d->left; i++)
		strbuf_addc(buf, zero ? '0' : ' ');
	strbuf_adds(buf, text);
	for (size_t i = 0; i < padding && d->left; i++)
		strbuf_addc(buf, ' ');
}

static void add_hex(const char *text, bool upper, struct strbuf *buf)
{
	for (; *text; text++)
		strbuf_addf(buf, upper ? "%02X" : "%02x", (unsigned char)*text);
}

/* The argument in the form of the directive, not padded yet; false when they do not fit. */
static bool format_argument(const struct directive *d, struct json_object *value,
			    struct strbuf *buf)
{
	autostrbuf struct strbuf scratch = STRBUF_EMPTY;
	int64_t number = json_object_get_int64(value);
	bool is_int = json_object_is_type(value, json_type_int);
	const char *text;

	switch (d->verb) {
	case 'v':
		if (is_text(value) && d->sharp)
			add_quoted(json_object_get_string(value), buf);
		else
			print_inner(value, buf);
		return true;
	case 's':
	case 'q':
		text = text_of(value, &scratch);
		if (d->verb == 'q')
			add_quoted(text, buf);
		else
			strbuf_add(buf, text,
				   d->has_precision ? utf8_prefix(text, (size_t)d->precision)
						    : strlen(text));
		return true;
	case 'd':
		strbuf_addf(buf, d->plus ? "%+" PRId64 : "%" PRId64, number);
		return is_int;
	case 'c':
		strbuf_addc(buf, (char)number);
		return is_int && number > 0 && number < 0x80;
	case 'o':
		strbuf_addf(buf, "%" PRIo64, number);
		return is_int;
	case 'b':
		for (int bit = 63; bit >= 0; bit--)
			if (buf->size || (uint64_t)number >> bit & 1 || bit == 0)
				strbuf_addc(buf, (uint64_t)number >> bit & 1 ? '1' : '0');
		return is_int && number >= 0;
	case 'x':
	case 'X':
		if (is_text(value))
			add_hex(json_object_get_string(value), d->verb == 'X', buf);
		else
			strbuf_addf(buf, d->verb == 'X' ? "%" PRIX64 : "%" PRIx64, number);
		return is_int || is_text(value);
	case 't':
		strbuf_adds(buf, json_object_get_boolean(value) ? "true" : "false");
		return json_object_is_type(value, json_type_boolean);
	case 'f':
	case 'F':
	case 'g':
	case 'e':
		if (d->verb == 'g' && !d->has_precision)
			print_double(json_object_get_double(value), buf);
		else
			strbuf_addf(buf,
				    d->verb == 'g'   ? "%.*g"
				    : d->verb == 'e' ? "%.*e"
						     : "%.*f",
				    d->has_precision ? d->precision : 6,
				    json_object_get_double(value));
		return is_number(value);
	default:
		return false;
	}
}

static int call_printf(struct json_object **args, int count, struct json_object **ret_value,
		       struct err *err)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;
	int used = 1;

	if (!is_text(args[0]))
		return err_set(err, EINVAL, "printf needs a format first, not a %s",
			       template_type_name(args[0]));
	for (const char *p = json_object_get_string(args[0]); *p;) {
		autostrbuf struct strbuf piece = STRBUF_EMPTY;
		struct directive directive;

		if (*p != '%') {
			strbuf_addc(&buf, *p++);
			continue;
		}
		p = parse_directive(p + 1, &directive);
		if (directive.verb == '%') {
			strbuf_addc(&buf, '%');
			continue;
		}
		if (!directive.verb)
			return err_set(err, EINVAL, "printf: '%%' at the end of the format");
		if (used == count)
			return err_set(err, EINVAL, "printf: no argument for %%%c", directive.verb);
		if (!format_argument(&directive, args[used], &piece))
			return err_set(err, EINVAL, "printf: %%%c does not fit a %s",
				       directive.verb, template_type_name(args[used]));
		add_padded(&directive, strbuf_text(&piece), &buf);
		used++;
	}
	if (used < count)
		return err_set(err, EINVAL, "printf: more arguments than the format has places");
	return give_text(&buf, ret_value);
}

/* Every argument as text, one after the other, escaped by `escape`. */
static int escape_all(struct json_object **args, int count, struct json_object **ret_value,
		      void (*escape)(const char *text, struct strbuf *buf))
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	for (int i = 0; i < count; i++) {
		autostrbuf struct strbuf scratch = STRBUF_EMPTY;

		escape(text_of(args[i], &scratch), &buf);
	}
	return give_text(&buf, ret_value);
}

static void escape_html(const char *text, struct strbuf *buf)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			strbuf_adds(buf, "&lt;");
			break;
		case '>':
			strbuf_adds(buf, "&gt;");
			break;
		case '&':
			strbuf_adds(buf, "&amp;");
			break;
		case '\'':
			strbuf_adds(buf, "&#39;");
			break;
		case '"':
			strbuf_adds(buf, "&#34;");
			break;
		default:
			strbuf_addc(buf, *text);
		}
}

static void escape_js(const char *text, struct strbuf *buf)
{
	for (; *text; text++)
		if (strchr("\\'\"", *text))
			strbuf_addf(buf, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || strchr("<>&=", *text))
			strbuf_addf(buf, "\\u%04X", (unsigned)*text);
		else
			strbuf_addc(buf, *text);
}

static void escape_url(const char *text, struct strbuf *buf)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			strbuf_addc(buf, *text);
		else if (*text == ' ')
			strbuf_addc(buf, '+');
		else
			strbuf_addf(buf, "%%%02X", (unsigned char)*text);
}

static int call_html(struct json_object **args, int count, struct json_object **ret_value,
		     struct err *err)
{
	return escape_all(args, count, ret_value, escape_html);
}

static int call_js(struct json_object **args, int count, struct json_object **ret_value,
		   struct err *err)
{
	return escape_all(args, count, ret_value, escape_js);
}

static int call_urlquery(struct json_object **args, int count, struct json_object **ret_value,
			 struct err *err)
{
	return escape_all(args, count, ret_value, escape_url);
}

static int call_json(struct json_object **args, int count, struct json_object **ret_value,
		     struct err *err)
{
	*ret_value = json_object_new_string(args[0] ? json_text(args[0]) : "null");
	return 0;
}

/* join LIST SEPARATOR, as docker and podman have it; the order may be turned for pipelines. */
static int call_join(struct json_object **args, int count, struct json_object **ret_value,
		     struct err *err)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY, scratch = STRBUF_EMPTY;
	int list = json_object_is_type(args[1], json_type_array) ? 1 : 0;
	const char *separator = text_of(args[!list], &scratch);

	if (args[list] && !json_object_is_type(args[list], json_type_array))
		return err_set(err, EINVAL, "join needs a list, not a %s",
			       template_type_name(args[list]));
	for (size_t i = 0; args[list] && i < json_object_array_length(args[list]); i++) {
		if (i)
			strbuf_adds(&buf, separator);
		print_inner(json_object_array_get_idx(args[list], i), &buf);
	}
	return give_text(&buf, ret_value);
}

static int call_split(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	autostrbuf struct strbuf first = STRBUF_EMPTY, second = STRBUF_EMPTY;
	const char *text = text_of(args[0], &first), *separator = text_of(args[1], &second);
	size_t size = strlen(separator);

	*ret_value = json_object_new_array();
	for (;;) {
		const char *end = size ? strstr(text, separator) : NULL;
		size_t part = end    ? (size_t)(end - text)
			      : size ? strlen(text)
				     : utf8_prefix(text, 1);

		if (!size && !*text)
			return 0;
		json_object_array_add(*ret_value, json_object_new_string_len(text, (int)part));
		text += part + size;
		if (size && !end)
			return 0;
	}
}

static int map_text(struct json_object *value, struct json_object **ret_value,
		    int (*turn)(int letter), bool words_only)
{
	autostrbuf struct strbuf scratch = STRBUF_EMPTY, buf = STRBUF_EMPTY;
	bool at_start = true;

	for (const char *p = text_of(value, &scratch); *p; p++) {
		strbuf_addc(&buf, !words_only || at_start ? (char)turn((unsigned char)*p) : *p);
		at_start = isspace((unsigned char)*p);
	}
	return give_text(&buf, ret_value);
}

static int call_lower(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	return map_text(args[0], ret_value, tolower, false);
}

static int call_upper(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	return map_text(args[0], ret_value, toupper, false);
}

static int call_title(struct json_object **args, int count, struct json_object **ret_value,
		      struct err *err)
{
	return map_text(args[0], ret_value, toupper, true);
}

/* truncate TEXT COUNT */
static int call_truncate(struct json_object **args, int count, struct json_object **ret_value,
			 struct err *err)
{
	autostrbuf struct strbuf scratch = STRBUF_EMPTY;
	const char *text = text_of(args[0], &scratch);

	if (!json_object_is_type(args[1], json_type_int))
		return err_set(err, EINVAL, "truncate needs a number, not a %s",
			       template_type_name(args[1]));
	int64_t length = json_object_get_int64(args[1]);
	*ret_value = json_object_new_string_len(
		text, (int)(length < 0 ? strlen(text) : utf8_prefix(text, (size_t)length)));
	return 0;
}

/* pad TEXT BEFORE AFTER: that many spaces round a text that is not empty */
static int call_pad(struct json_object **args, int count, struct json_object **ret_value,
		    struct err *err)
{
	autostrbuf struct strbuf scratch = STRBUF_EMPTY, buf = STRBUF_EMPTY;
	const char *text = text_of(args[0], &scratch);
	int64_t spaces[2];

	for (int i = 0; i < 2; i++) {
		if (!json_object_is_type(args[i + 1], json_type_int))
			return err_set(err, EINVAL, "pad needs a number, not a %s",
				       template_type_name(args[i + 1]));
		spaces[i] = json_object_get_int64(args[i + 1]);
		if (spaces[i] > WIDEST)
			return err_set(err, ERANGE, "pad by more than %d", WIDEST);
	}
	for (int64_t i = 0; *text && i < spaces[0]; i++)
		strbuf_addc(&buf, ' ');
	strbuf_adds(&buf, text);
	for (int64_t i = 0; *text && i < spaces[1]; i++)
		strbuf_addc(&buf, ' ');
	return give_text(&buf, ret_value);
}

static const struct template_function functions[] = {
	{ "and", 1, -1, call_last },
	{ "or", 1, -1, call_last },
	{ "not", 1, 1, call_not },
	{ "eq", 2, -1, call_eq },
	{ "ne", 2, 2, call_ne },
	{ "lt", 2, 2, call_lt },
	{ "le", 2, 2, call_le },
	{ "gt", 2, 2, call_gt },
	{ "ge", 2, 2, call_ge },
	{ "len", 1, 1, call_len },
	{ "index", 1, -1, call_index },
	{ "slice", 1, 3, call_slice },
	{ "print", 0, -1, call_print },
	{ "println", 0, -1, call_println },
	{ "printf", 1, -1, call_printf },
	{ "html", 0, -1, call_html },
	{ "js", 0, -1, call_js },
	{ "urlquery", 0, -1, call_urlquery },
	{ "json", 1, 1, call_json },
	{ "join", 2, 2, call_join },
	{ "split", 2, 2, call_split },
	{ "lower", 1, 1, call_lower },
	{ "upper", 1, 1, call_upper },
	{ "title", 1, 1, call_title },
	{ "truncate", 2, 2, call_truncate },
	{ "pad", 3, 3, call_pad },
};

const struct template_function *template_function_find(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (strlen(functions[i].name) == size && memcmp(functions[i].name, name, size) == 0)
			return &functions[i];
	return NULL;
}
