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
	const struct health_result result = { exit_code, INT64_C(1700000000000000001),
					      INT64_C(1700000001000000000), "said" };

	assert_int_equal(health_add_result(health, spec, &result, is_starting),
			 strcmp(status, "unhealthy") == 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_as_podman_reads_them),
		cmocka_unit_test(test_what_is_no_command_is_refused),
		cmocka_unit_test(test_so_many_failures_in_a_row_make_it_unhealthy),
		cmocka_unit_test(test_the_start_period_forgives_what_has_never_worked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
