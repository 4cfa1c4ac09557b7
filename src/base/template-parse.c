/* Parsing: text and actions are split at "{{" and "}}"; within an action the parser reads the text
 * directly, token by token, without a list of tokens between. Nesting is bounded, since templates
 * may come from files. */
#include "base/template-internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define DEEPEST 100

struct parser {
	struct template *template;
	const char *text, *p;
	int depth;
	int range_depth;
	const char *known[64]; /* names of variables in sight */
	int known_count;
	struct err *err;
};

/* What ended a list of nodes. */
enum list_end { END_OF_TEXT, END_ELSE, END_END };

static void *allocate(struct parser *parser, size_t size)
{
	struct block *block = xcalloc(1, sizeof(*block) + size);

	block->next = parser->template->blocks;
	parser->template->blocks = block;
	return block->data;
}

static const char *allocate_text(struct parser *parser, const char *text, size_t size)
{
	char *copy = allocate(parser, size + 1);

	memcpy(copy, text, size);
	return copy;
}

/* The template owns the value from now on. */
static struct json_object *keep_literal(struct parser *parser, struct json_object *value)
{
	(void)allocate(parser, 0);
	parser->template->blocks->literal = value;
	return value;
}

static struct position position_of(const struct parser *parser, const char *p)
{
	struct position at = { 1, 1 };

	for (const char *c = parser->text; c < p; c++) {
		at.column++;
		if (*c == '\n')
			at = (struct position){ at.line + 1, 1 };
	}
	return at;
}

static int fail(struct parser *parser, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct parser *parser, const char *fmt, ...)
{
	struct position at = position_of(parser, parser->p);
	va_list ap;

	va_start(ap, fmt);
	autofree char *what = NULL;
	if (vasprintf(&what, fmt, ap) < 0)
		abort();
	va_end(ap);
	return err_set(parser->err, EINVAL, "template: %d:%d: %s", at.line, at.column, what);
}

/* What is at the parser's place, for messages. */
static int unexpected(struct parser *parser, const char *where)
{
	const char *p = parser->p;
	int size = 1;

	if (!*p)
		return fail(parser, "unclosed action");
	while (isalnum((unsigned char)p[0]) && isalnum((unsigned char)p[size]) && size < 20)
		size++;
	while (((unsigned char)p[size] & 0xc0) == 0x80)
		size++;
	return fail(parser, "unexpected \"%.*s\" in %s", size, p, where);
}

static void skip_space(struct parser *parser)
{
	parser->p += strspn(parser->p, " \t\r\n");
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

static size_t word_size(const char *p)
{
	size_t size = 0;

	while (is_word_char(p[size]))
		size++;
	return size;
}

static bool is_word(const char *p, size_t size, const char *word)
{
	return strlen(word) == size && memcmp(p, word, size) == 0;
}

/* Take the word when it is the next one. */
static bool take_word(struct parser *parser, const char *word)
{
	size_t size = word_size(parser->p);

	if (!is_word(parser->p, size, word))
		return false;
	parser->p += size;
	return true;
}

/* At "}}" or " -}}"? */
static bool at_close(const struct parser *parser)
{
	const char *p = parser->p;

	return strncmp(p, "}}", 2) == 0 ||
	       (strncmp(p, "-}}", 3) == 0 && p > parser->text && strchr(" \t\r\n", p[-1]));
}

static int take_close(struct parser *parser, const char *where)
{
	skip_space(parser);
	if (!at_close(parser))
		return unexpected(parser, where);
	if (*parser->p == '-') {
		parser->p += 3;
		skip_space(parser);
	} else {
		parser->p += 2;
	}
	return 0;
}

static void add_utf8(struct strbuf *buf, uint32_t c)
{
	if (c < 0x80) {
		strbuf_addc(buf, (char)c);
	} else if (c < 0x800) {
		strbuf_addc(buf, (char)(0xc0 | c >> 6));
		strbuf_addc(buf, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		strbuf_addc(buf, (char)(0xe0 | c >> 12));
		strbuf_addc(buf, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_addc(buf, (char)(0x80 | (c & 0x3f)));
	} else {
		strbuf_addc(buf, (char)(0xf0 | c >> 18));
		strbuf_addc(buf, (char)(0x80 | (c >> 12 & 0x3f)));
		strbuf_addc(buf, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_addc(buf, (char)(0x80 | (c & 0x3f)));
	}
}

/* What stands behind a backslash in "…" or '…'. */
static int take_escape(struct parser *parser, struct strbuf *buf, bool *ret_is_byte,
		       uint32_t *ret_char)
{
	static const char names[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
	char c = *parser->p++;
	const char *name = c ? strchr(names, c) : NULL;
	int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t value = 0;

	*ret_is_byte = c == 'x';
	if (name) {
		*ret_char = (unsigned char)values[name - names];
		return 0;
	}
	if (!digits) {
		parser->p--;
		return fail(parser, "unknown escape sequence");
	}
	for (; digits; digits--, parser->p++) {
		if (!isxdigit((unsigned char)*parser->p))
			return fail(parser, "bad digit in escape sequence");
		c = (char)tolower((unsigned char)*parser->p);
		value = value * 16 + (uint32_t)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
	}
	if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return fail(parser, "escape sequence is no character");
	*ret_char = value;
	return 0;
}

/* A string in double quotes, single quotes (Go's character constant: a number) or back quotes. */
static int parse_string(struct parser *parser, struct json_object **ret_value)
{
	autostrbuf struct strbuf buf = STRBUF_EMPTY;
	char quote = *parser->p++;
	uint32_t last = 0;
	int count = 0;

	while (*parser->p != quote) {
		bool is_byte = false;

		if (!*parser->p || (*parser->p == '\n' && quote != '`'))
			return fail(parser, "unterminated quoted string");
		count += ((unsigned char)*parser->p & 0xc0) != 0x80;
		if (*parser->p != '\\' || quote == '`') {
			last = (unsigned char)*parser->p;
			strbuf_addc(&buf, *parser->p++);
			continue;
		}
		parser->p++;
		int r = take_escape(parser, &buf, &is_byte, &last);
		if (r < 0)
			return r;
		if (is_byte)
			strbuf_addc(&buf, (char)last);
		else
			add_utf8(&buf, last);
	}
	parser->p++;
	if (quote == '\'' && (count != 1 || last >= 0x80))
		return fail(parser, "a character constant holds one ASCII character");
	*ret_value =
		keep_literal(parser, quote == '\'' ? json_object_new_int64(last)
						   : json_object_new_string_len(strbuf_text(&buf),
										(int)buf.size));
	return 0;
}

static int parse_number(struct parser *parser, struct json_object **ret_value)
{
	char *int_end, *double_end;
	long long value;
	double number;

	errno = 0;
	value = strtoll(parser->p, &int_end, 0);
	if (errno)
		return fail(parser, "number is too large");
	number = strtod(parser->p, &double_end);
	if (is_word_char(*(int_end > double_end ? int_end : double_end)))
		return fail(parser, "bad number");
	if (double_end > int_end) {
		parser->p = double_end;
		*ret_value = keep_literal(parser, json_object_new_double(number));
	} else {
		parser->p = int_end;
		*ret_value = keep_literal(parser, json_object_new_int64(value));
	}
	return 0;
}

/* ".A.B" behind a value. */
static int parse_fields(struct parser *parser, struct operand *operand)
{
	const char *names[DEEPEST];
	int count = 0;

	while (*parser->p == '.') {
		size_t size = word_size(parser->p + 1);

		if (size == 0)
			break;
		if (isdigit((unsigned char)parser->p[1]) || count == DEEPEST) {
			parser->p++;
			return unexpected(parser, "field name");
		}
		names[count++] = allocate_text(parser, parser->p + 1, size);
		parser->p += size + 1;
	}
	operand->fields = allocate(parser, (size_t)count * sizeof(*names));
	if (count)
		memcpy(operand->fields, names, (size_t)count * sizeof(*names));
	operand->field_count = count;
	return count;
}

static int parse_pipeline(struct parser *parser, bool is_nested, struct pipeline **ret_pipeline);

static bool is_known(const struct parser *parser, const char *name)
{
	if (!*name)
		return true;
	for (int i = 0; i < parser->known_count; i++)
		if (strcmp(parser->known[i], name) == 0)
			return true;
	return false;
}

/* "true", "nil" or the name of a function */
static int parse_name(struct parser *parser, struct operand *operand)
{
	size_t size = word_size(parser->p);

	operand->kind = OPERAND_LITERAL;
	if (is_word(parser->p, size, "true") || is_word(parser->p, size, "false")) {
		operand->literal = keep_literal(parser, json_object_new_boolean(*parser->p == 't'));
	} else if (!is_word(parser->p, size, "nil")) {
		operand->kind = OPERAND_FUNCTION;
		operand->function = template_function_find(parser->p, size);
		if (!operand->function)
			return fail(parser, "function \"%.*s\" not defined", (int)size, parser->p);
	}
	parser->p += size;
	return 0;
}

static int parse_operand(struct parser *parser, struct operand *operand)
{
	struct pipeline *pipeline = NULL;
	const char *start = parser->p;
	size_t size;
	int r;

	*operand = (struct operand){ .at = position_of(parser, parser->p) };
	switch (*start) {
	case '.':
		operand->kind = OPERAND_DOT;
		r = parse_fields(parser, operand);
		if (r == 0)
			parser->p++;
		return r;
	case '$':
		size = word_size(start + 1);
		operand->kind = OPERAND_VARIABLE;
		operand->name = allocate_text(parser, start + 1, size);
		if (!is_known(parser, operand->name))
			return fail(parser, "undefined variable \"$%s\"", operand->name);
		parser->p += size + 1;
		return parse_fields(parser, operand);
	case '(':
		parser->p++;
		r = parse_pipeline(parser, true, &pipeline);
		if (r < 0)
			return r;
		if (*parser->p != ')')
			return *parser->p ? unexpected(parser, "parentheses")
					  : fail(parser, "unclosed left parenthesis");
		parser->p++;
		operand->kind = OPERAND_PIPELINE;
		operand->pipeline = pipeline;
		return parse_fields(parser, operand);
	case '"':
	case '`':
	case '\'':
		operand->kind = OPERAND_LITERAL;
		return parse_string(parser, &operand->literal);
	default:
		break;
	}
	if (isdigit((unsigned char)*start) ||
	    ((*start == '-' || *start == '+') && isdigit((unsigned char)start[1]))) {
		operand->kind = OPERAND_LITERAL;
		return parse_number(parser, &operand->literal);
	}
	if (!is_word_char(*start))
		return unexpected(parser, "operand");
	return parse_name(parser, operand);
}

/* An operand and its arguments, up to "|", ")" or the end of the action. */
static int parse_stage(struct parser *parser, bool is_first, struct stage *stage)
{
	struct operand operands[32];
	int count = 0;

	skip_space(parser);
	while (*parser->p != '|' && *parser->p != ')' && !at_close(parser)) {
		if (count == ARRAY_SIZE(operands))
			return fail(parser, "too many arguments");
		int r = parse_operand(parser, &operands[count]);
		if (r < 0)
			return r;
		count++;
		if (!strchr(" \t\r\n|)", *parser->p) && !at_close(parser))
			return unexpected(parser, "operand");
		skip_space(parser);
	}
	if (count == 0)
		return fail(parser, is_first ? "missing value" : "missing function after \"|\"");
	/* A field with an argument is a method in Go, such as {{.Label "x"}}. */
	if (operands[0].kind != OPERAND_FUNCTION && !operands[0].field_count &&
	    (count > 1 || !is_first)) {
		struct position at = operands[0].at;

		return err_set(parser->err, EINVAL,
			       "template: %d:%d: a value that is no function cannot have arguments",
			       at.line, at.column);
	}
	stage->operands = allocate(parser, (size_t)count * sizeof(*operands));
	memcpy(stage->operands, operands, (size_t)count * sizeof(*operands));
	stage->count = count;
	return 0;
}

/* "$x :=", "$x =" or "$i, $x :=" in front of a pipeline; nothing is taken when there is none. */
static int parse_declaration(struct parser *parser, struct pipeline *pipeline)
{
	const char *start = parser->p;

	while (*parser->p == '$' && pipeline->variable_count < 2) {
		size_t size = word_size(++parser->p);

		pipeline->variables[pipeline->variable_count++] =
			allocate_text(parser, parser->p, size);
		parser->p += size;
		skip_space(parser);
		if (*parser->p != ',')
			break;
		parser->p++;
		skip_space(parser);
	}
	if (pipeline->variable_count && strncmp(parser->p, ":=", 2) == 0) {
		parser->p += 2;
		return 0;
	}
	if (pipeline->variable_count && *parser->p == '=') {
		parser->p++;
		pipeline->is_assignment = true;
		for (int i = 0; i < pipeline->variable_count; i++)
			if (!*pipeline->variables[i] || !is_known(parser, pipeline->variables[i]))
				return fail(parser, "undefined variable \"$%s\"",
					    pipeline->variables[i]);
		return 0;
	}
	parser->p = start;
	pipeline->variable_count = 0;
	return 0;
}

static int parse_pipeline(struct parser *parser, bool is_nested, struct pipeline **ret_pipeline)
{
	struct pipeline *pipeline = allocate(parser, sizeof(*pipeline));
	struct stage stages[32];
	int r = 0;

	if (++parser->depth > DEEPEST)
		return fail(parser, "nested too deeply");
	skip_space(parser);
	pipeline->at = position_of(parser, parser->p);
	if (!is_nested)
		r = parse_declaration(parser, pipeline);
	if (r < 0)
		return r;
	for (;;) {
		if (pipeline->count == ARRAY_SIZE(stages))
			return fail(parser, "too many stages");
		r = parse_stage(parser, pipeline->count == 0, &stages[pipeline->count]);
		if (r < 0)
			return r;
		pipeline->count++;
		if (*parser->p != '|')
			break;
		parser->p++;
	}
	if (!is_nested && *parser->p == ')')
		return fail(parser, "unexpected right parenthesis");
	pipeline->stages = allocate(parser, (size_t)pipeline->count * sizeof(*stages));
	memcpy(pipeline->stages, stages, (size_t)pipeline->count * sizeof(*stages));
	for (int i = 0; i < pipeline->variable_count && !pipeline->is_assignment; i++) {
		if (parser->known_count == ARRAY_SIZE(parser->known))
			return fail(parser, "too many variables");
		parser->known[parser->known_count++] = pipeline->variables[i];
	}
	parser->depth--;
	*ret_pipeline = pipeline;
	return 0;
}

static int parse_list(struct parser *parser, struct node **ret_nodes, enum list_end *ret_end);

/* if, with and range, behind the word. "else if" is an if inside of else that shares its end. */
static int parse_control(struct parser *parser, struct node *node, const char *word)
{
	int known = parser->known_count;
	struct pipeline *pipeline = NULL;
	enum list_end end;
	int r = parse_pipeline(parser, false, &pipeline);

	if (r < 0)
		return r;
	assert(pipeline);
	if (pipeline->variable_count == 2 && node->kind != NODE_RANGE)
		return fail(parser, "too many variables in %s", word);
	node->pipeline = pipeline;
	r = take_close(parser, word);
	if (r < 0)
		return r;
	if (++parser->depth > DEEPEST)
		return fail(parser, "nested too deeply");
	parser->range_depth += node->kind == NODE_RANGE;
	r = parse_list(parser, &node->body, &end);
	parser->range_depth -= node->kind == NODE_RANGE;
	if (r < 0)
		return r;
	if (end == END_ELSE) {
		skip_space(parser);
		if (node->kind != NODE_RANGE && take_word(parser, word)) {
			struct node *inner = allocate(parser, sizeof(*inner));

			inner->kind = node->kind;
			inner->at = position_of(parser, parser->p);
			node->otherwise = inner;
			r = parse_control(parser, inner, word);
			end = END_END;
		} else {
			r = take_close(parser, "else");
			if (r >= 0)
				r = parse_list(parser, &node->otherwise, &end);
		}
		if (r < 0)
			return r;
		if (end == END_ELSE)
			return fail(parser, "unexpected {{else}}");
	}
	if (end == END_OF_TEXT)
		return fail(parser, "unexpected end of template: {{%s}} without {{end}}", word);
	parser->depth--;
	parser->known_count = known;
	return 0;
}

/* Literal text up to the next action, with \t and \n expanded; "{{- " takes the white space off its
 * end. */
static void parse_text(struct parser *parser, struct node ***tail)
{
	const char *start = parser->p, *open = strstr(start, "{{");
	size_t size = open ? (size_t)(open - start) : strlen(start);
	autostrbuf struct strbuf buf = STRBUF_EMPTY;

	parser->p += size;
	if (open && open[2] == '-' && open[3] && strchr(" \t\r\n", open[3]))
		while (size && strchr(" \t\r\n", start[size - 1]))
			size--;
	for (size_t i = 0; i < size; i++)
		if (start[i] == '\\' && i + 1 < size &&
		    (start[i + 1] == 't' || start[i + 1] == 'n'))
			strbuf_addc(&buf, start[++i] == 't' ? '\t' : '\n');
		else
			strbuf_addc(&buf, start[i]);
	if (!buf.size)
		return;
	struct node *node = allocate(parser, sizeof(*node));
	node->kind = NODE_TEXT;
	node->text = allocate_text(parser, buf.data, buf.size);
	node->text_size = buf.size;
	**tail = node;
	*tail = &node->next;
}

/* Behind "{{" and an optional "- ": 1 when it was a comment. */
static int skip_comment(struct parser *parser)
{
	const char *end;

	if (strncmp(parser->p, "/*", 2) != 0)
		return 0;
	end = strstr(parser->p, "*/");
	if (!end || end < parser->p + 2)
		return fail(parser, "unclosed comment");
	parser->p = end + 2;
	int r = take_close(parser, "comment");
	return r < 0 ? r : 1;
}

static int parse_action(struct parser *parser, struct node *node)
{
	static const struct {
		const char *word;
		enum node_kind kind;
	} controls[] = { { "if", NODE_IF }, { "with", NODE_WITH }, { "range", NODE_RANGE } };
	static const char *const foreign[] = { "define", "template", "block" };
	struct pipeline *pipeline = NULL;
	int r;

	node->at = position_of(parser, parser->p);
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
		if (take_word(parser, controls[i].word)) {
			node->kind = controls[i].kind;
			return parse_control(parser, node, controls[i].word);
		}
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (is_word(parser->p, word_size(parser->p), foreign[i]))
			return fail(parser, "{{%s}} is not supported", foreign[i]);
	if (is_word(parser->p, word_size(parser->p), "break") ||
	    is_word(parser->p, word_size(parser->p), "continue")) {
		node->kind = *parser->p == 'b' ? NODE_BREAK : NODE_CONTINUE;
		if (parser->range_depth == 0)
			return fail(parser, "{{%.*s}} outside {{range}}", (int)word_size(parser->p),
				    parser->p);
		parser->p += word_size(parser->p);
		return take_close(parser, "action");
	}
	node->kind = NODE_ACTION;
	r = parse_pipeline(parser, false, &pipeline);
	if (r < 0)
		return r;
	if (pipeline->variable_count == 2)
		return fail(parser, "two variables need a range");
	node->pipeline = pipeline;
	return take_close(parser, "action");
}

static int parse_list(struct parser *parser, struct node **ret_nodes, enum list_end *ret_end)
{
	struct node **tail = ret_nodes;
	int r;

	*ret_end = END_OF_TEXT;
	for (;;) {
		parse_text(parser, &tail);
		if (!*parser->p)
			return 0;
		parser->p += 2;
		if (*parser->p == '-' && parser->p[1] && strchr(" \t\r\n", parser->p[1]))
			parser->p++;
		skip_space(parser);
		r = skip_comment(parser);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (take_word(parser, "else")) {
			*ret_end = END_ELSE;
			return 0;
		}
		if (take_word(parser, "end")) {
			*ret_end = END_END;
			return take_close(parser, "end");
		}
		struct node *node = allocate(parser, sizeof(*node));
		*tail = node;
		tail = &node->next;
		r = parse_action(parser, node);
		if (r < 0)
			return r;
	}
}

int template_parse(const char *text, struct template **ret_template, struct err *err)
{
	autotemplate struct template *template = xcalloc(1, sizeof(*template));
	struct parser parser = { .template = template, .text = text, .p = text, .err = err };
	enum list_end end;
	int r;

	if (strncmp(text, "table", 5) == 0 && (strchr(" \t", text[5]) || text[5] == '\\')) {
		template->is_table = true;
		parser.p += 5;
		parser.p += strspn(parser.p, " \t");
	}
	r = parse_list(&parser, &template->nodes, &end);
	if (r < 0)
		return r;
	if (end != END_OF_TEXT)
		return fail(&parser, "unexpected {{%s}}", end == END_ELSE ? "else" : "end");
	*ret_template = take_ptr(&template);
	return 0;
}

void template_free(struct template *template)
{
	if (!template)
		return;
	while (template->blocks) {
		struct block *next = template->blocks->next;

		json_object_put(template->blocks->literal);
		free(template->blocks);
		template->blocks = next;
	}
	free(template);
}
