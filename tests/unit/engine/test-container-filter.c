#include "engine/container-filter.h"

#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "engine/container.h"

static struct container web = {
	.id = "abcdef0123",
	.name = "web-1",
	.image_id = "fedcba98",
	.image_name = "docker.io/library/nginx:latest",
	.labels = "{\"app\":\"shop\",\"tier\":\"front\"}",
	.state = CONTAINER_EXITED,
	.exit_code = 3,
};

static bool matches(const char *first, const char *second)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	autocontainer_filter struct container_filter *filter = NULL;
	struct err err;

	strlist_add(&words, first);
	if (second)
		strlist_add(&words, second);
	assert_int_equal(container_filter_parse(NULL, &words, &filter, &err), 0);
	return container_filter_matches(filter, &web);
}

static void test_each_key_looks_at_its_field(void **state)
{
	assert_true(matches("id=abc", NULL));
	assert_false(matches("id=bcd", NULL));
	assert_true(matches("name=web", NULL));
	assert_true(matches("name=^web-[0-9]$", NULL));
	assert_false(matches("name=^eb", NULL));
	assert_true(matches("status=exited", NULL));
	assert_true(matches("exited=3", NULL));
	assert_false(matches("exited=0", NULL));
	assert_true(matches("ancestor=nginx", NULL));
	assert_true(matches("ancestor=docker.io/library/nginx:latest", NULL));
	assert_false(matches("ancestor=ginx", NULL));
	assert_true(matches("ancestor=fedc", NULL));
}

static void test_values_of_a_key_are_alternatives(void **state)
{
	assert_true(matches("status=running", "status=exited"));
	assert_false(matches("status=running", "status=created"));
}

static void test_labels_must_all_hold(void **state)
{
	assert_true(matches("label=app", "label=tier=front"));
	assert_false(matches("label=app", "label=tier=back"));
	assert_true(matches("label!=db", NULL));
	assert_false(matches("label!=app=shop", NULL));
}

static void test_different_keys_must_all_hold(void **state)
{
	assert_true(matches("name=web", "status=exited"));
	assert_false(matches("name=web", "status=running"));
}

static void test_bad_filters_name_what_is_known(void **state)
{
	static const char *const bad[] = { "foo=1", "name", "status=sleeping", "exited=x",
					   "name=(" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autostrlist struct strlist words = STRLIST_EMPTY;
		struct container_filter *filter = NULL;
		struct err err;
		strlist_add(&words, bad[i]);
		assert_int_equal(container_filter_parse(NULL, &words, &filter, &err), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_looks_at_its_field),
		cmocka_unit_test(test_values_of_a_key_are_alternatives),
		cmocka_unit_test(test_labels_must_all_hold),
		cmocka_unit_test(test_different_keys_must_all_hold),
		cmocka_unit_test(test_bad_filters_name_what_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
