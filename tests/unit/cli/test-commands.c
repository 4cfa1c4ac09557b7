/* Every row of every command, and that its manual page tells the same. */
#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "cli/commands.h"
#include "cli/help.h"

#define PAGE_LIMIT (1 << 20)

static const char *doc_directory;
static int problems;

static void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	problems++;
}

/* "volume create" of "volume create|…"; owned by the caller. */
static char *command_name(const struct command *command)
{
	return xstrndup(command->names, strcspn(command->names, "|"));
}

static void check_row(const char *name, const struct option_spec *spec)
{
	const char *end = spec->help ? strchr(spec->help, 0) : NULL;

	if (!spec->help || !*spec->help || end[-1] == '.')
		complain("%s --%s: needs a help text without full stop", name, spec->name);
	if (option_is_flag(spec) != !spec->metavar)
		complain("%s --%s: a metavar is for options with a value, and all of those", name,
			 spec->name);
	if (spec->kind == OPTION_CHOICE && !spec->choices)
		complain("%s --%s: a choice without choices", name, spec->name);
	if (spec->name[strspn(spec->name, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		complain("%s --%s: small letters, digits and dashes only", name, spec->name);
}

static void check_rows(const char *name, const struct option_spec *specs, size_t args_size)
{
	struct option_walk outer, inner;
	const struct option_spec *a, *b;
	size_t base, ignored;

	options_walk_start(&outer, specs);
	while ((a = options_walk_next(&outer, &base))) {
		int same_name = 0, same_letter = 0;

		check_row(name, a);
		if (base + a->offset >= args_size)
			complain("%s --%s: the field is outside of the arguments", name, a->name);
		options_walk_start(&inner, specs);
		while ((b = options_walk_next(&inner, &ignored))) {
			same_name += strcmp(a->name, b->name) == 0;
			same_letter += a->short_name && a->short_name == b->short_name;
		}
		if (same_name > 1)
			complain("%s --%s: declared twice", name, a->name);
		if (same_letter > 1)
			complain("%s -%c: declared twice", name, a->short_name);
	}
}

static void test_rows_are_complete(void **state)
{
	check_rows("davit", global_options, sizeof(struct cli_globals));
	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name(*at);

		check_rows(name, (*at)->options, (*at)->args_size);
		if (!(*at)->run || !(*at)->summary)
			complain("%s: lacks run or summary", name);
		if (((*at)->min_operands || (*at)->max_operands) && !(*at)->operands)
			complain("%s: takes operands and does not name them", name);
		if ((*at)->max_operands >= 0 && (*at)->max_operands < (*at)->min_operands)
			complain("%s: wants more operands than it takes", name);
	}
	assert_int_equal(problems, 0);
}

static void test_names_are_unique_and_their_groups_known(void **state)
{
	for (const struct command *const *at = commands; *at; at++) {
		const char *names = (*at)->names, *name;
		size_t size;

		while ((name = command_next_name(&names, &size))) {
			autofree char *first = xstrndup(name, size);
			char *words[2] = { first, strchr(first, ' ') };
			int used, count = words[1] ? 2 : 1;

			if (words[1])
				*words[1]++ = 0;
			if (words[1] && !command_group_find(first))
				complain("'%.*s': there is no such group", (int)size, name);
			if (command_find(count, words, &used) != *at || used != count)
				complain("'%.*s': another command has this name", (int)size, name);
		}
	}
	assert_int_equal(problems, 0);
}

static void test_help_works_for_all(void **state)
{
	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name(*at);
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		struct option_walk walk;
		const struct option_spec *spec;
		size_t base;

		help_command(*at, out);
		fclose(out);
		options_walk_start(&walk, (*at)->options);
		while ((spec = options_walk_next(&walk, &base))) {
			autofree char *option = xasprintf("--%s", spec->name);

			if (!(spec->traits & OPTION_HIDDEN) && !strstr(text, option))
				complain("%s: --help lacks %s", name, option);
		}
		free(text);
	}
	assert_int_equal(problems, 0);
}

/* The line above an option's text: "*-m*, *--memory*=_SIZE_". */
static void option_line(const struct option_spec *spec, struct strbuf *buf)
{
	if (spec->short_name)
		strbuf_addf(buf, "*-%c*, ", spec->short_name);
	strbuf_addf(buf, "*--%s*", spec->name);
	if (spec->metavar && spec->if_bare)
		strbuf_addf(buf, "[=_%s_]", spec->metavar);
	else if (spec->metavar)
		strbuf_addf(buf, "=_%s_", spec->metavar);
}

/* The part of a page that begins with the line "## HEADING", to the next heading; or nothing. */
static void cut_section(const char *page, const char *heading, struct strbuf *ret_section)
{
	autofree char *line = xasprintf("\n## %s\n", heading);
	const char *start = strstr(page, line), *end, *other;

	if (!start)
		return;
	start += strlen(line) - 1;
	end = strstr(start, "\n## ");
	other = strstr(start, "\n# ");
	if (!end || (other && other < end))
		end = other;
	strbuf_add(ret_section, start, end ? (size_t)(end - start) : strlen(start));
}

static bool read_page(const char *name, struct strbuf *buf)
{
	autofree char *file = xasprintf("%s.1.scd", name), *path = path_join(doc_directory, file);
	struct err err;

	return file_read(AT_FDCWD, path, buf, PAGE_LIMIT, &err) >= 0;
}

/* The text about a command: its own page, or its section in the page of its group or of davit. */
static bool find_text(const char *name, struct strbuf *ret_text)
{
	autofree char *own = xasprintf("davit-%s", name), *group = xstrdup(own);
	autofree char *heading = xasprintf("davit %s", name);
	autostrbuf struct strbuf page = STRBUF_EMPTY;
	char *space = strchr(own, ' ');

	if (space)
		*space = '-';
	if (read_page(own, ret_text))
		return true;
	if (space)
		*strchr(group, ' ') = 0;
	if (read_page(space ? group : "davit", &page))
		cut_section(strbuf_text(&page), heading, ret_text);
	return ret_text->size > 0;
}

static bool has_line(const char *text, const char *line)
{
	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && (p[strlen(line)] == '\n' || !p[strlen(line)]))
			return true;
	return false;
}

/* Where a page leaves the options that it shares with another command to that one's page. */
static bool is_told_elsewhere(const char *text, const char *line)
{
	autostrbuf struct strbuf other = STRBUF_EMPTY;

	return strstr(text, "\nSee *davit-run*(1) for the options that both share") &&
	       find_text("run", &other) && has_line(strbuf_text(&other), line);
}

static void compare_options(const char *name, const struct option_spec *specs, const char *text)
{
	autostrlist struct strlist lines = STRLIST_EMPTY, expected = STRLIST_EMPTY;
	struct option_walk walk;
	const struct option_spec *spec;
	size_t base;

	options_walk_start(&walk, specs);
	while ((spec = options_walk_next(&walk, &base))) {
		autostrbuf struct strbuf line = STRBUF_EMPTY;

		option_line(spec, &line);
		if (!(spec->traits & OPTION_HIDDEN))
			strlist_add(&expected, strbuf_text(&line));
	}
	for (size_t i = 0; i < expected.count; i++)
		if (!has_line(text, expected.items[i]) &&
		    !is_told_elsewhere(text, expected.items[i]))
			complain("the manual of 'davit %s' lacks the line: %s", name,
				 expected.items[i]);
	strlist_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (strncmp(lines.items[i], "*-", 2) == 0 &&
		    !strlist_contains(&expected, lines.items[i]))
			complain("the manual of 'davit %s' tells of what is not there: %s", name,
				 lines.items[i]);
}

static void test_manual_pages_list_every_option(void **state)
{
	autostrbuf struct strbuf top = STRBUF_EMPTY, section = STRBUF_EMPTY;

	assert_true(read_page("davit", &top));
	const char *start = strstr(strbuf_text(&top), "\n# GLOBAL OPTIONS\n");
	assert_non_null(start);
	const char *end = strstr(start + 1, "\n# ");
	strbuf_add(&section, start, end ? (size_t)(end - start) : strlen(start));
	compare_options("", global_options, strbuf_text(&section));
	for (const struct command *const *at = commands; *at; at++) {
		autofree char *name = command_name(*at);
		autostrbuf struct strbuf text = STRBUF_EMPTY;

		if ((*at)->traits & COMMAND_HIDDEN)
			continue;
		if (!find_text(name, &text)) {
			complain("'davit %s' has no manual page; write doc/davit-….1.scd", name);
			continue;
		}
		compare_options(name, (*at)->options, strbuf_text(&text));
	}
	assert_int_equal(problems, 0);
}

static int reset(void **state)
{
	problems = 0;
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rows_are_complete, reset),
		cmocka_unit_test_setup(test_names_are_unique_and_their_groups_known, reset),
		cmocka_unit_test_setup(test_help_works_for_all, reset),
		cmocka_unit_test_setup(test_manual_pages_list_every_option, reset),
	};

	if (argc < 2) {
		fprintf(stderr, "usage: test-cli-commands DOC_DIRECTORY\n");
		return 2;
	}
	doc_directory = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
