#include "cli/output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json-text.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/template.h"

#define LIST_INDENT    2
#define INSPECT_INDENT 5 /* the peers' */

/* "json", and "{{json .}}" of the whole list, with spaces anywhere. */
bool output_wants_json(const char *format)
{
	static const char *const spellings[] = { "json", "{{json.}}", "{{json}}" };
	char bare[sizeof("{{json.}}")];
	size_t size = 0;

	for (; format && *format; format++) {
		if (*format == ' ')
			continue;
		if (size + 1 == sizeof(bare))
			return false;
		bare[size++] = *format;
	}
	bare[size] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		if (strcmp(bare, spellings[i]) == 0)
			return true;
	return false;
}

static void print_json(struct json_object *value, int indent)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	json_print(value, indent, &buf);
	puts(strbuf_text(&buf));
}

static int compare_values(struct json_object *a, struct json_object *b)
{
	if (json_object_is_type(a, json_type_int) && json_object_is_type(b, json_type_int)) {
		int64_t x = json_object_get_int64(a), y = json_object_get_int64(b);
		return (x > y) - (x < y);
	}
	if (json_object_is_type(a, json_type_string) && json_object_is_type(b, json_type_string))
		return strcmp(json_object_get_string(a), json_object_get_string(b));
	return (a != NULL) - (b != NULL);
}

static int compare_rows(const void *a, const void *b, void *context)
{
	struct json_object *const *x = a, *const *y = b;
	const struct output_sort *sort = context;
	int order = compare_values(json_get(*x, sort->field), json_get(*y, sort->field));

	return sort->order == OUTPUT_DESCENDING ? -order : order;
}

static int sort_rows(const struct output_list *how, struct json_object *rows, struct err *err)
{
	const struct output_sort *sort = how->sorts;

	if (!sort)
		return 0;
	while (how->sort && sort->name && strcmp(sort->name, how->sort) != 0)
		sort++;
	if (!sort->name) {
		autostrbuf struct strbuf known = STRBUF_EMPTY;

		for (sort = how->sorts; sort->name; sort++)
			strbuf_addf(&known, "%s%s", known.size ? ", " : "", sort->name);
		return err_set(err, EINVAL, "can't sort by '%s'; --sort takes one of %s", how->sort,
			       strbuf_text(&known));
	}
	/* json-c's own sort gives the comparison no context. */
	qsort_r(json_object_get_array(rows)->array, json_object_array_length(rows),
		sizeof(struct json_object *), compare_rows, (void *)sort);
	return 0;
}

/* What is there only to sort by is no field: its name begins with a small letter. */
static void drop_sort_keys(const struct output_sort *sorts, struct json_object *rows)
{
	for (const struct output_sort *sort = sorts; sort && sort->name; sort++)
		for (size_t i = 0;
		     islower((unsigned char)sort->field[0]) && i < json_object_array_length(rows);
		     i++)
			json_object_object_del(json_object_array_get_idx(rows, i), sort->field);
}

/* "{{.Driver}}\t{{.Name}}" from the columns. */
static char *columns_template(const struct output_column *columns)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	strbuf_adds(&buf, "table ");
	for (const struct output_column *column = columns; column->heading; column++)
		strbuf_addf(&buf, "%s{{.%s}}", column == columns ? "" : "\\t", column->field);
	return strbuf_take(&buf);
}

static struct json_object *all_headings(const struct output_list *how)
{
	struct json_object *headings = json_object_new_object();
	const struct output_column *const tables[] = { how->headings, how->columns };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct output_column *at = tables[i]; at && at->heading; at++)
			json_add_string(headings, at->field, at->heading);
	return headings;
}

/* Tabs and line breaks are the table's own. */
static void tame_controls(struct strbuf *buf)
{
	for (size_t i = 0; i < buf->size; i++)
		if (((unsigned char)buf->data[i] < 0x20 && !strchr("\t\n", buf->data[i])) ||
		    buf->data[i] == 0x7f)
			buf->data[i] = '?';
}

/* A list may be walked over by the template itself; of inspected objects each is its own dot. */
static int render_rows(const struct output_list *how, const struct template *template,
		       struct json_object *rows, struct strbuf *buf, struct err *err)
{
	if (how->columns && template_begins_with_range(template))
		return template_render(template, rows, buf, err);
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		int r = template_render(template, json_object_array_get_idx(rows, i), buf, err);

		if (r < 0)
			return r;
		if (!buf->size || buf->data[buf->size - 1] != '\n')
			strbuf_addc(buf, '\n');
	}
	return 0;
}

static int print_rows(const struct output_list *how, const char *text, struct json_object *rows,
		      struct err *err)
{
	autotemplate struct template *template = NULL;
	autostrbuf struct strbuf buf = STRBUF_EMPTY;
	int r = template_parse(text, &template, err);

	if (r < 0)
		return r;
	if (template_is_table(template) && !how->noheading) {
		autojson struct json_object *headings = all_headings(how);

		template_render_headings(template, headings, &buf);
		if (buf.size && buf.data[buf.size - 1] != '\n')
			strbuf_addc(&buf, '\n');
	}
	r = render_rows(how, template, rows, &buf, err);
	if (r < 0)
		return r;
	if (text != how->format)
		tame_controls(&buf);
	if (template_is_table(template))
		table_print(strbuf_text(&buf), stdout);
	else
		fwrite(strbuf_text(&buf), 1, buf.size, stdout);
	return 0;
}

int output_list(const struct output_list *how, struct json_object *rows, struct err *err)
{
	int r = sort_rows(how, rows, err);

	if (r < 0)
		return r;
	drop_sort_keys(how->sorts, rows);
	if (output_wants_json(how->format)) {
		print_json(rows, LIST_INDENT);
		return 0;
	}
	if (how->quiet) {
		for (size_t i = 0; i < json_object_array_length(rows); i++)
			puts(json_get_string(json_object_array_get_idx(rows, i), how->quiet_field,
					     ""));
		return 0;
	}
	if (how->format && *how->format && strcmp(how->format, "table") != 0)
		return print_rows(how, how->format, rows, err);
	autofree char *text = columns_template(how->columns);
	return print_rows(how, text, rows, err);
}

int output_check_format(const char *format, struct err *err)
{
	autotemplate struct template *template = NULL;

	return !format || !*format || output_wants_json(format)
		       ? 0
		       : template_parse(format, &template, err);
}

int output_objects(const char *format, struct json_object *objects, struct err *err)
{
	if (!format || !*format || output_wants_json(format)) {
		print_json(objects, INSPECT_INDENT);
		return 0;
	}
	return print_rows(&(struct output_list){ .format = format, .noheading = true }, format,
			  objects, err);
}

int output_object(const char *format, struct json_object *object, const char *text, struct err *err)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	if (output_wants_json(format)) {
		print_json(object, LIST_INDENT);
		return 0;
	}
	if (format && *format) {
		autojson struct json_object *objects = json_object_new_array();

		json_object_array_add(objects, json_object_get(object));
		return output_objects(format, objects, err);
	}
	if (text) {
		fputs(text, stdout);
		return 0;
	}
	json_print_yaml(object, &buf);
	fputs(strbuf_text(&buf), stdout);
	return 0;
}
