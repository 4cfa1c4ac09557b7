/* The words before the cursor are walked as the parser would, but nothing is refused: a mistake in
 * front must not keep the rest from being completed. */
#include "cli/complete.h"

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/commands.h"

/* Where the cursor is. */
struct place {
	struct option_parser parser; /* for looking up options */
	const struct command_group *group;
	const struct command *command;
	const struct option_spec *pending; /* the option whose value comes next */
	int operands;			   /* in front of the cursor, behind the command */
	bool options_ended;
	bool is_lost; /* there is no such command */
};

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void offer(struct strbuf *out, const char *before, const char *word, size_t size,
		  const char *prefix, const char *what)
{
	if (strlen(prefix) > size || memcmp(word, prefix, strlen(prefix)) != 0)
		return;
	strbuf_addf(out, "%s%.*s", before, (int)size, word);
	if (what)
		strbuf_addf(out, "\t%s", what);
	strbuf_addc(out, '\n');
}

static void walk_operand(struct place *place, char *word)
{
	int used;

	if (place->command) {
		place->operands++;
		place->options_ended = place->options_ended || place->command->stop_at_operand;
		return;
	}
	if (place->group) {
		char *words[] = { (char *)place->group->name, word };

		place->command = command_find(2, words, &used);
	} else {
		place->command = command_find(1, &word, &used);
		place->group = place->command ? NULL : command_group_find(word);
	}
	if (place->command)
		place->parser.sets[0].specs = place->command->options;
	place->is_lost = !place->command && (!place->group || !place->parser.is_top);
	place->parser.is_top = false;
}

/* Does the word leave an option that waits for its value? */
static const struct option_spec *walk_option(const struct place *place, const char *word)
{
	const struct option_spec *spec;

	if (word[1] == '-') {
		spec = strchr(word, '=')
			       ? NULL
			       : options_find(&place->parser, word + 2, strlen(word + 2), 0);
		return spec && option_takes_word(spec) ? spec : NULL;
	}
	for (const char *p = word + 1; *p; p++) {
		spec = options_find(&place->parser, NULL, 0, *p);
		if (!spec)
			return NULL;
		if (option_takes_word(spec))
			return p[1] ? NULL : spec;
	}
	return NULL;
}

static void walk(struct place *place, char *word)
{
	if (place->pending)
		place->pending = NULL;
	else if (place->options_ended || word[0] != '-' || !word[1])
		walk_operand(place, word);
	else if (strcmp(word, "--") == 0)
		place->options_ended = true;
	else
		place->pending = walk_option(place, word);
}

static void offer_choices(const char *choices, const char *before, const char *prefix,
			  struct strbuf *out)
{
	for (const char *p = choices; *p;) {
		size_t size = strcspn(p, "|");

		offer(out, before, p, size, prefix, NULL);
		p += size + (p[size] == '|');
	}
}

static void offer_commands(const struct command_group *group, const char *prefix,
			   struct strbuf *out)
{
	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name_in(*at, group ? group->name : NULL);

		if (name && !((*at)->traits & COMMAND_HIDDEN))
			offer(out, "", name, strlen(name), prefix, (*at)->summary);
	}
	for (const struct command_group *at = command_groups; !group && at->name; at++)
		if (command_group_has_members(at))
			offer(out, "", at->name, strlen(at->name), prefix, at->summary);
}

static void offer_source(struct cli *cli, enum completion_source source, const char *before,
			 const char *prefix, struct strbuf *out)
{
	struct strlist names = STRLIST_EMPTY;

	switch (source) {
	case COMPLETE_NOTHING:
		return;
	case COMPLETE_FILES:
		strbuf_adds(out, ":files\n");
		return;
	case COMPLETE_COMMANDS:
		offer_commands(NULL, prefix, out);
		return;
	case COMPLETE_CONTAINERS:
	case COMPLETE_CONTAINER_PATHS:
	case COMPLETE_RUNNING:
	case COMPLETE_IMAGES:
	case COMPLETE_SECRETS:
	case COMPLETE_VOLUMES:
	case COMPLETE_OBJECTS:
		break;
	}
	complete_names(cli, source, &names);
	for (size_t i = 0; i < names.count; i++)
		offer(out, before, names.items[i], strlen(names.items[i]), prefix, NULL);
	strlist_clear(&names);
	if (source == COMPLETE_CONTAINER_PATHS && out->size == 0)
		strbuf_adds(out, ":files\n");
}

static void offer_value(struct cli *cli, const struct option_spec *spec, const char *before,
			const char *prefix, struct strbuf *out)
{
	if (option_is_flag(spec))
		offer_choices("true|false", before, prefix, out);
	if (spec->choices)
		offer_choices(spec->choices, before, prefix, out);
	offer_source(cli, spec->complete, before, prefix, out);
}

static void offer_options(const struct place *place, const char *prefix, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(place->parser.sets); i++) {
		struct option_walk options;
		const struct option_spec *spec;
		size_t base;

		options_walk_start(&options, place->parser.sets[i].specs);
		while ((spec = options_walk_next(&options, &base))) {
			/* behind a command the global options are known, but only --help is news */
			bool is_global = i > 0 && place->command;

			if ((spec->traits & OPTION_HIDDEN) ||
			    (is_global && strcmp(spec->name, "help") != 0) ||
			    (!place->parser.is_top && (spec->traits & OPTION_TOP_ONLY)))
				continue;
			offer(out, "--", spec->name, strlen(spec->name), prefix, spec->help);
		}
	}
}

static void offer_operand(struct cli *cli, const struct place *place, const char *prefix,
			  struct strbuf *out)
{
	const struct command *command = place->command;
	enum completion_source source;

	if (place->is_lost)
		return;
	if (!command) {
		offer_commands(place->group, prefix, out);
		return;
	}
	if (command->max_operands >= 0 && place->operands >= command->max_operands)
		return;
	if (place->operands == 0 && command->operand_choices)
		offer_choices(command->operand_choices, "", prefix, out);
	source = command->complete;
	if (place->operands > 0 && (command->complete_rest || command->stop_at_operand))
		source = command->complete_rest;
	offer_source(cli, source, "", prefix, out);
}

void complete(struct cli *cli, int count, char **words, struct strbuf *out)
{
	struct cli_globals ignored = { 0 };
	struct place place = { .parser = { .sets = { [1] = { global_options, &ignored } },
					   .is_top = true } };
	const char *word = words[count - 1], *equals = strchr(word, '=');

	for (int i = 0; i + 1 < count; i++)
		walk(&place, words[i]);
	if (place.pending) {
		offer_value(cli, place.pending, "", word, out);
	} else if (!place.options_ended && begins_with(word, "--") && equals) {
		const struct option_spec *spec =
			options_find(&place.parser, word + 2, (size_t)(equals - word) - 2, 0);
		autofree char *before = xstrndup(word, (size_t)(equals - word) + 1);

		if (spec)
			offer_value(cli, spec, before, equals + 1, out);
	} else if (!place.options_ended && word[0] == '-') {
		offer_options(&place, word[1] ? word + 2 : "", out);
	} else {
		offer_operand(cli, &place, word, out);
	}
}
