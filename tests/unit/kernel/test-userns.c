#include "kernel/userns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"

static void test_ranges_follow_each_other(void **state)
{
	(void)state;
	struct id_extent *extents = malloc(sizeof(*extents));
	size_t count = 1;

	extents[0] = (struct id_extent){ 0, 1000, 1 };
	userns_parse_ranges("# comment\nbob:5:5\nann:100000:65536\n1000:300000:10\nann:200000:7",
			    "ann", 1000, &extents, &count);
	assert_int_equal(count, 4);
	assert_int_equal(extents[1].inside, 1);
	assert_int_equal(extents[1].outside, 100000);
	assert_int_equal(extents[2].inside, 65537);
	assert_int_equal(extents[2].outside, 300000);
	assert_int_equal(extents[3].inside, 65547);
	assert_int_equal(userns_id_to_host(extents, count, 0), 1000);
	assert_int_equal(userns_id_to_host(extents, count, 65540), 300003);
	assert_int_equal(userns_id_to_host(extents, count, 70000), UINT32_MAX);
	free(extents);
}

static void test_malformed_ranges_grant_nothing(void **state)
{
	(void)state;
	struct id_extent *extents = NULL;
	size_t count = 0;

	userns_parse_ranges("ann:\nann:1\nann:1:0\nann:-1:5\nann:1:5x\nann:4294967295:5\n"
			    "ann:5:4294967291\nann::5\nann:1:2:3\n:1:2\nann",
			    "ann", 1000, &extents, &count);
	assert_int_equal(count, 0);
	free(extents);
}

static void test_a_range_may_go_to_the_last_id(void **state)
{
	(void)state;
	struct id_extent *extents = NULL;
	size_t count = 0;

	userns_parse_ranges("ann:2147483647:2147483648", "ann", 1000, &extents, &count);
	assert_int_equal(count, 1);
	assert_int_equal(userns_id_to_host(extents, count, 2147483647), UINT32_MAX - 1);
	free(extents);
}

static int fail_with_words(void *arg, struct err *err)
{
	return err_set(err, ENOSPC, "no room for %s", (const char *)arg);
}

static int count_up(void *arg, struct err *err)
{
	(void)err;
	++*(int *)arg;
	return 7;
}

static void test_outcome_of_the_body_comes_back(void **state)
{
	(void)state;
	struct userns_map map = { .is_identity = true };
	struct err err = { 0 };
	int number = 1;

	assert_int_equal(userns_run(&map, 0, count_up, &number, &err), 7);
	assert_int_equal(number, 1); /* it ran in another process */
	assert_int_equal(userns_run(&map, 0, fail_with_words, "cake", &err), -ENOSPC);
	assert_string_equal(err.text, "no room for cake");
}

static int die(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	abort();
}

static void test_death_of_the_worker_is_an_error(void **state)
{
	(void)state;
	struct userns_map map = { .is_identity = true };
	struct err err = { 0 };

	assert_int_equal(userns_run(&map, 0, die, NULL, &err), -EIO);
	assert_non_null(strstr(err.text, "signal"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_follow_each_other),
		cmocka_unit_test(test_malformed_ranges_grant_nothing),
		cmocka_unit_test(test_a_range_may_go_to_the_last_id),
		cmocka_unit_test(test_outcome_of_the_body_comes_back),
		cmocka_unit_test(test_death_of_the_worker_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
