#include "base/number.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_number_is_taken_from_the_front(void **state)
{
	const char *at = "12 rest";
	int64_t number;

	assert_int_equal(number_take(&at, 0, 100, &number), 0);
	assert_int_equal(number, 12);
	assert_string_equal(at, " rest");
	assert_int_equal(number_take(&at, 0, 100, &number),
			 -EINVAL); /* white space is not skipped */
	assert_string_equal(at, " rest");
}

static void test_number_out_of_bounds_is_refused(void **state)
{
	int64_t number = 7;

	assert_int_equal(number_parse("101", 0, 100, &number), -ERANGE);
	assert_int_equal(number_parse("-1", 0, 100, &number), -ERANGE);
	assert_int_equal(number_parse("99999999999999999999", 0, INT64_MAX, &number), -ERANGE);
	assert_int_equal(number_parse("-9223372036854775808", INT64_MIN, 0, &number), 0);
	assert_int_equal(number, INT64_MIN);
}

static void test_number_is_the_whole_text(void **state)
{
	static const char *const wrong[] = { "", " 1", "1 ", "1x", "x", "-", "+", "--1", "0x10" };
	int64_t number = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(number_parse(wrong[i], 0, 100, &number), -EINVAL);
	assert_int_equal(number, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_is_taken_from_the_front),
		cmocka_unit_test(test_number_out_of_bounds_is_refused),
		cmocka_unit_test(test_number_is_the_whole_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
