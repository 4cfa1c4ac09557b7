#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/mem.h"

#define SECOND INT64_C(1000000)
#define NOW    (INT64_C(1700000000) * SECOND)

static void lasts(const char *text, int64_t expected)
{
	struct err err = { 0 };
	int64_t usec;

	if (duration_parse(text, &usec, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(usec, expected);
}

static void test_durations(void **state)
{
	static const char *const wrong[] = { "",
					     "-",
					     "s",
					     "1x",
					     "1h30",
					     "1..5s",
					     "1 s",
					     "inf",
					     "0x1s",
					     "1e3s",
					     "9999999999999999999w" };
	struct err err;
	int64_t usec;

	lasts("10", 10 * SECOND);
	lasts("0", 0);
	lasts("1.5", 1500000);
	lasts("1h30m", 5400 * SECOND);
	lasts("1m30.5s", 90500000);
	lasts("300ms", 300000);
	lasts("5us", 5);
	lasts("5\xc2\xb5s", 5);
	lasts("1500ns", 2);
	lasts("-2m", -120 * SECOND);
	lasts("1d", 86400 * SECOND);
	lasts("2w", 14 * 86400 * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(duration_parse(wrong[i], &usec, &err) < 0);
}

static void is_at(const char *text, int64_t expected)
{
	struct err err = { 0 };
	int64_t usec;

	if (timestamp_parse(text, NOW, &usec, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(usec, expected);
}

static void test_points_in_time(void **state)
{
	static const char *const wrong[] = {
		"",	   "yesterday", "2024-13-01", "2024-01-02T25:00", "2024-01-02T15:04:05X",
		"2024-1-2"
	};
	struct err err;
	int64_t usec;

	setenv("TZ", "UTC+5", 1);
	tzset();
	is_at("10m", NOW - 600 * SECOND);
	is_at("1700000000", NOW);
	is_at("1700000000.25", NOW + SECOND / 4);
	is_at("2023-11-14T22:13:20Z", NOW);
	is_at("2023-11-14T22:13:20.5Z", NOW + SECOND / 2);
	is_at("2023-11-15T00:13:20+02:00", NOW);
	is_at("2023-11-14T17:13:20", NOW);
	is_at("2023-11-14 17:13:20", NOW);
	is_at("2023-11-14T22:13Z", NOW - 20 * SECOND);
	is_at("2023-11-14", NOW - (17 * 3600 + 13 * 60 + 20) * SECOND);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(timestamp_parse(wrong[i], NOW, &usec, &err) < 0);
}

static void is_written(int64_t usec, const char *expected)
{
	autofree char *text = timestamp_format(usec);

	assert_string_equal(text, expected);
}

static void test_points_in_time_are_written_short(void **state)
{
	is_written(NOW, "2023-11-14T22:13:20Z");
	is_written(NOW + 500000, "2023-11-14T22:13:20.5Z");
	is_written(NOW + 1, "2023-11-14T22:13:20.000001Z");
	is_written(-1, "1969-12-31T23:59:59.999999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_points_in_time),
		cmocka_unit_test(test_points_in_time_are_written_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
