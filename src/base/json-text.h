/* JSON trees as text for people: with line breaks, and as YAML. */
#pragma once

#include "base/strbuf.h"

struct json_object;

/* Each member on its own line, `indent` spaces deeper than its parent; "{}" and "[]" stay
 * together, slashes are not escaped. No line break at the end. */
void json_print(struct json_object *value, int indent, struct strbuf *out);

/* A text as JSON writes it, in quotes. Cheaper than by way of a tree. */
void json_quote(const char *text, struct strbuf *out);

/* Block style, members in their order; texts are quoted where YAML would read something else. */
void json_print_yaml(struct json_object *value, struct strbuf *out);
