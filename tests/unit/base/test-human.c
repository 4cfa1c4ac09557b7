#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/human.h"
#include "base/mem.h"

#define SECOND INT64_C(1000000)

static void is(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void test_durations_are_told_roughly(void **state)
{
	is(human_duration(SECOND / 2), "Less than a second");
	is(human_duration(SECOND), "1 second");
	is(human_duration(47 * SECOND), "47 seconds");
	is(human_duration(60 * SECOND), "About a minute");
	is(human_duration(119 * SECOND), "About a minute");
	is(human_duration(3 * 60 * SECOND), "3 minutes");
	is(human_duration(59 * 60 * SECOND), "59 minutes");
	is(human_duration(60 * 60 * SECOND), "About an hour");
	is(human_duration(89 * 60 * SECOND), "About an hour");
	is(human_duration(91 * 60 * SECOND), "2 hours");
	is(human_duration(47 * 3600 * SECOND), "47 hours");
	is(human_duration(48 * 3600 * SECOND), "2 days");
	is(human_duration(14 * 24 * 3600 * SECOND), "2 weeks");
	is(human_duration(60 * 24 * 3600 * SECOND), "2 months");
	is(human_duration(730 * 24 * 3600 * SECOND), "2 years");
	is(human_ago(100 * SECOND, 103 * SECOND), "3 seconds ago");
	is(human_ago(104 * SECOND, 103 * SECOND), "Less than a second ago");
	is(human_ago(0, 103 * SECOND), "");
}

static void test_sizes_are_told_in_their_unit(void **state)
{
	is(human_size(331e6, 3, " "), "331 MB");
	is(human_size(1998000, 4, ""), "1.998MB");
	is(human_size(0, 4, ""), "0B");
	is(human_size(999, 3, " "), "999 B");
	is(human_size(142123456, 3, " "), "142 MB");
	is(human_size(9960000, 4, ""), "9.96MB");
	is(human_size(999999, 3, " "), "1 MB");
	is(human_size_binary(1024), "1KiB");
	is(human_size_binary(1.5 * 1024 * 1024 * 1024), "1.5GiB");
	is(human_size_binary(5), "5B");
}

static void parses(const char *text, int64_t expected)
{
	struct err err;
	int64_t bytes;

	assert_int_equal(human_parse_bytes(text, &bytes, &err), 0);
	assert_int_equal(bytes, expected);
}

static void refuses(const char *text)
{
	struct err err;
	int64_t bytes;

	assert_true(human_parse_bytes(text, &bytes, &err) < 0);
}

static void test_sizes_as_users_write_them(void **state)
{
	parses("4096", 4096);
	parses("0", 0);
	parses("20b", 20);
	parses("512m", 512 << 20);
	parses("1g", 1 << 30);
	parses("1.5GiB", 3 << 29);
	parses("10kb", 10240);
	parses("2K", 2048);
	parses("1 MB", 1 << 20);
	parses("2t", INT64_C(2) << 40);
	parses(".5k" + 1, 5 * 1024);
	refuses("");
	refuses("-1");
	refuses("m");
	refuses("1x");
	refuses("1bb");
	refuses("1mm");
	refuses("1e3");
	refuses("99999999999999999999g");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_are_told_roughly),
		cmocka_unit_test(test_sizes_are_told_in_their_unit),
		cmocka_unit_test(test_sizes_as_users_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
