#include "kernel/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_names_are_known_with_and_without_prefix(void **state)
{
	(void)state;
	assert_int_equal(capability_from_name("CAP_SYS_ADMIN"), 21);
	assert_int_equal(capability_from_name("sys_admin"), 21);
	assert_int_equal(capability_from_name("cap_checkpoint_restore"), 40);
	assert_true(capability_from_name("CAP_NOPE") < 0);
	assert_true(capability_from_name("") < 0);
}

static void test_every_number_has_its_name(void **state)
{
	(void)state;
	for (int i = 0; i <= 40; i++)
		assert_int_equal(capability_from_name(capability_name(i)), i);
	assert_null(capability_name(-1));
	assert_null(capability_name(64));
}

static void test_all_are_a_full_run_from_bit_zero(void **state)
{
	(void)state;
	uint64_t all = capability_all();
	assert_true(all & 1);
	assert_true((all & (all + 1)) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_known_with_and_without_prefix),
		cmocka_unit_test(test_every_number_has_its_name),
		cmocka_unit_test(test_all_are_a_full_run_from_bit_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
