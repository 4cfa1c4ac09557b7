#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/options.h"
#include "cli/suggest.h"

struct shared {
	bool tls_verify;
	const char *authfile;
};

struct args {
	bool interactive, tty, detach;
	enum option_tristate init;
	const char *name, *pull, *mode;
	struct strlist publish, caps, env;
	int64_t count, memory, timeout;
	double cpus;
	struct shared shared;
};

#define SHARED(f) offsetof(struct shared, f)
static const struct option_spec shared_specs[] = {
	{ "tls-verify", 0, OPTION_FLAG, SHARED(tls_verify), NULL, "Verify", .initial = "true" },
	{ "authfile", 0, OPTION_STRING, SHARED(authfile), "FILE", "Credentials" },
	OPTION_END,
};

#define FIELD(f) offsetof(struct args, f)
static const struct option_spec specs[] = {
	{ "interactive", 'i', OPTION_FLAG, FIELD(interactive), NULL, "" },
	{ .kind = OPTION_INCLUDE, .offset = FIELD(shared), .include = shared_specs },
	{ "tty", 't', OPTION_FLAG, FIELD(tty), NULL, "" },
	{ "detach", 'd', OPTION_FLAG, FIELD(detach), NULL, "" },
	{ "init", 0, OPTION_TRISTATE, FIELD(init), NULL, "" },
	{ "name", 'n', OPTION_STRING, FIELD(name), "NAME", "" },
	{ "pull", 0, OPTION_CHOICE, FIELD(pull), "POLICY", "", .choices = "always|missing|never",
	  .if_bare = "always", .initial = "missing" },
	{ "mode", 0, OPTION_CHOICE, FIELD(mode), "MODE", "", .choices = "a|bb" },
	{ "publish", 'p', OPTION_STRINGS, FIELD(publish), "PORT", "" },
	{ "cap-add", 0, OPTION_STRINGS, FIELD(caps), "CAP", "", OPTION_COMMAS },
	{ "env", 'e', OPTION_ENV, FIELD(env), "ENV", "" },
	{ "count", 'c', OPTION_INT, FIELD(count), "N", "", .initial = "7" },
	{ "memory", 'm', OPTION_BYTES, FIELD(memory), "SIZE", "", OPTION_MINUS_ONE },
	{ "time", 0, OPTION_DURATION, FIELD(timeout), "TIME", "", .initial = "10" },
	{ "cpus", 0, OPTION_DECIMAL, FIELD(cpus), "N", "" },
	OPTION_END,
};

static char *const environment[] = { "HOME=/root", "LC_ALL=C", "LC_TIME=de", "LCX=1", NULL };

static struct args args;
static struct option_parser parser;
static struct err err;

static int parse(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	err = (struct err){ 0 };
	return options_parse(&parser, argc, argv, &err);
}
#define PARSE(...) parse((char *[]){ __VA_ARGS__, NULL })

static int setup(void **state)
{
	memset(&args, 0, sizeof(args));
	parser = (struct option_parser){ .sets = { { specs, &args } }, .environment = environment };
	return 0;
}

static int teardown(void **state)
{
	options_clear(&parser);
	return 0;
}

static void fails(char **argv, const char *text)
{
	assert_true(parse(argv) < 0);
	assert_string_equal(err.text, text);
	teardown(NULL);
}
#define FAILS(text, ...) fails((char *[]){ __VA_ARGS__, NULL }, text)

static void test_short_options_cluster(void **state)
{
	assert_int_equal(PARSE("-itp8080:80", "-dp", "1:2", "-p=3:4", "-e=A=b"), 0);
	assert_true(args.interactive && args.tty && args.detach);
	assert_int_equal(args.publish.count, 3);
	assert_string_equal(args.publish.items[0], "8080:80");
	assert_string_equal(args.publish.items[1], "1:2");
	assert_string_equal(args.publish.items[2], "3:4");
	assert_string_equal(strlist_env_get(&args.env, "A"), "b");
}

static void test_long_options_take_next_word_or_equals(void **state)
{
	assert_int_equal(PARSE("--name", "x", "op", "--publish=1", "--publish", "2", "op2"), 0);
	assert_string_equal(args.name, "x");
	assert_int_equal(args.publish.count, 2);
	assert_int_equal(parser.operand_count, 2);
	assert_string_equal(parser.operands[1], "op2");
	assert_null(parser.operands[2]);
}

static void test_flags_take_a_value(void **state)
{
	assert_int_equal(PARSE("--tty=true", "--detach", "--detach=false", "-i=0", "--init=f",
			       "--tls-verify=false"),
			 0);
	assert_true(args.tty);
	assert_false(args.detach);
	assert_false(args.interactive);
	assert_false(args.shared.tls_verify);
	assert_int_equal(args.init, TRISTATE_FALSE);
	assert_true(options_given(&parser, "tls-verify"));
	assert_false(options_given(&parser, "name"));
}

static void test_initial_values(void **state)
{
	assert_int_equal(PARSE("--authfile", "/a"), 0);
	assert_string_equal(args.pull, "missing");
	assert_int_equal(args.count, 7);
	assert_int_equal(args.timeout, 10000000);
	assert_int_equal(args.init, TRISTATE_UNSET);
	assert_true(args.shared.tls_verify);
	assert_string_equal(args.shared.authfile, "/a");
	assert_false(options_given(&parser, "count"));
}

static void test_optional_value_needs_equals(void **state)
{
	assert_int_equal(PARSE("--pull", "never"), 0);
	assert_string_equal(args.pull, "always");
	assert_string_equal(parser.operands[0], "never");
	teardown(state);
	assert_int_equal(PARSE("--pull=never"), 0);
	assert_string_equal(args.pull, "never");
}

static void test_first_operand_can_end_options(void **state)
{
	parser.stop_at_operand = true;
	assert_int_equal(PARSE("-i", "image", "-t", "--name", "--", "x"), 0);
	assert_true(args.interactive);
	assert_false(args.tty);
	assert_int_equal(parser.operand_count, 5);
	assert_string_equal(parser.operands[3], "--");
}

static void test_double_dash_ends_options(void **state)
{
	assert_int_equal(PARSE("-i", "--", "-t", "--", "-"), 0);
	assert_int_equal(parser.operand_count, 3);
	assert_string_equal(parser.operands[1], "--");
	assert_false(args.tty);
}

static void test_numbers_and_units(void **state)
{
	assert_int_equal(PARSE("-c-3", "-m", "512m", "--time", "1m30s", "--cpus=1.5",
			       "--cap-add=A,B", "--cap-add", "C"),
			 0);
	assert_int_equal(args.count, -3);
	assert_int_equal(args.memory, 512 << 20);
	assert_int_equal(args.timeout, 90000000);
	assert_true(args.cpus == 1.5);
	assert_int_equal(args.caps.count, 3);
	teardown(state);
	assert_int_equal(PARSE("--memory=-1"), 0);
	assert_int_equal(args.memory, -1);
}

static void test_environment_is_taken_by_name_and_by_prefix(void **state)
{
	assert_int_equal(
		PARSE("-e", "HOME", "-e", "NONE", "-e", "LC_*", "-e", "HOME=x", "-e", "E="), 0);
	assert_int_equal(args.env.count, 4);
	assert_string_equal(strlist_env_get(&args.env, "HOME"), "x");
	assert_string_equal(strlist_env_get(&args.env, "LC_TIME"), "de");
	assert_string_equal(strlist_env_get(&args.env, "E"), "");
	assert_null(strlist_env_get(&args.env, "LCX"));
}

static void test_mistakes_read_as_users_know_them(void **state)
{
	FAILS("unknown flag: --x", "--x");
	FAILS("unknown flag: --publsh; did you mean --publish?", "--publsh=1");
	FAILS("unknown shorthand flag: 'Z' in -iZ", "-iZ");
	FAILS("flag needs an argument: --name", "--name");
	FAILS("flag needs an argument: 'n' in -n", "-n");
	FAILS("bad flag syntax: --=x", "--=x");
	FAILS("invalid argument \"maybe\" for \"-t, --tty\" flag: neither true nor false",
	      "--tty=maybe");
	FAILS("invalid argument \"abc\" for \"-c, --count\" flag: not a whole number", "-c", "abc");
	FAILS("invalid argument \"99999999999999999999\" for \"-c, --count\" flag: the number is "
	      "too large",
	      "-c", "99999999999999999999");
	FAILS("invalid argument \"b\" for \"--mode\" flag: must be one of a|bb", "--mode", "b");
	FAILS("invalid argument \"0x1\" for \"--cpus\" flag: not a number", "--cpus", "0x1");
	FAILS("invalid argument \"=x\" for \"-e, --env\" flag: no name before '='", "-e", "=x");
}

static void test_own_options_hide_global_ones(void **state)
{
	static bool global, local;
	static const struct option_spec global_specs[] = {
		{ "help", 'h', OPTION_FLAG, 0, NULL, "" },
		{ "version", 'v', OPTION_FLAG, 0, NULL, "", OPTION_TOP_ONLY },
		OPTION_END,
	};
	static const struct option_spec own[] = { { "hostname", 'h', OPTION_FLAG, 0, NULL, "" },
						  OPTION_END };

	parser.sets[0] = (struct option_set){ own, &local };
	parser.sets[1] = (struct option_set){ global_specs, &global };
	assert_int_equal(PARSE("-h"), 0);
	assert_true(local);
	assert_false(global);
	teardown(state);
	assert_true(PARSE("-v") < 0);
	teardown(state);
	assert_int_equal(PARSE("--help"), 0);
	assert_true(global);
}

static void test_suggestions_are_near(void **state)
{
	struct suggestion best = suggestion_for("imges");

	suggestion_offer(&best, "import");
	assert_null(best.name);
	suggestion_offer(&best, "images");
	suggestion_offer(&best, "inspect");
	assert_string_equal(best.name, "images");
	best = suggestion_for("x");
	suggestion_offer(&best, "y");
	assert_null(best.name);
	best = suggestion_for("rum");
	suggestion_offer(&best, "rm");
	suggestion_offer(&best, "run");
	assert_string_equal(best.name, "run");
	best = suggestion_for("pasue");
	suggestion_offer(&best, "pause");
	assert_string_equal(best.name, "pause");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_short_options_cluster),
		TEST(test_long_options_take_next_word_or_equals),
		TEST(test_flags_take_a_value),
		TEST(test_initial_values),
		TEST(test_optional_value_needs_equals),
		TEST(test_first_operand_can_end_options),
		TEST(test_double_dash_ends_options),
		TEST(test_numbers_and_units),
		TEST(test_environment_is_taken_by_name_and_by_prefix),
		TEST(test_mistakes_read_as_users_know_them),
		TEST(test_own_options_hide_global_ones),
		TEST(test_suggestions_are_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
