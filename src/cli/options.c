#include "cli/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/human.h"
#include "base/mem.h"
#include "cli/suggest.h"

void options_walk_start(struct option_walk *walk, const struct option_spec *specs)
{
	*walk = (struct option_walk){ .at = { specs }, .depth = specs ? 0 : -1 };
}

const struct option_spec *options_walk_next(struct option_walk *walk, size_t *ret_base)
{
	while (walk->depth >= 0) {
		const struct option_spec *row = walk->at[walk->depth];

		if (row->kind == OPTION_INCLUDE) {
			walk->at[walk->depth]++;
			if (walk->depth + 1 == (int)ARRAY_SIZE(walk->at))
				abort(); /* tables nested deeper than we ever meant */
			walk->base[walk->depth + 1] = walk->base[walk->depth] + row->offset;
			walk->at[++walk->depth] = row->include;
		} else if (!row->name) {
			walk->depth--;
		} else {
			walk->at[walk->depth]++;
			*ret_base = walk->base[walk->depth];
			return row;
		}
	}
	return NULL;
}

bool option_is_flag(const struct option_spec *spec)
{
	return spec->kind == OPTION_FLAG || spec->kind == OPTION_TRISTATE;
}

bool option_takes_word(const struct option_spec *spec)
{
	return !option_is_flag(spec) && !spec->if_bare;
}

/* What a search through the sets found: the row and its field. */
struct found {
	const struct option_spec *spec;
	void *field;
};

/* By name when `name` is set, else by short name. */
static bool find_option(const struct option_parser *parser, const char *name, size_t name_size,
			char short_name, struct found *ret_found)
{
	for (size_t i = 0; i < ARRAY_SIZE(parser->sets); i++) {
		struct option_walk walk;
		const struct option_spec *spec;
		size_t base;

		options_walk_start(&walk, parser->sets[i].specs);
		while ((spec = options_walk_next(&walk, &base))) {
			if ((spec->traits & OPTION_TOP_ONLY) && !parser->is_top)
				continue;
			if (name ? strlen(spec->name) != name_size ||
					    memcmp(spec->name, name, name_size) != 0
				 : spec->short_name != short_name)
				continue;
			*ret_found = (struct found){ spec, (char *)parser->sets[i].fields + base +
								   spec->offset };
			return true;
		}
	}
	return false;
}

const struct option_spec *options_find(const struct option_parser *parser, const char *name,
				       size_t name_size, char short_name)
{
	struct found found;

	return find_option(parser, name, name_size, short_name, &found) ? found.spec : NULL;
}

static bool parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[2][6] = {
		{ "0", "f", "F", "false", "FALSE", "False" },
		{ "1", "t", "T", "true", "TRUE", "True" },
	};

	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++)
			if (strcmp(text, words[value][i]) == 0) {
				*ret_value = value;
				return true;
			}
	return false;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t size = strlen(text);

	for (const char *p = choices; p; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, text, size) == 0 && (p[size] == '|' || !p[size]))
			return true;
	}
	return false;
}

/* KEY=VALUE sets, KEY takes over the caller's value, KEY* all that begin so. */
static int add_environment(struct strlist *list, const char *text, char *const *environment,
			   struct err *err)
{
	const char *equals = strchr(text, '=');
	size_t size = equals ? (size_t)(equals - text) : strlen(text);
	autofree char *key = xstrndup(text, size);

	if (size == 0)
		return err_set(err, EINVAL, "no name before '='");
	if (equals) {
		strlist_env_set(list, key, equals + 1);
		return 0;
	}
	for (; environment && *environment; environment++) {
		const char *end = strchr(*environment, '=');
		bool is_prefix = key[size - 1] == '*';

		if (!end || strncmp(*environment, key, is_prefix ? size - 1 : size) != 0)
			continue;
		if (!is_prefix && (size_t)(end - *environment) != size)
			continue;
		autofree char *name = xstrndup(*environment, (size_t)(end - *environment));
		strlist_env_set(list, name, end + 1);
	}
	return 0;
}

static int store_int(const char *text, int64_t *field, struct err *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || strchr(" \t\n", *text))
		return err_set(err, EINVAL, "not a whole number");
	if (errno)
		return err_set(err, ERANGE, "the number is too large");
	*field = value;
	return 0;
}

static int store_decimal(const char *text, double *field, struct err *err)
{
	char *end;
	double value;

	/* strtod() would also read "inf", "nan" and hexadecimal */
	if (!*text || text[strspn(text, "+-.0123456789")])
		return err_set(err, EINVAL, "not a number");
	value = strtod(text, &end);
	if (*end)
		return err_set(err, EINVAL, "not a number");
	*field = value;
	return 0;
}

static int store_bytes(const struct option_spec *spec, const char *text, int64_t *field,
		       struct err *err)
{
	if ((spec->traits & OPTION_MINUS_ONE) && strcmp(text, "-1") == 0) {
		*field = -1;
		return 0;
	}
	return human_parse_bytes(text, field, err);
}

static int store(const struct option_parser *parser, const struct option_spec *spec, void *field,
		 const char *text, struct err *err)
{
	bool value;

	switch (spec->kind) {
	case OPTION_FLAG:
	case OPTION_TRISTATE:
		if (!parse_bool(text, &value))
			return err_set(err, EINVAL, "neither true nor false");
		if (spec->kind == OPTION_FLAG)
			*(bool *)field = value;
		else
			*(enum option_tristate *)field = value ? TRISTATE_TRUE : TRISTATE_FALSE;
		return 0;
	case OPTION_CHOICE:
		if (!is_choice(spec->choices, text))
			return err_set(err, EINVAL, "must be one of %s", spec->choices);
		/* fall through */
	case OPTION_STRING:
		*(const char **)field = text;
		return 0;
	case OPTION_STRINGS:
		if (spec->traits & OPTION_COMMAS)
			strlist_split(field, text, ',');
		else
			strlist_add(field, text);
		return 0;
	case OPTION_INT:
		return store_int(text, field, err);
	case OPTION_DECIMAL:
		return store_decimal(text, field, err);
	case OPTION_BYTES:
		return store_bytes(spec, text, field, err);
	case OPTION_DURATION:
		return duration_parse(text, field, err);
	case OPTION_ENV:
		return add_environment(field, text, parser->environment, err);
	case OPTION_INCLUDE:
		break;
	}
	abort();
}

/* Store a value from the command line and remember that the option was given. */
static int take_value(struct option_parser *parser, const struct found *found, const char *text,
		      struct err *err)
{
	const struct option_spec *spec = found->spec;
	int r = store(parser, spec, found->field, text, err);

	if (r == 0 && spec->traits & OPTION_FROM_ZERO && *(int64_t *)found->field < 0)
		r = err_set(err, EINVAL, "give a number from 0 on");
	if (r < 0) {
		if (spec->short_name)
			return err_wrap(err, "invalid argument \"%s\" for \"-%c, --%s\" flag", text,
					spec->short_name, spec->name);
		return err_wrap(err, "invalid argument \"%s\" for \"--%s\" flag", text, spec->name);
	}
	strlist_add(&parser->given, spec->name);
	return 0;
}

static int unknown_flag(const struct option_parser *parser, const char *name, struct err *err)
{
	struct suggestion best = suggestion_for(name);

	for (size_t i = 0; i < ARRAY_SIZE(parser->sets); i++) {
		struct option_walk walk;
		const struct option_spec *spec;
		size_t base;

		options_walk_start(&walk, parser->sets[i].specs);
		while ((spec = options_walk_next(&walk, &base)))
			if (!(spec->traits & OPTION_HIDDEN) &&
			    (parser->is_top || !(spec->traits & OPTION_TOP_ONLY)))
				suggestion_offer(&best, spec->name);
	}
	if (best.name)
		return err_set(err, EINVAL, "unknown flag: --%s; did you mean --%s?", name,
			       best.name);
	return err_set(err, EINVAL, "unknown flag: --%s", name);
}

/* "--name", "--name=value" or "--name value": returns how many words were used. */
static int parse_long(struct option_parser *parser, char **words, int count, struct err *err)
{
	const char *name = words[0] + 2, *equals = strchr(name, '=');
	size_t size = equals ? (size_t)(equals - name) : strlen(name);
	struct found found;
	int r;

	if (size == 0 || *name == '-')
		return err_set(err, EINVAL, "bad flag syntax: %s", words[0]);
	if (!find_option(parser, name, size, 0, &found)) {
		autofree char *copy = xstrndup(name, size);
		return unknown_flag(parser, copy, err);
	}
	if (equals)
		r = take_value(parser, &found, equals + 1, err);
	else if (option_is_flag(found.spec))
		r = take_value(parser, &found, "true", err);
	else if (found.spec->if_bare)
		r = take_value(parser, &found, found.spec->if_bare, err);
	else if (count < 2)
		r = err_set(err, EINVAL, "flag needs an argument: --%s", found.spec->name);
	else
		r = take_value(parser, &found, words[1], err);
	if (r < 0)
		return r;
	return !equals && option_takes_word(found.spec) ? 2 : 1;
}

/* "-it", "-p8080:80", "-p=8080:80", "-p 8080:80": returns how many words were used. */
static int parse_cluster(struct option_parser *parser, char **words, int count, struct err *err)
{
	for (const char *p = words[0] + 1; *p; p++) {
		struct found found;
		int r;

		if (!find_option(parser, NULL, 0, *p, &found))
			return err_set(err, EINVAL, "unknown shorthand flag: '%c' in %s", *p,
				       words[0]);
		if (p[1] == '=' && p[2]) {
			r = take_value(parser, &found, p + 2, err);
			return r < 0 ? r : 1;
		}
		if (option_is_flag(found.spec) || found.spec->if_bare) {
			r = take_value(parser, &found,
				       found.spec->if_bare ? found.spec->if_bare : "true", err);
			if (r < 0)
				return r;
			continue;
		}
		if (p[1]) {
			r = take_value(parser, &found, p + 1, err);
			return r < 0 ? r : 1;
		}
		if (count < 2)
			return err_set(err, EINVAL, "flag needs an argument: '%c' in %s", *p,
				       words[0]);
		r = take_value(parser, &found, words[1], err);
		return r < 0 ? r : 2;
	}
	return 1;
}

/* An initial value that does not parse is our own mistake. */
static void store_initial(const struct option_parser *parser, const struct option_set *set)
{
	struct option_walk walk;
	const struct option_spec *spec;
	size_t base;
	struct err err;

	options_walk_start(&walk, set->specs);
	while ((spec = options_walk_next(&walk, &base)))
		if (spec->initial && store(parser, spec, (char *)set->fields + base + spec->offset,
					   spec->initial, &err) < 0)
			abort();
}

int options_parse(struct option_parser *parser, int argc, char **argv, struct err *err)
{
	bool ended = false;

	parser->operands = xcalloc((size_t)argc + 1, sizeof(*parser->operands));
	/* The second set are the globals, which were given their initial values when they were
	 * parsed on their own. */
	store_initial(parser, &parser->sets[0]);
	for (int i = 0; i < argc;) {
		char **words = argv + i;
		int r;

		if (ended || words[0][0] != '-' || !words[0][1]) {
			parser->operands[parser->operand_count++] = words[0];
			ended = ended || parser->stop_at_operand;
			i++;
			continue;
		}
		if (strcmp(words[0], "--") == 0) {
			ended = true;
			i++;
			continue;
		}
		r = words[0][1] == '-' ? parse_long(parser, words, argc - i, err)
				       : parse_cluster(parser, words, argc - i, err);
		if (r < 0)
			return r;
		i += r;
	}
	return 0;
}

void options_clear(struct option_parser *parser)
{
	for (size_t i = 0; i < ARRAY_SIZE(parser->sets); i++) {
		struct option_walk walk;
		const struct option_spec *spec;
		size_t base;

		options_walk_start(&walk, parser->sets[i].specs);
		while ((spec = options_walk_next(&walk, &base)))
			if (spec->kind == OPTION_STRINGS || spec->kind == OPTION_ENV)
				strlist_clear((struct strlist *)((char *)parser->sets[i].fields +
								 base + spec->offset));
	}
	free(parser->operands);
	strlist_clear(&parser->given);
	parser->operands = NULL;
	parser->operand_count = 0;
}

bool options_given(const struct option_parser *parser, const char *name)
{
	return strlist_contains(&parser->given, name);
}
