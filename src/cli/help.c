#include "cli/help.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/commands.h"

/* Print `text` with every line indented. */
static void print_indented(const char *text, FILE *out)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		fprintf(out, "  %.*s\n", (int)size, text);
		text += size + (text[size] == '\n');
	}
}

#define DESCRIPTION_WIDTH 78

/* The same with lines broken where they are too long. */
static void print_wrapped(const char *text, FILE *out)
{
	size_t column = 0;

	while (*text) {
		size_t size = strcspn(text, " \n");

		if (column && column + 1 + size > DESCRIPTION_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%.*s", column ? " " : "  ", (int)size, text);
		column += size + (column ? 1 : 2);
		text += size;
		if (*text == '\n') {
			fputc('\n', out);
			column = 0;
		}
		text += *text != 0;
	}
	if (column)
		fputc('\n', out);
}

/* "-m, --memory SIZE" */
static void option_heading(const struct option_spec *spec, struct strbuf *buf)
{
	if (spec->short_name)
		strbuf_addf(buf, "  -%c, --%s", spec->short_name, spec->name);
	else
		strbuf_addf(buf, "      --%s", spec->name);
	if (spec->metavar && spec->if_bare)
		strbuf_addf(buf, "[=%s]", spec->metavar);
	else if (spec->metavar)
		strbuf_addf(buf, " %s", spec->metavar);
}

/* "always, missing or never" from "always|missing|never" */
static void add_choices(const char *choices, struct strbuf *buf)
{
	for (const char *p = choices; *p;) {
		size_t size = strcspn(p, "|");

		if (p != choices)
			strbuf_adds(buf, strchr(p, '|') ? ", " : " or ");
		strbuf_add(buf, p, size);
		p += size + (p[size] == '|');
	}
}

static void print_option(const struct option_spec *spec, int width, FILE *out)
{
	autostrbuf struct strbuf heading = STRBUF_EMPTY, tail = STRBUF_EMPTY;

	option_heading(spec, &heading);
	if (spec->kind == OPTION_CHOICE) {
		strbuf_adds(&tail, ": ");
		add_choices(spec->choices, &tail);
	}
	if (spec->traits & OPTION_NEEDS_ROOT)
		strbuf_adds(&tail, " (root only)");
	if (spec->initial)
		strbuf_addf(&tail, " (default %s)", spec->initial);
	fprintf(out, "%-*s  %s%s\n", width, strbuf_text(&heading), spec->help, strbuf_text(&tail));
}

static int compare_names(const void *a, const void *b)
{
	const struct option_spec *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The visible rows in alphabetical order, with a NULL behind them; array owned by the caller. */
static const struct option_spec **sorted_options(const struct option_spec *specs)
{
	const struct option_spec **rows = NULL, *spec;
	struct option_walk walk;
	size_t base, count = 0;

	options_walk_start(&walk, specs);
	do {
		spec = options_walk_next(&walk, &base);
		if (spec && (spec->traits & OPTION_HIDDEN))
			continue;
		rows = xreallocarray(rows, count + 1, sizeof(void *));
		rows[count++] = spec;
	} while (spec);
	qsort(rows, count - 1, sizeof(void *), compare_names);
	return rows;
}

static void print_options(const char *title, const struct option_spec *specs, FILE *out)
{
	autofree const struct option_spec **rows = sorted_options(specs);
	int width = 0;

	for (size_t i = 0; rows[i]; i++) {
		autostrbuf struct strbuf heading = STRBUF_EMPTY;

		option_heading(rows[i], &heading);
		if ((int)heading.size > width)
			width = (int)heading.size;
	}
	if (!width)
		return;
	fprintf(out, "\n%s:\n", title);
	for (size_t i = 0; rows[i]; i++)
		print_option(rows[i], width, out);
}

static void print_commands(const char *group, FILE *out)
{
	autostrlist struct strlist lines = STRLIST_EMPTY;

	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name_in(*at, group);

		if (name && !((*at)->traits & COMMAND_HIDDEN))
			strlist_addf(&lines, "  %-11s %s", name, (*at)->summary);
	}
	strlist_sort(&lines);
	for (size_t i = 0; i < lines.count; i++)
		fprintf(out, "%s\n", lines.items[i]);
}

void help_top(FILE *out)
{
	fputs("Run containers without a daemon\n\n"
	      "Usage:\n"
	      "  davit [options] COMMAND\n\n"
	      "Commands:\n",
	      out);
	print_commands(NULL, out);
	fputs("\nCommand groups:\n", out);
	for (const struct command_group *group = command_groups; group->name; group++)
		if (command_group_has_members(group))
			fprintf(out, "  %-11s %s\n", group->name, group->summary);
	print_options("Options", global_options, out);
	fputs("\nSee 'davit COMMAND --help' for one command, and the manual page davit(1).\n", out);
}

void help_group(const struct command_group *group, FILE *out)
{
	fprintf(out, "%s\n\nUsage:\n  davit %s COMMAND\n\nCommands:\n", group->summary,
		group->name);
	print_commands(group->name, out);
}

void help_command(const struct command *command, FILE *out)
{
	const char *names = command->names, *name;
	size_t size;

	fprintf(out, "%s\n", command->summary);
	if (command->description) {
		fputs("\nDescription:\n", out);
		print_wrapped(command->description, out);
	}
	name = command_next_name(&names, &size);
	fprintf(out, "\nUsage:\n  davit %.*s%s%s%s\n", (int)size, name,
		command->options ? " [options]" : "", command->operands ? " " : "",
		command->operands ? command->operands : "");
	if (*names)
		fputs("\nAliases:\n", out);
	while ((name = command_next_name(&names, &size)))
		fprintf(out, "  davit %.*s\n", (int)size, name);
	if (command->examples) {
		fputs("\nExamples:\n", out);
		print_indented(command->examples, out);
	}
	print_options("Options", command->options, out);
}
