#include "engine/container-spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

static void test_json_gives_the_spec_back(void **state)
{
	autocontainer_spec struct container_spec *spec = container_spec_new();
	autocontainer_spec struct container_spec *again = NULL;
	struct err err;

	spec->image_name = xstrdup("docker.io/library/nginx:latest");
	spec->tty = true;
	spec->memory = INT64_C(1) << 40;
	spec->pids_limit = -1;
	strlist_add(&spec->env, "A=b \"c\"\n");
	strlist_add(&spec->ports, "127.0.0.1:1080:80/tcp");
	autojson struct json_object *json = container_spec_to_json(spec);
	assert_int_equal(container_spec_from_json(json, &again, &err), 0);
	assert_string_equal(again->image_name, spec->image_name);
	assert_true(again->tty);
	assert_false(again->open_stdin);
	assert_int_equal(again->memory, INT64_C(1) << 40);
	assert_int_equal(again->pids_limit, -1);
	assert_string_equal(again->env.items[0], "A=b \"c\"\n");
	assert_int_equal(again->ports.count, 1);
	assert_null(again->user);
}

static void test_unknown_members_are_passed_over(void **state)
{
	static const char text[] =
		"{\"of_the_future\": [1], \"tty\": \"no boolean\", \"user\": \"ann\"}";
	autocontainer_spec struct container_spec *spec = NULL;
	autojson struct json_object *json = NULL;
	struct err err;

	assert_int_equal(json_parse(text, sizeof(text) - 1, &json, &err), 0);
	assert_int_equal(container_spec_from_json(json, &spec, &err), 0);
	assert_false(spec->tty);
	assert_string_equal(spec->user, "ann");
}

static void test_what_is_no_object_is_refused(void **state)
{
	struct container_spec *spec = NULL;
	struct err err;
	autojson struct json_object *json = json_object_new_array();

	assert_true(container_spec_from_json(json, &spec, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_gives_the_spec_back),
		cmocka_unit_test(test_unknown_members_are_passed_over),
		cmocka_unit_test(test_what_is_no_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
