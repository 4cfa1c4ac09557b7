#include "kernel/id-map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"

static char *text_of(const struct id_map *map)
{
	autostrlist struct strlist lines = STRLIST_EMPTY;

	id_map_format(map, &lines);
	return strlist_join(&lines, " ");
}

#define assert_map(map, wanted)                                                                    \
	do {                                                                                       \
		autofree char *assert_map_text_ = text_of(map);                                    \
		assert_string_equal(assert_map_text_, wanted);                                     \
	} while (0)

static void test_lines_are_parsed(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",	"1",	   "1:",   ":1",   "1:2:",  "1:2:0",	    "a:1",	     "1:b",
		"-1:2", "1:2:3:4", " 1:2", "1:2 ", "1:2:x", "1:4294967295", "4294967290:0:9"
	};
	struct id_extent extent;
	struct err err;

	assert_int_equal(id_map_parse_line("5:7:3", &extent, &err), 0);
	assert_int_equal(extent.inside, 5);
	assert_int_equal(extent.outside, 7);
	assert_int_equal(extent.size, 3);
	assert_int_equal(id_map_parse_line("5:7", &extent, &err), 0);
	assert_int_equal(extent.size, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(id_map_parse_line(bad[i], &extent, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static void test_extents_that_continue_are_one(void **state)
{
	(void)state;
	autoidmap struct id_map map = { 0 };

	id_map_add(&map, 0, 100, 5);
	id_map_add(&map, 5, 105, 5);
	id_map_add(&map, 10, 200, 1);
	id_map_add(&map, 11, 0, 0);
	assert_map(&map, "0:100:10 10:200:1");
	assert_int_equal(id_map_total(&map), 11);
	assert_int_equal(id_map_to_inside(map.extents, map.count, 107), 7);
	assert_int_equal(id_map_to_inside(map.extents, map.count, 110), UINT32_MAX);
}

static void test_maps_compose_across_ranges(void **state)
{
	(void)state;
	const struct id_extent base[] = { { 0, 1500, 1 }, { 1, 500000, 100 }, { 101, 900000, 50 } };
	autoidmap struct id_map map = { 0 }, whole = { 0 }, beyond = { 0 };
	uint32_t missing = 0;

	id_map_add(&map, 0, 1, 120);
	id_map_add(&map, 1500, 0, 1);
	assert_int_equal(id_map_compose(&map, base, ARRAY_SIZE(base), &whole, &missing), 0);
	assert_map(&whole, "0:500000:100 100:900000:20 1500:1500:1");
	id_map_add(&map, 2000, 140, 20);
	assert_int_equal(id_map_compose(&map, base, ARRAY_SIZE(base), &beyond, &missing), -ERANGE);
	assert_int_equal(missing, 151);
}

static void test_ids_are_taken_out(void **state)
{
	(void)state;
	autoidmap struct id_map map = { 0 };

	id_map_add(&map, 0, 100, 10);
	id_map_remove_inside(&map, 4, 2);
	assert_map(&map, "0:100:4 6:106:4");
	id_map_remove_outside(&map, 0, 102);
	assert_map(&map, "2:102:2 6:106:4");
	id_map_remove_outside(&map, 109, 50);
	assert_map(&map, "2:102:2 6:106:3");
	id_map_remove_inside(&map, 0, 4294967294U);
	assert_map(&map, "");
}

static void test_an_id_twice_is_refused(void **state)
{
	(void)state;
	autoidmap struct id_map map = { 0 };
	struct err err;

	id_map_add(&map, 0, 1, 10);
	id_map_add(&map, 20, 30, 10);
	assert_int_equal(id_map_check(&map, "--uidmap", &err), 0);
	id_map_add(&map, 100, 39, 1);
	assert_int_equal(id_map_check(&map, "--uidmap", &err), -EINVAL);
	assert_non_null(strstr(err.text, "20:30:10"));
	assert_non_null(strstr(err.text, "host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_parsed),
		cmocka_unit_test(test_extents_that_continue_are_one),
		cmocka_unit_test(test_maps_compose_across_ranges),
		cmocka_unit_test(test_ids_are_taken_out),
		cmocka_unit_test(test_an_id_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
