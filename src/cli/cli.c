/* From the words of the command line to a command's run(): the order is global options, the name
 * of a command (one word, or a group and a word), then its own options and operands. */
#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/suggest.h"
#include "config.h"

bool cli_given(const struct cli *cli, const char *option_name)
{
	return options_given(&cli->parser, option_name);
}

int cli_report(const struct err *err, enum exit_status status)
{
	fprintf(stderr, "Error: %s\n", err->text);
	return (int)status;
}

int cli_error(enum exit_status status, const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	fprintf(stderr, "Error: %s\n", text);
	return (int)status;
}

int cli_confirm(const char *question, struct err *err)
{
	char line[16];

	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(line, sizeof(line), stdin)) {
		fputc('\n', stderr);
		return err_set(err, ENODATA,
			       "nothing was removed: standard input has no answer; answer y, or "
			       "give --force");
	}
	line[strcspn(line, "\r\n")] = 0;
	return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

/* A mistake in the command line: say where help is. `where` is "" or " COMMAND". */
static int usage_error(const struct err *err, const char *where)
{
	fprintf(stderr, "Error: %s\nSee 'davit%s --help'\n", err->text, where);
	return EXIT_ENGINE;
}

/* Twice in a run: global options stand in front of the command or behind it. */
static void apply_globals(const struct cli_globals *globals)
{
	/* The second row: what users of other engines write. */
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR }, { "warn", LOG_LEVEL_WARN },
		{ "info", LOG_LEVEL_INFO },   { "debug", LOG_LEVEL_DEBUG },

		{ "fatal", LOG_LEVEL_ERROR }, { "panic", LOG_LEVEL_ERROR },
		{ "trace", LOG_LEVEL_DEBUG }, { "warning", LOG_LEVEL_WARN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i].name, globals->log_level) == 0)
			log_set_level(levels[i].level);
	if (globals->timing)
		timing_enable();
}

/* No such command: `group` is NULL or the group that was asked for one. */
static int unknown_command(const struct command_group *group, const char *word)
{
	struct suggestion best = suggestion_for(word);
	const char *prefix = group ? group->name : "", *space = group ? " " : "";
	struct strlist names = STRLIST_EMPTY;
	struct err err;

	for (const struct command *const *at = commands; *at; at++) {
		char *name = command_name_in(*at, group ? group->name : NULL);

		if (name && !((*at)->traits & COMMAND_HIDDEN))
			strlist_take(&names, name);
		else
			mem_free_pointer(&name);
	}
	for (const struct command_group *at = command_groups; !group && at->name; at++)
		strlist_add(&names, at->name);
	for (size_t i = 0; i < names.count; i++)
		suggestion_offer(&best, names.items[i]);
	if (best.name)
		err_set(&err, EINVAL,
			"unrecognized command `davit %s%s%s`; did you mean `davit %s%s%s`?", prefix,
			space, word, prefix, space, best.name);
	else
		err_set(&err, EINVAL, "unrecognized command `davit %s%s%s`", prefix, space, word);
	strlist_clear(&names);
	autofree char *where = xasprintf("%s%s", space, prefix);
	return usage_error(&err, where);
}

static int check_operands(const struct command *command, const char *name, int count,
			  struct err *err)
{
	int min = command->min_operands, max = command->max_operands;

	if (max == 0 && count > 0)
		return err_set(err, EINVAL, "`davit%s` takes no arguments", name);
	if (count < min && min == max)
		return err_set(err, EINVAL, "requires %d arg(s), received %d: %s", min, count,
			       command->operands);
	if (count < min)
		return err_set(err, EINVAL, "requires at least %d arg(s), only received %d: %s",
			       min, count, command->operands);
	if (max >= 0 && count > max)
		return err_set(err, EINVAL, "accepts at most %d arg(s), received %d", max, count);
	return 0;
}

static int finish(const struct cli *cli, int status)
{
	if (fflush(stdout) != 0 && errno != EPIPE && status == EXIT_OK)
		status = cli_error(EXIT_ENGINE, "write to standard output: %s", strerror(errno));
	if (cli->globals.timing)
		timing_print();
	return status;
}

/* `name` is how the command was called, with a space in front. */
static int run_command(struct cli *cli, const struct command *command, const char *name, int argc,
		       char **argv)
{
	void *args = command->args_size ? xcalloc(1, command->args_size) : NULL;
	struct option_parser *parser = &cli->parser;
	struct err err = { 0 };
	int r;

	cli->command = command;
	*parser = (struct option_parser){
		.sets = { { command->options, args }, { global_options, &cli->globals } },
		.environment = cli->environment,
		.stop_at_operand = command->stop_at_operand,
	};
	if (command->traits & COMMAND_RAW) {
		r = command->run(cli, args, argc, argv, &err);
		goto done;
	}
	r = options_parse(parser, argc, argv, &err);
	if (r >= 0 && cli->globals.help) {
		help_command(command, stdout);
		r = EXIT_OK;
		goto done;
	}
	if (r >= 0)
		r = check_operands(command, name, parser->operand_count, &err);
	if (r < 0) {
		r = usage_error(&err, name);
		goto done;
	}
	apply_globals(&cli->globals);
	r = command->run(cli, args, parser->operand_count, parser->operands, &err);
done:
	if (r < 0)
		r = cli_report(&err, EXIT_ENGINE);
	r = finish(cli, r);
	options_clear(parser);
	free(args);
	return r;
}

/* A group: its help, or the complaint that a command of it is missing or unknown. */
static int run_group(struct cli *cli, const struct command_group *group, int argc, char **argv)
{
	autofree char *where = xasprintf(" %s", group->name);
	struct option_parser parser = { .sets = { { global_options, &cli->globals } },
					.stop_at_operand = true };
	struct err err;
	int r = options_parse(&parser, argc, argv, &err);

	if (r < 0) {
		r = usage_error(&err, where);
	} else if (cli->globals.help) {
		help_group(group, stdout);
		r = finish(cli, EXIT_OK);
	} else if (parser.operand_count == 0) {
		err_set(&err, EINVAL, "missing command 'davit %s COMMAND'", group->name);
		r = usage_error(&err, where);
	} else {
		r = unknown_command(group, parser.operands[0]);
	}
	options_clear(&parser);
	return r;
}

int cli_main(int argc, char **argv, char *const *environment)
{
	struct cli cli = { .environment = environment };
	struct option_parser parser = { .sets = { { global_options, &cli.globals } },
					.stop_at_operand = true,
					.is_top = true };
	const struct command *command;
	const struct command_group *group;
	struct err err;
	int used, r = options_parse(&parser, argc - 1, argv + 1, &err);

	if (r < 0) {
		r = usage_error(&err, "");
		goto out;
	}
	apply_globals(&cli.globals);
	if (cli.globals.version) {
		puts("davit version " DAVIT_VERSION);
		r = finish(&cli, EXIT_OK);
	} else if (parser.operand_count == 0 && cli.globals.help) {
		help_top(stdout);
		r = finish(&cli, EXIT_OK);
	} else if (parser.operand_count == 0) {
		err_set(&err, EINVAL, "missing command 'davit COMMAND'");
		r = usage_error(&err, "");
	} else if ((command = command_find(parser.operand_count, parser.operands, &used))) {
		autofree char *name =
			used == 1 ? xasprintf(" %s", parser.operands[0])
				  : xasprintf(" %s %s", parser.operands[0], parser.operands[1]);
		r = run_command(&cli, command, name, parser.operand_count - used,
				parser.operands + used);
	} else if ((group = command_group_find(parser.operands[0]))) {
		r = run_group(&cli, group, parser.operand_count - 1, parser.operands + 1);
	} else {
		r = unknown_command(NULL, parser.operands[0]);
	}
out:
	cli_close_engine(&cli);
	options_clear(&parser);
	return r;
}
