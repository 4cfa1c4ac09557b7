#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/template.h"

static const char document[] =
	"{\"Id\":\"abc123\",\"Name\":\"web\",\"Count\":3,\"Ratio\":1.5,\"On\":true,\"Off\":false,"
	"\"None\":null,\"Empty\":[],\"Names\":[\"one\",\"two\",\"three\"],\"url\":\"a/b&c\","
	"\"Config\":{\"Image\":\"nginx\",\"Labels\":{\"b\":\"2\",\"a\":\"1\",\"x.y\":\"dotted\"}},"
	"\"Ports\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}],\"53/udp\":null},"
	"\"Big\":1700000000000000000}";

static struct json_object *root;

static int load(void **state)
{
	struct err err;

	return json_parse(document, strlen(document), &root, &err);
}

static int unload(void **state)
{
	json_object_put(root);
	return 0;
}

static int render(const char *text, struct strbuf *out, struct err *err)
{
	autotemplate struct template *template = NULL;
	int r = template_parse(text, &template, err);

	return r < 0 ? r : template_render(template, root, out, err);
}

static void gives(const char *text, const char *expected)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct err err = { 0 };

	if (render(text, &out, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(strbuf_text(&out), expected);
}

static void fails(const char *text, const char *expected)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	struct err err = { 0 };

	if (render(text, &out, &err) >= 0)
		fail_msg("%s: gave '%s'", text, strbuf_text(&out));
	if (!strstr(err.text, expected))
		fail_msg("%s: '%s' lacks '%s'", text, err.text, expected);
}

static void test_fields_and_text(void **state)
{
	gives("", "");
	gives("plain } text", "plain } text");
	gives("{{.Name}}/{{ .Config.Image }}", "web/nginx");
	gives("{{.Name}}\\t{{.Count}}\\n", "web\t3\n");
	gives("{{.ID}} {{.Id}}", "abc123 abc123");
	gives("{{.url}}", "a/b&c");
	gives("{{.Config.Labels.nothing}}", "<no value>");
	gives("{{$.Name}}", "web");
	gives("{{(index .Names 1)}}", "two");
	gives("{{(.Config).Image}}", "nginx");
}

static void test_values_print_as_in_go(void **state)
{
	gives("{{.Count}} {{.Ratio}} {{.On}} {{.Off}} {{.None}}", "3 1.5 true false <no value>");
	gives("{{.Names}} {{.Empty}}", "[one two three] []");
	gives("{{.Config}}", "map[Image:nginx Labels:map[a:1 b:2 x.y:dotted]]");
	gives("{{.Big}} {{0x10}} {{-5}} {{1.25}} {{'a'}} {{true}}",
	      "1700000000000000000 16 -5 1.25 97 true");
	gives("{{\"q\\t\\\"\\u00e4\\x41\"}}{{`raw\\t`}}", "q\t\"\xc3\xa4"
							  "Araw\\t");
	gives("{{print 1e20}} {{print 0.1}} {{print 2.0}}", "100000000000000000000 0.1 2");
}

static void test_white_space_is_trimmed(void **state)
{
	gives("a  {{- .Count -}}  \n b", "a3b");
	gives("a {{- /* a comment */ -}} b", "ab");
	gives("a{{/* {{.X}} */}}b", "ab");
	gives("a {{-5}} b", "a -5 b");
	gives("x\\n{{- 1}}", "x\n1"); /* the two letters are no white space yet */
}

static void test_conditions(void **state)
{
	gives("{{if .On}}yes{{else}}no{{end}}", "yes");
	gives("{{if .Off}}yes{{else if eq .Count 3}}three{{else}}no{{end}}", "three");
	gives("{{if not .Empty}}empty{{end}}", "empty");
	gives("{{with .Config}}{{.Image}}{{else}}-{{end}}", "nginx");
	gives("{{with .None}}x{{else with .Name}}{{.}}{{end}}", "web");
	gives("{{if and .On (gt .Count 2) (lt .Ratio 2.5)}}ok{{end}}", "ok");
	gives("{{or .Off .None .Name}} {{and .On .Name}}", "web web");
	gives("{{if or .On (index .Names 99)}}stops at the first{{end}}", "stops at the first");
	gives("{{eq .Name \"x\" \"web\"}} {{ne .Count 3}} {{le 3 .Count}} {{ge \"b\" \"a\"}}",
	      "true false true true");
}

static void test_ranges(void **state)
{
	gives("{{range .Names}}{{.}},{{end}}", "one,two,three,");
	gives("{{range $i, $e := .Names}}{{if $i}} {{end}}{{$i}}={{$e}}{{end}}",
	      "0=one 1=two 2=three");
	gives("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;x.y=dotted;");
	gives("{{range .Empty}}x{{else}}nothing{{end}}", "nothing");
	gives("{{range .None}}x{{else}}nothing{{end}}", "nothing");
	gives("{{range $p, $c := .Ports}}{{$p}}{{range $c}}->{{.HostPort}}{{end}} {{end}}",
	      "53/udp 80/tcp->8080 ");
	gives("{{range 3}}{{.}}{{end}}", "012");
	gives("{{range .Names}}{{if eq . \"two\"}}{{continue}}{{end}}{{.}}{{end}}", "onethree");
	gives("{{range .Names}}{{if eq . \"two\"}}{{break}}{{end}}{{.}}{{end}}", "one");
}

static void test_variables_have_a_scope(void **state)
{
	gives("{{$x := .Name}}{{$x}}{{if true}}{{$x := 1}}{{$x}}{{end}}{{$x}}", "web1web");
	gives("{{$x := 1}}{{range .Names}}{{$x = .}}{{end}}{{$x}}", "three");
	gives("{{$c := .Config}}{{$c.Image}}", "nginx");
	gives("{{with $y := .Count}}{{$y}}{{.}}{{end}}", "33");
}

static void test_functions(void **state)
{
	gives("{{json .Names}} {{json .Name}} {{json .None}} {{json .url}}",
	      "[\"one\",\"two\",\"three\"] \"web\" null \"a/b&c\"");
	gives("{{join .Names \", \"}}", "one, two, three");
	gives("{{.Names | len}} {{len .Name}} {{len .None}}", "3 3 0");
	gives("{{upper .Name}} {{.Name | title}} {{lower \"ABC\"}} {{title \"two words\"}}",
	      "WEB Web abc Two Words");
	gives("{{index .Config.Labels \"x.y\"}} {{index .Ports \"80/tcp\" 0 | json}}",
	      "dotted {\"HostIp\":\"\",\"HostPort\":\"8080\"}");
	gives("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080");
	gives("{{index .Config.Labels \"absent\"}}", "<no value>");
	gives("{{.Config.Labels \"x.y\"}} {{.Config.Labels \"absent\"}}.", "dotted .");
	gives("{{\"a\" | .Config.Labels}}", "1");
	gives("{{slice .Id 0 3}} {{slice .Names 1}}", "abc [two three]");
	gives("{{split \"a:b::c\" \":\" | json}} {{split \"abc\" \"\" | len}}",
	      "[\"a\",\"b\",\"\",\"c\"] 3");
	gives("{{truncate .Id 3}}|{{pad .Name 1 2}}|{{pad \"\" 3 3}}", "abc| web  |");
	gives("{{print .Count .Count \"a\" 1}} {{println 1 2}}", "3 3a1 1 2\n");
	gives("{{html \"<a & 'b'>\"}} {{urlquery \"a b&\"}} {{js \"'\"}}",
	      "&lt;a &amp; &#39;b&#39;&gt; a+b%26 \\'");
}

static void test_printf(void **state)
{
	gives("{{printf \"%s-%d-%v-%q-%t%%\" .Name .Count .Names .Name .On}}",
	      "web-3-[one two three]-\"web\"-true%");
	gives("{{printf \"%5d|%-5s|%05d|%x|%.2f|%.2s\" 42 \"ab\" -42 255 .Ratio .Id}}",
	      "   42|ab   |-0042|ff|1.50|ab");
	gives("{{.Id | printf \"%.4s\"}}", "abc1");
	fails("{{printf \"%d\" .Name}}", "%d does not fit a text");
	fails("{{printf \"%s\"}}", "no argument for %s");
	fails("{{printf \"x\" 1}}", "more arguments");
}

static void test_mistakes_name_their_place(void **state)
{
	fails("{{.Nmae}}", "template: 1:3: no field Nmae; known: Big, Config, Count");
	fails("a\n  {{.Config.Imag}}", "template: 2:5: no field Imag; known: Image, Labels");
	fails("{{.Name.X}}", "template: 1:3: can't evaluate field X in a text");
	fails("{{.None.X}}", "no field X in a value that is nil");
	fails("{{.Name", "template: 1:8: unclosed action");
	fails("{{if .Name}}x", "{{if}} without {{end}}");
	fails("{{end}}", "unexpected {{end}}");
	fails("{{else}}", "unexpected {{else}}");
	fails("{{frob .}}", "template: 1:3: function \"frob\" not defined");
	fails("{{$x}}", "undefined variable \"$x\"");
	fails("{{range .Names}}{{$y := 1}}{{end}}{{$y}}", "undefined variable \"$y\"");
	fails("{{.Name 1}}", "1:3: Name is no function and cannot have arguments");
	fails("{{.Config.Labels \"a\" \"b\"}}", "Labels is no function");
	fails("{{\"x\" 1}}", "no function cannot have arguments");
	fails("{{1 | 2}}", "no function cannot have arguments");
	fails("{{\"abc}}", "unterminated quoted string");
	fails("{{(.Name}}", "in parentheses");
	fails("{{(.Name", "unclosed action");
	fails("{{.Name)}}", "unexpected right parenthesis");
	fails("{{}}", "missing value");
	fails("{{.Name |}}", "missing function");
	fails("{{len}}", "wrong number of arguments for len: got 0, want 1");
	fails("{{print len}}", "function len needs arguments");
	fails("{{len .Name .Name}}", "wrong number of arguments for len: got 2, want 1");
	fails("{{len .Count}}", "len of a number");
	fails("{{index .Names 3}}", "out of range: 3 of 3");
	fails("{{range .Name}}{{end}}", "range can't iterate over a text");
	fails("{{break}}", "{{break}} outside {{range}}");
	fails("{{define \"x\"}}{{end}}", "{{define}} is not supported");
	fails("{{/* x }}", "unclosed comment");
	fails("{{99999999999999999999}}", "too large");
	fails("{{lt .Name 1}}", "can't compare a text with a number");
}

static void test_nesting_is_bounded(void **state)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	strbuf_adds(&text, "{{");
	for (int i = 0; i < 5000; i++)
		strbuf_addc(&text, '(');
	fails(strbuf_text(&text), "nested too deeply");
	strbuf_reset(&text);
	for (int i = 0; i < 5000; i++)
		strbuf_adds(&text, "{{if 1}}");
	fails(strbuf_text(&text), "nested too deeply");
	strbuf_reset(&text);
	strbuf_adds(&text, "{{if 1}}");
	for (int i = 0; i < 5000; i++)
		strbuf_adds(&text, "{{else if 1}}");
	fails(strbuf_text(&text), "nested too deeply");
}

static void test_headings_come_from_the_fields(void **state)
{
	autotemplate struct template *template = NULL;
	autostrbuf struct strbuf out = STRBUF_EMPTY;
	autojson struct json_object *headings = json_object_new_object();
	struct err err;

	json_add_string(headings, "ID", "CONTAINER ID");
	assert_int_equal(template_parse("table {{.ID}}\\t{{join .Names \",\"}}\\t{{.CreatedAt}}\\t"
					"{{if .ImageID}}{{upper (printf \"%s\" .ImageID)}}{{end}}",
					&template, &err),
			 0);
	assert_true(template_is_table(template));
	assert_false(template_begins_with_range(template));
	template_render_headings(template, headings, &out);
	assert_string_equal(strbuf_text(&out), "CONTAINER ID\tNAMES\tCREATED AT\tIMAGE ID");
	template_free(take_ptr(&template));
	assert_int_equal(template_parse("{{range .}}x{{end}}", &template, &err), 0);
	assert_true(template_begins_with_range(template));
	assert_false(template_is_table(template));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_and_text),
		cmocka_unit_test(test_values_print_as_in_go),
		cmocka_unit_test(test_white_space_is_trimmed),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_variables_have_a_scope),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_mistakes_name_their_place),
		cmocka_unit_test(test_nesting_is_bounded),
		cmocka_unit_test(test_headings_come_from_the_fields),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
