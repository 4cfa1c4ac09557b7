#include "engine/signals.h"

#include <errno.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_all_spellings_are_known(void **state)
{
	assert_int_equal(signal_from_name("TERM"), SIGTERM);
	assert_int_equal(signal_from_name("sigterm"), SIGTERM);
	assert_int_equal(signal_from_name("SIGKILL"), SIGKILL);
	assert_int_equal(signal_from_name("9"), SIGKILL);
	assert_int_equal(signal_from_name("RTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(signal_from_name("SIGRTMAX-1"), SIGRTMAX - 1);
}

static void test_others_are_refused(void **state)
{
	static const char *const bad[] = { "",	  "0",	 "-1",	     "65",	"1x",
					   "SIG", "FOO", "RTMIN+99", "RTMIN+1x" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(signal_from_name(bad[i]), -EINVAL);
}

static void test_names_are_read_back(void **state)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		if (number < 32 || number >= SIGRTMIN)
			assert_int_equal(signal_from_name(signal_name(number)), number);
	assert_null(signal_name(0));
	assert_null(signal_name(SIGRTMAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_spellings_are_known),
		cmocka_unit_test(test_others_are_refused),
		cmocka_unit_test(test_names_are_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
