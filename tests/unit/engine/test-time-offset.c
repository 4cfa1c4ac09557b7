#include "engine/time-offset.h"

#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static void expect(const char *text, bool has_monotonic, int64_t monotonic, bool has_boottime,
		   int64_t boottime)
{
	struct oci_time_offset offsets[OCI_CLOCK_COUNT];
	struct err err;

	assert_int_equal(time_offset_parse(text, offsets, &err), 0);
	assert_int_equal(offsets[OCI_CLOCK_MONOTONIC].given, has_monotonic);
	assert_int_equal(offsets[OCI_CLOCK_MONOTONIC].seconds, monotonic);
	assert_int_equal(offsets[OCI_CLOCK_BOOTTIME].given, has_boottime);
	assert_int_equal(offsets[OCI_CLOCK_BOOTTIME].seconds, boottime);
}

static void test_one_span_is_for_both_clocks(void **state)
{
	expect("+1d", true, 86400, true, 86400);
	expect("90", true, 90, true, 90);
	expect("-1h30m", true, -5400, true, -5400);
	expect("0", true, 0, true, 0);
}

static void test_each_clock_by_itself(void **state)
{
	expect("monotonic=1h", true, 3600, false, 0);
	expect("boottime=-2s,monotonic=+5s", true, 5, true, -2);
}

static void test_fractions_are_added_to_the_lower_second(void **state)
{
	struct oci_time_offset offsets[OCI_CLOCK_COUNT];
	struct err err;

	assert_int_equal(time_offset_parse("-1.25s", offsets, &err), 0);
	assert_int_equal(offsets[0].seconds, -2);
	assert_int_equal(offsets[0].nanoseconds, 750000000);
	assert_int_equal(time_offset_parse("1500ms", offsets, &err), 0);
	assert_int_equal(offsets[1].seconds, 1);
	assert_int_equal(offsets[1].nanoseconds, 500000000);
}

static void test_others_are_refused(void **state)
{
	static const char *const bad[] = { "",
					   "x",
					   "+",
					   "1d2",
					   "monotonic=",
					   "realtime=1s",
					   "=1s",
					   "monotonic=1,",
					   "monotonic=1,monotonic=2",
					   "1s,boottime",
					   "boottime=1s;x",
					   "99999999999999999999d" };
	struct oci_time_offset offsets[OCI_CLOCK_COUNT];
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(time_offset_parse(bad[i], offsets, &err) < 0);
		assert_non_null(strstr(err.text, "--time-offset"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_span_is_for_both_clocks),
		cmocka_unit_test(test_each_clock_by_itself),
		cmocka_unit_test(test_fractions_are_added_to_the_lower_second),
		cmocka_unit_test(test_others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
