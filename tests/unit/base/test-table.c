#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/table.h"

static void gives(const char *text, const char *expected)
{
	char *result = NULL;
	size_t size;
	FILE *out = open_memstream(&result, &size);

	table_print(text, out);
	fclose(out);
	assert_string_equal(result, expected);
	free(result);
}

static void test_columns_line_up(void **state)
{
	gives("CONTAINER ID\tIMAGE\tNAMES\nabc\tdocker.io/library/nginx\tweb\n",
	      "CONTAINER ID  IMAGE                    NAMES\n"
	      "abc           docker.io/library/nginx  web\n");
	gives("A\tB\n1\t2\n", "A           B\n1           2\n");
	gives("", "");
	gives("one\ntwo", "one\ntwo");
	gives("\t\tx\n", "                        x\n");
}

static void test_width_counts_what_a_terminal_shows(void **state)
{
	assert_int_equal(text_width("abc", 3), 3);
	assert_int_equal(text_width("\xc3\xa4\xc3\xb6", 4), 2);
	assert_int_equal(text_width("\xe6\xbc\xa2\xe5\xad\x97", 6), 4);
	assert_int_equal(text_width("e\xcc\x81", 3), 1);
	assert_int_equal(text_width("\xff\xfe", 2), 2);
	assert_int_equal(text_width("\xe6\xbc", 2), 2);
	gives("\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\tx\n12345678901\ty\n",
	      "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2   x\n12345678901  y\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_line_up),
		cmocka_unit_test(test_width_counts_what_a_terminal_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
