#include "base/strlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void test_items_stay_null_terminated(void **state)
{
	(void)state;
	autostrlist struct strlist list = STRLIST_EMPTY;

	for (int i = 0; i < 100; i++) {
		strlist_addf(&list, "%d", i);
		assert_null(list.items[list.count]);
	}
	assert_int_equal(list.count, 100);
	assert_string_equal(list.items[99], "99");
}

static void test_env_set_replaces_in_place(void **state)
{
	(void)state;
	autostrlist struct strlist env = STRLIST_EMPTY;

	strlist_env_set(&env, "PATH", "/bin");
	strlist_env_set(&env, "HOME", "/root");
	strlist_env_set(&env, "PATH", "/usr/bin");
	assert_int_equal(env.count, 2);
	assert_string_equal(env.items[0], "PATH=/usr/bin");
	assert_null(strlist_env_get(&env, "PAT"));
}

static void test_split_and_join_are_inverse(void **state)
{
	(void)state;
	autostrlist struct strlist list = STRLIST_EMPTY;

	strlist_split(&list, "a::b:", ':');
	assert_int_equal(list.count, 4);
	autofree char *joined = strlist_join(&list, ":");
	assert_string_equal(joined, "a::b:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_stay_null_terminated),
		cmocka_unit_test(test_env_set_replaces_in_place),
		cmocka_unit_test(test_split_and_join_are_inverse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
