/* Go templates over JSON trees: what container users write behind --format.
 *
 * Known: {{.Field.Sub}}, {{.}}, $variables, pipelines, parentheses, if / else if / else, with,
 * range (lists, objects in the order of their keys, numbers) with else, break, continue, {{- trim
 * -}}, comments, and the functions and or not eq ne lt le gt ge len index slice print println
 * printf html js urlquery json join split lower upper title truncate pad. Not known: define,
 * template, block. In literal text \t and \n become a tab and a line break.
 *
 * A field that is missing is an error when its name begins with a capital, as in Go where it would
 * be the field of a struct; other names are keys of maps, where a missing one has no value. When no
 * name matches exactly, one that differs only in case is taken: .ID finds "Id". */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"

struct err;
struct json_object;
struct template;

/* Errors read "template: 1:7: unexpected …": line and column, both counted from 1. */
int template_parse(const char *text, struct template **ret_template, struct err *err);
void template_free(struct template *template);

/* Append the text for one value; what was written before an error stays in `out`. */
int template_render(const struct template *template, struct json_object *value, struct strbuf *out,
		    struct err *err);

/* The text began with "table ", which is not part of the template. */
bool template_is_table(const struct template *template);

/* The template itself walks over the list: it begins with {{range. */
bool template_begins_with_range(const struct template *template);

/* Append the template's text with the heading of its first field in place of each action. Headings
 * come from `headings`, an object of texts by field name, else the name itself in capitals:
 * "CreatedAt" gives "CREATED AT". Cannot fail. */
void template_render_headings(const struct template *template, struct json_object *headings,
			      struct strbuf *out);

/* "CREATED AT" from "CreatedAt"; owned by the caller. */
char *template_heading(const char *field);

static inline void template_free_auto(struct template **at)
{
	template_free(*at);
}
#define autotemplate __attribute__((cleanup(template_free_auto)))
