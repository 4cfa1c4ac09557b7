#include "engine/userns-auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"

/* Lists are "from+size" or, for forced IDs, "inside:outside:size", separated by blanks. */
static void read_pieces(const char *text, struct id_map *map)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	struct err err;

	strlist_split(&words, text, ' ');
	for (size_t i = 0; i < words.count; i++) {
		char *plus = strchr(words.items[i], '+');
		struct id_extent extent;
		if (plus) {
			uint32_t from = (uint32_t)strtoul(words.items[i], NULL, 10);
			id_map_add(map, from, from, (uint32_t)strtoul(plus + 1, NULL, 10));
			continue;
		}
		assert_int_equal(id_map_parse_line(words.items[i], &extent, &err), 0);
		id_map_add(map, extent.inside, extent.outside, extent.size);
	}
}

static void expect(const char *available, const char *used, const char *forced, uint32_t size,
		   const char *wanted)
{
	autoidmap struct id_map a = { 0 }, u = { 0 }, f = { 0 }, map = { 0 };
	autostrlist struct strlist lines = STRLIST_EMPTY;
	struct err err = { 0 };

	read_pieces(available, &a);
	read_pieces(used, &u);
	read_pieces(forced, &f);
	struct userns_auto input = { .available = &a, .used = &u, .forced = &f, .size = size };
	int r = userns_auto_map(&input, "/etc/subuid", &map, &err);
	if (!wanted) {
		assert_int_equal(r, -ENOSPC);
		assert_non_null(strstr(err.text, "/etc/subuid"));
		return;
	}
	assert_int_equal(r, 0);
	id_map_format(&map, &lines);
	autofree char *text = strlist_join(&lines, " ");
	assert_string_equal(text, wanted);
}

static void test_the_lowest_free_piece_is_taken(void **state)
{
	(void)state;
	expect("1000+9000", "", "", 1024, "0:1000:1024");
	expect("1000+9000", "1000+1024", "", 1024, "0:2024:1024");
	expect("1000+9000", "1000+1024 3048+1024", "", 1024, "0:2024:1024");
	expect("1000+9000", "1000+1024 3047+1024", "", 1024, "0:4071:1024");
	expect("5000+2000 1000+2000", "", "", 1500, "0:1000:1500");
}

static void test_pieces_where_there_is_no_whole_one(void **state)
{
	(void)state;
	expect("1000+1000 5000+1000", "", "", 1500, "0:1000:1000 1000:5000:500");
	expect("1000+3000", "1500+10 2500+10", "", 2900, "0:1000:500 500:1510:990 1490:2510:1410");
}

static void test_too_few_are_told(void **state)
{
	(void)state;
	expect("1000+1000", "", "", 1001, NULL);
	expect("1000+1000", "900+200", "", 901, NULL);
	expect("", "", "", 1, NULL);
}

static void test_forced_ids_are_beside_the_range(void **state)
{
	(void)state;
	expect("1000+5000", "", "100:55:1", 1024, "0:1000:100 101:1100:923 100:55:1");
	/* One that is taken from the same range is not given twice. */
	expect("1000+5000", "", "0:1000:1", 10, "1:1001:9 0:1000:1");
	expect("1000+5000", "", "5000:55:1", 10, "0:1000:10 5000:55:1");
}

static void test_size_is_podmans_minimum_or_what_is_needed(void **state)
{
	(void)state;
	assert_int_equal(userns_auto_size(0), 1024);
	assert_int_equal(userns_auto_size(1023), 1024);
	assert_int_equal(userns_auto_size(1024), 1025);
	assert_int_equal(userns_auto_size(70000), 70001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_lowest_free_piece_is_taken),
		cmocka_unit_test(test_pieces_where_there_is_no_whole_one),
		cmocka_unit_test(test_too_few_are_told),
		cmocka_unit_test(test_forced_ids_are_beside_the_range),
		cmocka_unit_test(test_size_is_podmans_minimum_or_what_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
