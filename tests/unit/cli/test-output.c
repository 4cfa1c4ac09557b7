#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static const struct output_column columns[] = { { "DRIVER", "Driver" },
						{ "VOLUME NAME", "Name" },
						{ NULL, NULL } };
static const struct output_sort sorts[] = { { "name", "Name", OUTPUT_ASCENDING },
					    { "size", "Size", OUTPUT_DESCENDING },
					    { "bytes", "bytes", OUTPUT_ASCENDING },
					    { NULL, NULL, OUTPUT_ASCENDING } };

static char *printed;

/* What output_list() prints for two volumes, in `printed`. */
static int list(struct output_list how, const char *rows_text, struct err *err)
{
	autojson struct json_object *rows = NULL;
	FILE *saved = stdout;
	size_t size;
	int r;

	free(printed);
	assert_int_equal(json_parse(rows_text, strlen(rows_text), &rows, err), 0);
	how.columns = columns;
	how.sorts = sorts;
	how.quiet_field = "Name";
	stdout = open_memstream(&printed, &size);
	r = output_list(&how, rows, err);
	fclose(stdout);
	stdout = saved;
	return r;
}

static const char two[] =
	"[{\"Driver\":\"local\",\"Name\":\"web\",\"Size\":5,\"bytes\":2,\"Labels\":{\"a\":\"b\"}},"
	"{\"Driver\":\"local\",\"Name\":\"data\",\"Size\":70,\"bytes\":1,\"Labels\":{}}]";

static void gives(struct output_list how, const char *expected)
{
	struct err err = { 0 };

	if (list(how, two, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(printed, expected);
}

#define LIST(...) ((struct output_list){ __VA_ARGS__ })

static void test_the_whole_row_as_json_is_the_array(void **state)
{
	static const char *const spellings[] = { "{{json .}}", "{{ json . }}", "{{json}}" };
	struct err err = { 0 };

	assert_int_equal(list(LIST(.format = "json"), two, &err), 0);
	autofree char *array = xstrdup(printed);
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		gives(LIST(.format = spellings[i]), array);
	assert_false(output_wants_json("{{json .Name}}"));
	assert_false(output_wants_json(""));
	assert_false(output_wants_json(NULL));
}

static void test_keys_for_sorting_are_no_fields(void **state)
{
	gives(LIST(.format = "{{.bytes}}", .sort = "bytes"), "<no value>\n<no value>\n");
	gives(LIST(.format = "{{.Name}}", .sort = "bytes"), "data\nweb\n");
}

static void test_default_table(void **state)
{
	gives(LIST(0), "DRIVER      VOLUME NAME\nlocal       data\nlocal       web\n");
	gives(LIST(.format = "table"),
	      "DRIVER      VOLUME NAME\nlocal       data\nlocal       web\n");
	gives(LIST(.noheading = true), "local       data\nlocal       web\n");
	gives(LIST(.quiet = true), "data\nweb\n");
	gives(LIST(.sort = "size", .quiet = true), "data\nweb\n");
}

static void test_formats(void **state)
{
	gives(LIST(.format = "{{.Name}}\\t{{.Size}}"), "data\t70\nweb\t5\n");
	gives(LIST(.format = "{{range .}}{{.Name}} {{end}}"), "data web ");
	gives(LIST(.format = "table {{.Name}}\\t{{.Size}}"),
	      "VOLUME NAME  SIZE\ndata         70\nweb          5\n");
	gives(LIST(.format = "{{.Labels}}"), "map[]\nmap[a:b]\n");
}

static void test_json_is_an_array(void **state)
{
	struct err err;

	assert_int_equal(list(LIST(.format = "json"), "[]", &err), 0);
	assert_string_equal(printed, "[]\n");
	assert_int_equal(list(LIST(.format = "json"), "[{\"Name\":\"x\"}]", &err), 0);
	assert_string_equal(printed, "[\n  {\n    \"Name\": \"x\"\n  }\n]\n");
}

static void test_empty_list_prints_headings(void **state)
{
	struct err err;

	assert_int_equal(list(LIST(0), "[]", &err), 0);
	assert_string_equal(printed, "DRIVER      VOLUME NAME\n");
}

static void test_controls_do_not_reach_the_terminal(void **state)
{
	struct err err;

	assert_int_equal(list(LIST(.noheading = true),
			      "[{\"Driver\":\"a\\u001b[2J\",\"Name\":\"b\"}]", &err),
			 0);
	assert_string_equal(printed, "a?[2J       b\n");
}

static void test_unknown_sort_lists_the_known(void **state)
{
	struct err err;

	assert_true(list(LIST(.sort = "age"), two, &err) < 0);
	assert_string_equal(err.text, "can't sort by 'age'; --sort takes one of name, size, bytes");
	assert_true(list(LIST(.format = "{{.Nme}}"), two, &err) < 0);
	assert_string_equal(err.text,
			    "template: 1:3: no field Nme; known: Driver, Labels, Name, Size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_table),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_the_whole_row_as_json_is_the_array),
		cmocka_unit_test(test_keys_for_sorting_are_no_fields),
		cmocka_unit_test(test_json_is_an_array),
		cmocka_unit_test(test_empty_list_prints_headings),
		cmocka_unit_test(test_controls_do_not_reach_the_terminal),
		cmocka_unit_test(test_unknown_sort_lists_the_known),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(printed);
	return r;
}
