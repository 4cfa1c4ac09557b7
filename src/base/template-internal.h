/* The parsed form of a template, between template-parse.c, template-functions.c and template.c. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/template.h"

struct err;
struct pipeline;

struct position {
	int line, column;
};

enum operand_kind {
	OPERAND_DOT,
	OPERAND_VARIABLE, /* name without "$": "" is the value that the template was given */
	OPERAND_LITERAL,  /* NULL is nil */
	OPERAND_FUNCTION,
	OPERAND_PIPELINE, /* in parentheses */
};

/* A value, and the fields that are looked up in it: "$x.Config.Image". */
struct operand {
	enum operand_kind kind;
	int field_count;
	struct position at;
	const char *name;
	struct json_object *literal;
	const struct template_function *function;
	const struct pipeline *pipeline;
	const char **fields;
};

/* One stage of a pipeline: a value, or a function and its arguments. */
struct stage {
	struct operand *operands;
	int count;
};

struct pipeline {
	struct position at;
	const char *variables[2]; /* of "$x :=" or "$i, $x := range …" */
	int variable_count;
	bool is_assignment; /* "=": the variable exists */
	struct stage *stages;
	int count;
};

enum node_kind {
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_WITH,
	NODE_RANGE,
	NODE_BREAK,
	NODE_CONTINUE
};

struct node {
	enum node_kind kind;
	struct position at;
	const char *text;
	size_t text_size;
	const struct pipeline *pipeline;
	struct node *body, *otherwise;
	struct node *next;
};

/* Every block is owned by the template and freed with it. */
struct block {
	struct block *next;
	struct json_object *literal;
	max_align_t data[];
};

struct template
{
	struct node *nodes;
	struct block *blocks;
	bool is_table;
};

/* Functions get their arguments evaluated and borrowed; the result is a new reference. */
struct template_function {
	const char *name;
	int min_count, max_count; /* of arguments; -1 any */
	int (*call)(struct json_object **args, int count, struct json_object **ret_value,
		    struct err *err);
};

const struct template_function *template_function_find(const char *name, size_t size);

/* Go's idea of truth: not false, 0, "", empty or nil. */
bool template_is_true(struct json_object *value);

/* The way Go prints with %v; "<no value>" for nil at the top. */
void template_print_value(struct json_object *value, struct strbuf *out);

/* The keys of an object in order; array owned, keys borrowed. */
const char **template_sorted_keys(struct json_object *object, size_t *ret_count);

/* "text", "list", "object" … for messages. */
const char *template_type_name(struct json_object *value);
