#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/complete.h"

static struct strbuf out;

static void ask(char **words)
{
	struct cli cli = { 0 };
	int count = 0;

	while (words[count])
		count++;
	strbuf_reset(&out);
	complete(&cli, count, words, &out);
}
#define ASK(...) ask((char *[]){ __VA_ARGS__, NULL })

static void test_commands_come_first(void **state)
{
	ASK("versi");
	assert_string_equal(strbuf_text(&out), "version\tShow the version\n");
	ASK("--log-level", "debug", "versi");
	assert_string_equal(strbuf_text(&out), "version\tShow the version\n");
	ASK("system", "versi");
	assert_string_equal(strbuf_text(&out), "version\tShow the version\n");
	ASK("__comp");
	assert_string_equal(strbuf_text(&out), "");
}

static void test_options_of_the_command(void **state)
{
	ASK("version", "--");
	assert_non_null(strstr(strbuf_text(&out), "--format\t"));
	assert_non_null(strstr(strbuf_text(&out), "--help\t"));
	assert_null(strstr(strbuf_text(&out), "--root"));
	ASK("version", "--", "--");
	assert_string_equal(strbuf_text(&out), "");
	ASK("--roo");
	assert_non_null(strstr(strbuf_text(&out), "--root\t"));
}

static void test_values_of_options(void **state)
{
	ASK("--log-level", "");
	assert_string_equal(strbuf_text(&out),
			    "debug\ninfo\nwarn\nerror\ntrace\nwarning\nfatal\npanic\n");
	ASK("--log-level=d");
	assert_string_equal(strbuf_text(&out), "--log-level=debug\n");
	ASK("--timing=");
	assert_string_equal(strbuf_text(&out), "--timing=true\n--timing=false\n");
	ASK("--root", "/v");
	assert_string_equal(strbuf_text(&out), ":files\n");
	ASK("version", "-f", "");
	assert_string_equal(strbuf_text(&out), "json\n");
}

static void test_operands_with_fixed_words(void **state)
{
	ASK("completion", "z");
	assert_string_equal(strbuf_text(&out), "zsh\n");
	ASK("completion", "zsh", "");
	assert_string_equal(strbuf_text(&out), "");
}

static int clear(void **state)
{
	strbuf_clear(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_come_first),
		cmocka_unit_test(test_options_of_the_command),
		cmocka_unit_test(test_values_of_options),
		cmocka_unit_test(test_operands_with_fixed_words),
	};

	return cmocka_run_group_tests(tests, NULL, clear);
}
