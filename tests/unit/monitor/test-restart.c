#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/restart.h"

static void test_both_policies_are_read(void **state)
{
	struct restart restart;

	assert_int_equal(restart_parse("always 100\n", 11, &restart), 0);
	assert_true(restart.after_success);
	assert_int_equal(restart.delay_msec, 100);
	assert_int_equal(restart_parse("on-failure 3200", 15, &restart), 0);
	assert_false(restart.after_success);
	assert_int_equal(restart.delay_msec, 3200);
	/* Nobody waits longer than the longest wait. */
	assert_int_equal(restart_parse("always 99999999999999", 21, &restart), 0);
	assert_int_equal(restart.delay_msec, RESTART_DELAY_MAX_MSEC);
}

static void test_anything_else_is_no_policy(void **state)
{
	static const char *const bad[] = { "",		"always",    "always ",
					   "always \n", "never 1",   "on-failure ",
					   "always 1x", "always -1", "ALWAYS 1" };
	struct restart restart;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(restart_parse(bad[i], strlen(bad[i]), &restart), -1);
}

static void test_on_failure_means_every_other_end(void **state)
{
	const struct restart always = { true, 100 }, on_failure = { false, 100 };

	assert_true(restart_applies(&always, 0));
	assert_true(restart_applies(&always, 1 << 8));
	assert_false(restart_applies(&on_failure, 0));
	assert_true(restart_applies(&on_failure, 1 << 8));
	assert_true(restart_applies(&on_failure, 9)); /* killed */
}

static void test_delays_double_to_a_minute_and_begin_anew_after_a_good_run(void **state)
{
	struct restart restart = { true, RESTART_DELAY_MSEC };
	uint32_t sum = 0;

	for (int run = 0; run < 10; run++) {
		uint32_t delay = restart_delay(&restart, 0);
		assert_int_equal(delay, RESTART_DELAY_MSEC << run < RESTART_DELAY_MAX_MSEC
						? RESTART_DELAY_MSEC << run
						: RESTART_DELAY_MAX_MSEC);
		sum += delay;
		restart.delay_msec = restart_next_delay(delay);
	}
	assert_true(sum > 100000);
	assert_int_equal(restart_delay(&restart, RESTART_GOOD_RUN_MSEC - 1),
			 RESTART_DELAY_MAX_MSEC);
	assert_int_equal(restart_delay(&restart, RESTART_GOOD_RUN_MSEC), RESTART_DELAY_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_policies_are_read),
		cmocka_unit_test(test_anything_else_is_no_policy),
		cmocka_unit_test(test_on_failure_means_every_other_end),
		cmocka_unit_test(test_delays_double_to_a_minute_and_begin_anew_after_a_good_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
