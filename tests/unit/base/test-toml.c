#include "base/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"

static void expect_json(const char *text, const char *json)
{
	autojson struct json_object *root = NULL;
	struct err err = { 0 };

	if (toml_parse(text, strlen(text), &root, &err) < 0)
		fail_msg("%s\nin:\n%s", err.text, text);
	assert_string_equal(json_object_to_json_string_ext(
				    root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    json);
}

static void expect_error(const char *text, const char *part)
{
	struct json_object *root = NULL;
	struct err err = { 0 };

	if (toml_parse(text, strlen(text), &root, &err) == 0)
		fail_msg("accepted as %s:\n%s", json_object_to_json_string(root), text);
	if (!strstr(err.text, part))
		fail_msg("'%s' lacks '%s'", err.text, part);
}

static void test_values_of_every_kind(void **state)
{
	(void)state;
	expect_json("", "{}");
	expect_json("a = 1\nb=-17\nc = 0xDEAD_beef\nd = 0o755\ne = 0b101\nf = 1_000\ng = +5",
		    "{\"a\":1,\"b\":-17,\"c\":3735928559,\"d\":493,\"e\":5,\"f\":1000,\"g\":5}");
	expect_json("a = true # yes\nb = false", "{\"a\":true,\"b\":false}");
	expect_json("a = 1.5\nb = -2e2", "{\"a\":1.5,\"b\":-200.0}");
	expect_json("a = 2024-01-02T03:04:05Z\nb = 2024-01-02 # day\nc = 07:32:00.5\n",
		    "{\"a\":\"2024-01-02T03:04:05Z\",\"b\":\"2024-01-02\",\"c\":\"07:32:00.5\"}");
	expect_json("a = 9223372036854775807\nb = -9223372036854775808",
		    "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
}

static void test_strings_of_every_kind(void **state)
{
	(void)state;
	expect_json("a = \"x\\ty\\u00e9\\\\\"", "{\"a\":\"x\\ty\xc3\xa9\\\\\"}");
	expect_json("a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}");
	expect_json("a = \"\"\"\none\r\ntwo \\\n   three\"\"\"\"",
		    "{\"a\":\"one\\ntwo three\\\"\"}");
	expect_json("a = '''\n'q' \\n'''", "{\"a\":\"'q' \\\\n\"}");
	expect_json("a = \"\"\nb = ''\nc = \"\"\"\"\"\"", "{\"a\":\"\",\"b\":\"\",\"c\":\"\"}");
}

static void test_tables_nest_and_arrays_of_tables_grow(void **state)
{
	(void)state;
	expect_json("[a]\nx = 1\n[a.b]\ny = 2\n", "{\"a\":{\"x\":1,\"b\":{\"y\":2}}}");
	expect_json("[a.b]\ny = 2\n[a]\nx = 1\n", "{\"a\":{\"b\":{\"y\":2},\"x\":1}}");
	expect_json("[[r]]\np = 'a'\n[[r.m]]\nl = 1\n[[r.m]]\nl = 2\n[[r]]\np = 'b'\n",
		    "{\"r\":[{\"p\":\"a\",\"m\":[{\"l\":1},{\"l\":2}]},{\"p\":\"b\"}]}");
	expect_json("a.b.c = 1\na.b.d = 2\n[a.e]\n", "{\"a\":{\"b\":{\"c\":1,\"d\":2},\"e\":{}}}");
	expect_json("p = { x = 1, y.z = [ 1,\n 2, # two\n ] }\n",
		    "{\"p\":{\"x\":1,\"y\":{\"z\":[1,2]}}}");
	expect_json("\"a.b\" = 1\n'' = 2\n3 = 4", "{\"a.b\":1,\"\":2,\"3\":4}");
	expect_json("\xef\xbb\xbf"
		    "a = []\r\nb = {}\r\n",
		    "{\"a\":[],\"b\":{}}");
}

static void test_errors_name_their_line(void **state)
{
	(void)state;
	expect_error("a = 1\nb = \n", "line 2: expected a value");
	expect_error("a = 1\na = 2\n", "line 2: the key 'a' is set twice");
	expect_error("\n\n[t]\n[t]\n", "line 4: the table 't' is defined twice");
	expect_error("a = \"x\nb = 1", "line 1: the string that starts on line 1 has no end");
	expect_error("a = [1,\n2\nb = 3", "line 3: expected ',' or ']'");
	expect_error("a = 1 b = 2", "unexpected text behind the value");
	expect_error("x = docker.io", "text needs quotes");
	expect_error("x = 'a'\n\xff", "line 2: not valid UTF-8");
}

static void test_bad_bytes_are_found_wherever_they_are(void **state)
{
	static const char bad[] = { '\x01', '\x1f', '\x7f', '\x80', '\xff', '\r' };
	(void)state;

	for (size_t i = 0; i < sizeof(bad); i++) {
		for (size_t at = 1; at < 24; at++) {
			char text[] = "# comment, comment, comment\na = 1\n";
			text[at] = bad[i];
			expect_error(text, "line 1: ");
		}
	}
	expect_json("# tab\t and DEL's neighbour ~~~~~~~~~~~~\r\na = 1\n", "{\"a\":1}");
	expect_json("#\r\n#\na = 1 #", "{\"a\":1}");
}

static void test_what_the_specification_forbids_is_refused(void **state)
{
	static const char *const texts[] = {
		"a",
		"= 1",
		"a.= 1",
		"a = 01",
		"a = 1_",
		"a = _1",
		"a = 1__0",
		"a = .5",
		"a = 5.",
		"a = 0x",
		"a = +0x1",
		"a = 9223372036854775808",
		"a = truex",
		"a = \"\\q\"",
		"a = \"\\ud800\"",
		"a = 'x\ny'",
		"a = \"\\u0000\"",
		"[a\n",
		"[]\n",
		"[[a]\n",
		"[a]]\n",
		"a = {b = 1,}",
		"a = {b = 1\n}",
		"a = {b=1}\n[a]",
		"a = {b=1}\na.c=2",
		"a = {b.c=1}\n[a.b]",
		"a = [1]\n[[a]]",
		"[a]\n[[a]]",
		"[[a]]\n[a]",
		"a.b = 1\n[a]",
		"[a.b.c]\nz=9\n[a]\nb.c.t=1",
		"a = 1\n[a.b]",
		"a = 1\na.b = 2",
		"a = [1 2]",
		"a = [,]",
		"# bell \a",
		"a = 1\rb = 2",
		"a = '\x7f'",
		"\xc0\x80 = 1",
		"a = 2024-01-02Tx",
		"a = 1979-05-27T07:32:00.",
		"\"\"\"a\"\"\" = 1",
		"a = { b = 1, b = 2 }",
		"a = \"\"\"x\"\"",
		"a = 'b' 'c'",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		expect_error(texts[i], "line ");
}

static void test_depth_and_size_are_bounded(void **state)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	(void)state;

	strbuf_adds(&text, "a = ");
	for (int i = 0; i < 10000; i++)
		strbuf_addc(&text, '[');
	expect_error(strbuf_text(&text), "nested deeper");
	strbuf_reset(&text);
	for (int i = 0; i < 10000; i++)
		strbuf_adds(&text, "a.");
	expect_error(strbuf_text(&text), "parts");
	strbuf_reset(&text);
	while (text.size <= TOML_SIZE_MAX)
		strbuf_adds(&text, "# filler\n");
	expect_error(strbuf_text(&text), "larger than");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_of_every_kind),
		cmocka_unit_test(test_strings_of_every_kind),
		cmocka_unit_test(test_tables_nest_and_arrays_of_tables_grow),
		cmocka_unit_test(test_errors_name_their_line),
		cmocka_unit_test(test_bad_bytes_are_found_wherever_they_are),
		cmocka_unit_test(test_what_the_specification_forbids_is_refused),
		cmocka_unit_test(test_depth_and_size_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
