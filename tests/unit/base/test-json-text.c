#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json-text.h"
#include "base/json.h"

static struct json_object *parse(const char *text)
{
	struct json_object *value;
	struct err err;

	assert_int_equal(json_parse(text, strlen(text), &value, &err), 0);
	return value;
}

static void test_members_stand_on_lines_of_their_own(void **state)
{
	autojson struct json_object *value =
		parse("[{\"a\":{},\"b\":[],\"c\":[1,\"x/y\"],\"d\":{\"e\":null}}]");
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	json_print(value, 2, &out);
	assert_string_equal(strbuf_text(&out), "[\n"
					       "  {\n"
					       "    \"a\": {},\n"
					       "    \"b\": [],\n"
					       "    \"c\": [\n"
					       "      1,\n"
					       "      \"x/y\"\n"
					       "    ],\n"
					       "    \"d\": {\n"
					       "      \"e\": null\n"
					       "    }\n"
					       "  }\n"
					       "]");
}

static void test_yaml_keeps_every_value_what_it_is(void **state)
{
	autojson struct json_object *value = parse(
		"{\"host\":{\"arch\":\"amd64\",\"version\":\"12\",\"list\":[\"a\",{\"x\":1,\"z\":[]"
		"},[true]],"
		"\"empty\":{},\"none\":null,\"yes\":\"yes\",\"text\":\"a: b\",\"lines\":\"a\\nb\","
		"\"path\":\"/run/"
		"x\",\"date\":\"2024-01-02\",\"name\":\"4gewinnt\",\"ratio\":1.5}}");
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	json_print_yaml(value, &out);
	assert_string_equal(strbuf_text(&out), "host:\n"
					       "  arch: amd64\n"
					       "  version: \"12\"\n"
					       "  list:\n"
					       "  - a\n"
					       "  - x: 1\n"
					       "    z: []\n"
					       "  - - true\n"
					       "  empty: {}\n"
					       "  none: null\n"
					       "  \"yes\": \"yes\"\n"
					       "  text: \"a: b\"\n"
					       "  lines: \"a\\nb\"\n"
					       "  path: /run/x\n"
					       "  date: \"2024-01-02\"\n"
					       "  name: 4gewinnt\n"
					       "  ratio: 1.5\n");
}

static void test_quoted_text_is_read_back(void **state)
{
	static const char text[] = "plain \"quoted\" back\\slash\n\t\001 \303\244";
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	autojson struct json_object *value = NULL;
	struct err err;

	json_quote(text, &out);
	assert_null(strchr(strbuf_text(&out), '\n'));
	assert_int_equal(json_parse(strbuf_text(&out), out.size, &value, &err), 0);
	assert_string_equal(json_object_get_string(value), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members_stand_on_lines_of_their_own),
		cmocka_unit_test(test_quoted_text_is_read_back),
		cmocka_unit_test(test_yaml_keeps_every_value_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
