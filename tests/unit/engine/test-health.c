#include "engine/health.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-spec.h"

static void test_commands_as_podman_reads_them(void **state)
{
	static const struct {
		const char *text, *words; /* joined with '|' */
	} good[] = {
		{ "curl -f http://localhost/ || exit 1",
		  "CMD-SHELL|curl -f http://localhost/ || exit 1" },
		{ "[\"curl\", \"-f\", \"x y\"]", "CMD|curl|-f|x y" },
		{ "[\"CMD\", \"true\"]", "CMD|true" },
		{ "[\"CMD-SHELL\", \"exit 1\"]", "CMD-SHELL|exit 1" },
		{ "[\"exit 1\"]", "CMD-SHELL|exit 1" },
		{ "CMD curl  -f", "CMD|curl|-f" },
		{ "CMD-SHELL curl -f", "CMD-SHELL|curl -f" },
		{ "none", "NONE" },
		{ "CMDLINE x", "CMD-SHELL|CMDLINE x" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct container_spec spec = { 0 };
		struct err err = { 0 };
		assert_int_equal(health_test_parse(good[i].text, &spec.health_test, &err), 0);
		autofree char *words = strlist_join(&spec.health_test, "|");
		assert_string_equal(words, good[i].words);
		assert_int_equal(health_has_check(&spec), strcmp(words, "NONE") != 0);
		strlist_clear(&spec.health_test);
	}
}

static void test_what_is_no_command_is_refused(void **state)
{
	static const char *const bad[] = { "",	 " ",	      "CMD",	"CMD-SHELL",
					   "[]", "[\"CMD\"]", "[\"x\"", "[1]" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autostrlist struct strlist test = STRLIST_EMPTY;
		struct err err = { 0 };
		assert_int_not_equal(health_test_parse(bad[i], &test, &err), 0);
	}
}

static void add(struct json_object *health, const struct container_spec *spec, int exit_code,
		bool is_starting, const char *status, int64_t streak)
{
	const struct health_result result = { .exit_code = exit_code,
					      .start_nsec = INT64_C(1700000000000000001),
					      .end_nsec = INT64_C(1700000001000000000),
					      .output = "said" };

	assert_int_equal(health_add_result(health, spec, &result, is_starting),
			 strcmp(status, "unhealthy") == 0 ? HEALTH_UNHEALTHY : HEALTH_GOES_ON);
	assert_string_equal(json_get_string(health, "Status", NULL), status);
	assert_int_equal(json_get_int(health, "FailingStreak", -1), streak);
}

static void test_so_many_failures_in_a_row_make_it_unhealthy(void **state)
{
	const struct container_spec spec = { .health_retries = 3 };
	autojson struct json_object *health = json_object_new_object();

	add(health, &spec, 1, false, "starting", 1);
	add(health, &spec, 0, false, "healthy", 0);
	add(health, &spec, 1, false, "healthy", 1);
	add(health, &spec, -1, false, "healthy", 2);
	add(health, &spec, 127, false, "unhealthy", 3);
	add(health, &spec, 1, false, "unhealthy", 4);
	add(health, &spec, 0, false, "healthy", 0);
	/* The last five are kept. */
	struct json_object *log = json_get(health, "Log");
	assert_int_equal(json_object_array_length(log), 5);
	struct json_object *first = json_object_array_get_idx(log, 0);
	assert_int_equal(json_get_int(first, "ExitCode", 99), 1);
	assert_string_equal(json_get_string(first, "Start", ""), "2023-11-14T22:13:20.000000001Z");
	assert_string_equal(json_get_string(first, "Output", ""), "said");
}

static void test_the_start_period_forgives_what_has_never_worked(void **state)
{
	const struct container_spec spec = { .health_retries = 1 };
	autojson struct json_object *health = json_object_new_object();

	add(health, &spec, 1, true, "starting", 0);
	add(health, &spec, 1, true, "starting", 0);
	add(health, &spec, 0, true, "healthy", 0);
	add(health, &spec, 1, true, "unhealthy", 1);
	add(health, &spec, 0, true, "healthy", 0);
	add(health, &spec, 1, false, "unhealthy", 1);
}

static void test_the_check_of_the_start_comes_before_the_other(void **state)
{
	static const struct {
		int exit_code;
		enum health_verdict verdict;
	} results[] = {
		{ 1, HEALTH_GOES_ON }, { 0, HEALTH_GOES_ON },	   { 1, HEALTH_GOES_ON },
		{ 1, HEALTH_GOES_ON }, { 1, HEALTH_START_FAILED }, { 0, HEALTH_GOES_ON },
		{ 0, HEALTH_STARTED },
	};
	struct container_spec spec = { .health_retries = 1,
				       .health_startup_retries = 3,
				       .health_startup_success = 2 };
	autojson struct json_object *health = json_object_new_object();
	struct err err;

	assert_int_equal(health_test_parse("true", &spec.health_test, &err), 0);
	assert_int_equal(health_test_parse("true", &spec.health_startup_test, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		const struct health_result result = { .exit_code = results[i].exit_code,
						      .is_startup = true,
						      .output = "" };
		assert_true(health_is_startup(health, &spec));
		assert_int_equal(health_add_result(health, &spec, &result, false),
				 results[i].verdict);
		assert_string_equal(json_get_string(health, "Status", NULL), "starting");
		assert_int_equal(json_get_int(health, "FailingStreak", -1), 0);
	}
	assert_false(health_is_startup(health, &spec));
	add(health, &spec, 1, false, "unhealthy", 1);
	strlist_clear(&spec.health_test);
	strlist_clear(&spec.health_startup_test);
}

static void test_the_log_is_as_long_as_wished(void **state)
{
	struct container_spec spec = { .health_retries = 1, .health_log_count = 2 };
	autojson struct json_object *health = json_object_new_object();

	for (int i = 0; i < 4; i++)
		add(health, &spec, 0, false, "healthy", 0);
	assert_int_equal(json_object_array_length(json_get(health, "Log")), 2);
	spec.health_log_count = -1;
	for (int i = 0; i < 40; i++)
		add(health, &spec, 0, false, "healthy", 0);
	assert_int_equal(json_object_array_length(json_get(health, "Log")), 42);
	assert_int_equal(health_output_limit(&spec), 500);
	spec.health_log_size = -1;
	assert_int_equal(health_output_limit(&spec), HEALTH_LOG_BYTES);
	/* What has no limit of its own does not grow for ever. */
	autofree char *large = xmalloc(HEALTH_LOG_BYTES / 4 + 1);
	memset(large, 'x', HEALTH_LOG_BYTES / 4);
	large[HEALTH_LOG_BYTES / 4] = '\0';
	const struct health_result result = { .output = large };
	for (int i = 0; i < 9; i++)
		(void)health_add_result(health, &spec, &result, false);
	assert_int_equal(json_object_array_length(json_get(health, "Log")), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_as_podman_reads_them),
		cmocka_unit_test(test_what_is_no_command_is_refused),
		cmocka_unit_test(test_so_many_failures_in_a_row_make_it_unhealthy),
		cmocka_unit_test(test_the_start_period_forgives_what_has_never_worked),
		cmocka_unit_test(test_the_check_of_the_start_comes_before_the_other),
		cmocka_unit_test(test_the_log_is_as_long_as_wished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
