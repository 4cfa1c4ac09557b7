/* Rendering: a walk over the parsed nodes. Values are json-c references, NULL is nil; every
 * evaluation gives a reference of its own, so nothing dangles when a variable goes. */
#include "base/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/template-internal.h"

struct variable {
	const char *name;
	struct json_object *value; /* owned */
};

/* How the nodes behind are left. */
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct run {
	struct json_object *root; /* "$", borrowed */
	struct variable variables[128];
	int variable_count;
	struct strbuf *out;
	struct err *err;
};

static int wrap_position(struct run *run, struct position at)
{
	return err_wrap(run->err, "template: %d:%d", at.line, at.column);
}

/* "known: A, B, C" when there are few. */
static void list_fields(struct json_object *object, struct strbuf *buf)
{
	autofree const char **keys = NULL;
	size_t count;

	keys = template_sorted_keys(object, &count);
	if (count == 0 || count > 40)
		return;
	strbuf_adds(buf, "; known: ");
	for (size_t i = 0; i < count; i++)
		if (!strchr(keys[i], '_')) /* those are keys for sorting */
			strbuf_addf(buf, "%s%s", buf->data[buf->size - 1] == ' ' ? "" : ", ",
				    keys[i]);
	if (buf->size > 300)
		strbuf_reset(buf);
}

/* One field of a value; the result is borrowed. */
static int look_up(struct run *run, struct json_object *value, const char *name,
		   struct json_object **ret_value)
{
	bool is_struct_field = isupper((unsigned char)*name);

	if (!value) {
		if (is_struct_field)
			return err_set(run->err, ENOENT, "no field %s in a value that is nil",
				       name);
		*ret_value = NULL;
		return 0;
	}
	if (!json_object_is_type(value, json_type_object))
		return err_set(run->err, EINVAL, "can't evaluate field %s in a %s", name,
			       template_type_name(value));
	if (json_object_object_get_ex(value, name, ret_value))
		return 0;
	if (is_struct_field) {
		json_object_object_foreach(value, key, member) if (strcasecmp(key, name) == 0)
		{
			*ret_value = member;
			return 0;
		}
		autostrbuf struct strbuf known = STRBUF_EMPTY;

		list_fields(value, &known);
		return err_set(run->err, ENOENT, "no field %s%s", name, strbuf_text(&known));
	}
	*ret_value = NULL;
	return 0;
}

static struct variable *find_variable(struct run *run, const char *name)
{
	for (int i = run->variable_count; i-- > 0;)
		if (strcmp(run->variables[i].name, name) == 0)
			return &run->variables[i];
	return NULL;
}

static void drop_variables(struct run *run, int count)
{
	while (run->variable_count > count)
		json_object_put(run->variables[--run->variable_count].value);
}

static int set_variable(struct run *run, const struct pipeline *pipeline, int index,
			struct json_object *value)
{
	const char *name = pipeline->variables[index];
	struct variable *variable = pipeline->is_assignment ? find_variable(run, name) : NULL;

	if (variable) {
		json_object_put(variable->value);
		variable->value = json_object_get(value);
		return 0;
	}
	if (run->variable_count == ARRAY_SIZE(run->variables))
		return err_set(run->err, E2BIG, "template: too many variables");
	run->variables[run->variable_count++] = (struct variable){ name, json_object_get(value) };
	return 0;
}

static int evaluate(struct run *run, const struct pipeline *pipeline, struct json_object *dot,
		    struct json_object **ret_value);

static int evaluate_operand(struct run *run, const struct operand *operand, struct json_object *dot,
			    struct json_object **ret_value)
{
	autojson struct json_object *owned = NULL;
	struct json_object *value = NULL;
	const struct variable *variable;
	int r;

	switch (operand->kind) {
	case OPERAND_DOT:
		value = dot;
		break;
	case OPERAND_VARIABLE:
		variable = find_variable(run, operand->name);
		value = variable ? variable->value : run->root;
		break;
	case OPERAND_LITERAL:
		value = operand->literal;
		break;
	case OPERAND_PIPELINE:
		r = evaluate(run, operand->pipeline, dot, &owned);
		if (r < 0)
			return r;
		value = owned;
		break;
	case OPERAND_FUNCTION:
		if (operand->function->min_count > 0) {
			err_set(run->err, EINVAL, "function %s needs arguments",
				operand->function->name);
			return wrap_position(run, operand->at);
		}
		r = operand->function->call(NULL, 0, &owned, run->err);
		if (r < 0)
			return wrap_position(run, operand->at);
		value = owned;
		break;
	}
	for (int i = 0; i < operand->field_count; i++) {
		r = look_up(run, value, operand->fields[i], &value);
		if (r < 0)
			return wrap_position(run, operand->at);
	}
	*ret_value = json_object_get(value);
	return 0;
}

/* A function and its arguments; `piped` comes last when has_piped. */
static int call(struct run *run, const struct stage *stage, struct json_object *dot, bool has_piped,
		struct json_object *piped, struct json_object **ret_value)
{
	const struct template_function *function = stage->operands[0].function;
	bool is_and = strcmp(function->name, "and") == 0, is_or = strcmp(function->name, "or") == 0;
	struct json_object *args[33] = { NULL };
	int count = 0, total = stage->count - 1 + has_piped, r = 0;

	if (total < function->min_count ||
	    (function->max_count >= 0 && total > function->max_count))
		r = err_set(run->err, EINVAL, "wrong number of arguments for %s: got %d, want %s%d",
			    function->name, total,
			    function->min_count == function->max_count ? ""
			    : total < function->min_count	       ? "at least "
								       : "at most ",
			    total < function->min_count ? function->min_count
							: function->max_count);
	for (int i = 0; r >= 0 && i < total; i++) {
		if (i < stage->count - 1) {
			r = evaluate_operand(run, &stage->operands[i + 1], dot, &args[count]);
			if (r < 0)
				goto out; /* it says where already */
		} else {
			args[count] = json_object_get(piped);
		}
		count++;
		/* These two stop at the first value that decides. */
		if ((is_and && !template_is_true(args[i])) || (is_or && template_is_true(args[i])))
			break;
	}
	if (r >= 0)
		r = function->call(args, count, ret_value, run->err);
	if (r < 0)
		r = wrap_position(run, stage->operands[0].at);
out:
	for (int i = 0; i < count; i++)
		json_object_put(args[i]);
	return r;
}

/* {{.Label "x"}}: what is a method in Go is a map here, and the argument its key. Nothing is "". */
static int look_up_key(struct run *run, const struct stage *stage, struct json_object *dot,
		       bool has_piped, struct json_object *piped, struct json_object **ret_value)
{
	const struct operand *operand = &stage->operands[0];
	autojson struct json_object *map = NULL, *key = NULL;
	int r = evaluate_operand(run, operand, dot, &map);

	if (r >= 0 && has_piped)
		key = json_object_get(piped);
	else if (r >= 0)
		r = evaluate_operand(run, &stage->operands[1], dot, &key);
	if (r < 0)
		return r;
	if (stage->count + has_piped != 2 || (map && !json_object_is_type(map, json_type_object)) ||
	    !json_object_is_type(key, json_type_string)) {
		err_set(run->err, EINVAL, "%s is no function and cannot have arguments",
			operand->fields[operand->field_count - 1]);
		return wrap_position(run, operand->at);
	}
	*ret_value = json_object_get(json_get(map, json_object_get_string(key)));
	if (!*ret_value)
		*ret_value = json_object_new_string("");
	return 0;
}

static int evaluate(struct run *run, const struct pipeline *pipeline, struct json_object *dot,
		    struct json_object **ret_value)
{
	autojson struct json_object *value = NULL;

	for (int i = 0; i < pipeline->count; i++) {
		const struct stage *stage = &pipeline->stages[i];
		struct json_object *next = NULL;
		int r;

		if (stage->operands[0].kind == OPERAND_FUNCTION)
			r = call(run, stage, dot, i > 0, value, &next);
		else if (stage->count > 1 || i > 0)
			r = look_up_key(run, stage, dot, i > 0, value, &next);
		else
			r = evaluate_operand(run, &stage->operands[0], dot, &next);
		if (r < 0)
			return r;
		json_object_put(value);
		value = next;
	}
	*ret_value = take_ptr(&value);
	return 0;
}

static int render_nodes(struct run *run, const struct node *nodes, struct json_object *dot,
			enum flow *ret_flow);

/* One turn of a range; `key` is borrowed. */
static int render_turn(struct run *run, const struct node *node, struct json_object *key,
		       struct json_object *item, enum flow *ret_flow)
{
	const struct pipeline *pipeline = node->pipeline;
	int before = run->variable_count, r = 0;

	if (pipeline->variable_count == 2)
		r = set_variable(run, pipeline, 0, key);
	if (r >= 0 && pipeline->variable_count > 0)
		r = set_variable(run, pipeline, pipeline->variable_count - 1, item);
	*ret_flow = FLOW_ON;
	if (r >= 0)
		r = render_nodes(run, node->body, item, ret_flow);
	drop_variables(run, before);
	return r;
}

/* The number of turns, 0 for what cannot be walked and is empty. */
static int range_count(struct run *run, const struct node *node, struct json_object *value,
		       int64_t *ret_count)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		*ret_count = 0;
		return 0;
	case json_type_array:
		*ret_count = (int64_t)json_object_array_length(value);
		return 0;
	case json_type_object:
		*ret_count = json_object_object_length(value);
		return 0;
	case json_type_int:
		*ret_count = json_object_get_int64(value);
		if (*ret_count <= 1000000)
			return 0;
		/* fall through */
	default:
		err_set(run->err, EINVAL, "range can't iterate over a %s",
			template_type_name(value));
		return wrap_position(run, node->pipeline->at);
	}
}

static int render_range(struct run *run, const struct node *node, struct json_object *value,
			struct json_object *dot, enum flow *ret_flow)
{
	autofree const char **keys = NULL;
	int64_t count = 0;
	size_t key_count;
	int r = range_count(run, node, value, &count);

	if (r >= 0 && count <= 0)
		return render_nodes(run, node->otherwise, dot, ret_flow);
	if (json_object_is_type(value, json_type_object))
		keys = template_sorted_keys(value, &key_count);
	for (int64_t i = 0; r >= 0 && i < count; i++) {
		autojson struct json_object *key =
			keys ? json_object_new_string(keys[i]) : json_object_new_int64(i);
		struct json_object *item = keys ? json_get(value, keys[i])
					   : json_object_is_type(value, json_type_array)
						   ? json_object_array_get_idx(value, (size_t)i)
						   : key;
		enum flow flow;

		r = render_turn(run, node, key, item, &flow);
		if (flow == FLOW_BREAK)
			break;
	}
	return r;
}

static int render_node(struct run *run, const struct node *node, struct json_object *dot,
		       enum flow *ret_flow)
{
	autojson struct json_object *value = NULL;
	int before = run->variable_count, r;

	if (node->kind == NODE_TEXT) {
		strbuf_add(run->out, node->text, node->text_size);
		return 0;
	}
	if (node->kind == NODE_BREAK || node->kind == NODE_CONTINUE) {
		*ret_flow = node->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
		return 0;
	}
	r = evaluate(run, node->pipeline, dot, &value);
	if (r >= 0 && node->kind == NODE_RANGE)
		return render_range(run, node, value, dot, ret_flow);
	if (r >= 0 && node->pipeline->variable_count)
		r = set_variable(run, node->pipeline, 0, value);
	if (r < 0)
		return r;
	if (node->kind == NODE_ACTION) {
		if (!node->pipeline->variable_count)
			template_print_value(value, run->out);
		return 0; /* its variable lives on to the end of the list */
	}
	if (template_is_true(value))
		r = render_nodes(run, node->body, node->kind == NODE_WITH ? value : dot, ret_flow);
	else
		r = render_nodes(run, node->otherwise, dot, ret_flow);
	drop_variables(run, before);
	return r;
}

static int render_nodes(struct run *run, const struct node *nodes, struct json_object *dot,
			enum flow *ret_flow)
{
	int before = run->variable_count, r = 0;

	for (; nodes && r >= 0 && *ret_flow == FLOW_ON; nodes = nodes->next)
		r = render_node(run, nodes, dot, ret_flow);
	drop_variables(run, before);
	return r;
}

int template_render(const struct template *template, struct json_object *value, struct strbuf *out,
		    struct err *err)
{
	struct run run = { .root = value, .out = out, .err = err };
	enum flow flow = FLOW_ON;

	return render_nodes(&run, template->nodes, value, &flow);
}

bool template_is_table(const struct template *template)
{
	return template->is_table;
}

bool template_begins_with_range(const struct template *template)
{
	return template->nodes && template->nodes->kind == NODE_RANGE;
}

char *template_heading(const char *field)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	for (const char *p = field; *p; p++) {
		/* A word begins at a capital behind a small letter, and at the last of several
		 * capitals before a small letter: "ImageID", "IDMap". */
		if (p > field && isupper((unsigned char)*p) &&
		    (!isupper((unsigned char)p[-1]) || islower((unsigned char)p[1])))
			strbuf_addc(&buf, ' ');
		strbuf_addc(&buf, (char)toupper((unsigned char)*p));
	}
	return buf.data ? strbuf_take(&buf) : xstrdup("");
}

/* The name of the first field in the pipeline, or NULL. */
static const char *first_field(const struct pipeline *pipeline)
{
	for (int i = 0; i < pipeline->count; i++)
		for (int j = 0; j < pipeline->stages[i].count; j++) {
			const struct operand *operand = &pipeline->stages[i].operands[j];
			const char *name;

			if (operand->field_count)
				return operand->fields[operand->field_count - 1];
			if (operand->kind == OPERAND_PIPELINE &&
			    (name = first_field(operand->pipeline)))
				return name;
		}
	return NULL;
}

static void render_heading_nodes(const struct node *nodes, struct json_object *headings,
				 struct strbuf *out)
{
	for (; nodes; nodes = nodes->next) {
		const char *field;

		switch (nodes->kind) {
		case NODE_TEXT:
			strbuf_add(out, nodes->text, nodes->text_size);
			break;
		case NODE_ACTION:
			field = first_field(nodes->pipeline);
			if (field && !nodes->pipeline->variable_count) {
				autofree char *plain = template_heading(field);
				strbuf_adds(out, json_get_string(headings, field, plain));
			}
			break;
		case NODE_IF:
		case NODE_WITH:
		case NODE_RANGE:
			render_heading_nodes(nodes->body, headings, out);
			break;
		case NODE_BREAK:
		case NODE_CONTINUE:
			break;
		}
	}
}

void template_render_headings(const struct template *template, struct json_object *headings,
			      struct strbuf *out)
{
	render_heading_nodes(template->nodes, headings, out);
}
