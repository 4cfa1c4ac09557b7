#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "oci/image-instruction.h"

static struct err err;

/* Apply them all to `before` and compare with `after`, both JSON. */
static void expect(const char *before, const char *const *instructions, const char *after)
{
	autojson struct json_object *config = NULL, *expected = NULL;

	assert_int_equal(json_parse(before, strlen(before), &config, &err), 0);
	assert_int_equal(json_parse(after, strlen(after), &expected, &err), 0);
	for (; *instructions; instructions++)
		if (image_instruction_apply(config, *instructions, &err) < 0)
			fail_msg("%s", err.text);
	if (!json_object_equal(config, expected))
		fail_msg("%s", json_object_to_json_string(config));
}

#define EXPECT(before, after, ...) expect(before, (const char *const[]){ __VA_ARGS__, NULL }, after)

static void refuse(const char *instruction, const char *words)
{
	autojson struct json_object *config = json_object_new_object();

	assert_int_equal(image_instruction_apply(config, instruction, &err), -EINVAL);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void test_commands_are_lists_or_the_shells(void **state)
{
	(void)state;
	EXPECT("{}", "{\"Cmd\": [\"a\", \"b c\"]}", "CMD [\"a\", \"b c\"]");
	EXPECT("{}", "{\"Cmd\": [\"/bin/sh\", \"-c\", \"a b\"]}", "cmd a b");
	EXPECT("{\"Cmd\": [\"x\"]}", "{\"Cmd\": [\"/bin/sh\", \"-c\", \"/x\"]}", "CMD=/x");
	EXPECT("{}", "{\"Entrypoint\": [\"/e\"]}", " ENTRYPOINT [\"/e\"] ");
	EXPECT("{}", "{\"Entrypoint\": []}", "ENTRYPOINT []");
	EXPECT("{}", "{\"Entrypoint\": [\"/bin/sh\", \"-c\", \"[a\"]}", "ENTRYPOINT [a");
}

static void test_environment_and_labels_are_pairs(void **state)
{
	(void)state;
	EXPECT("{\"Env\": [\"A=1\", \"B=2\"]}", "{\"Env\": [\"A=3\", \"B=2\", \"C=x y\"]}",
	       "ENV A=3 C=\"x y\"");
	EXPECT("{}", "{\"Env\": [\"A=b c\"]}", "ENV A b c");
	EXPECT("{}", "{\"Env\": [\"A=b=c\"]}", "ENV=A=b=c");
	EXPECT("{}", "{\"Env\": [\"A=\"]}", "ENV A=");
	EXPECT("{\"Labels\": {\"x\": \"y\"}}", "{\"Labels\": {\"x\": \"z\", \"a\": \"b c\"}}",
	       "LABEL x=z a='b c'");
}

static void test_ports_and_volumes_are_sets(void **state)
{
	(void)state;
	EXPECT("{}",
	       "{\"ExposedPorts\": {\"80/tcp\": {}, \"53/udp\": {}, \"8000/tcp\": {}, "
	       "\"8001/tcp\": {}}}",
	       "EXPOSE 80 53/udp", "EXPOSE=8000-8001");
	EXPECT("{}", "{\"Volumes\": {\"/a\": {}, \"/b c\": {}, \"/d\": {}}}",
	       "VOLUME [\"/a\", \"/b c\"]", "VOLUME /d");
}

static void test_the_rest_is_text(void **state)
{
	(void)state;
	EXPECT("{}",
	       "{\"User\": \"5:6\", \"StopSignal\": \"SIGRTMIN+3\", \"OnBuild\": [\"RUN a=b c\"]}",
	       "USER 5:6", "STOPSIGNAL SIGRTMIN+3", "ONBUILD RUN a=b c");
	EXPECT("{\"WorkingDir\": \"/a\"}", "{\"WorkingDir\": \"/a/b\"}", "WORKDIR b");
	EXPECT("{}", "{\"WorkingDir\": \"/b\"}", "WORKDIR b");
	EXPECT("{\"WorkingDir\": \"/a\"}", "{\"WorkingDir\": \"/c\"}", "WORKDIR /c");
}

static void test_health_checks_have_options(void **state)
{
	(void)state;
	EXPECT("{}", "{\"Healthcheck\": {\"Test\": [\"NONE\"]}}", "HEALTHCHECK NONE");
	EXPECT("{}",
	       "{\"Healthcheck\": {\"Test\": [\"CMD-SHELL\", \"a || b\"], \"Interval\": "
	       "5000000000, "
	       "\"Retries\": 2}}",
	       "HEALTHCHECK --interval=5s --retries=2 CMD a || b");
	EXPECT("{}", "{\"Healthcheck\": {\"Test\": [\"CMD\", \"a\", \"b\"]}}",
	       "HEALTHCHECK CMD [\"a\", \"b\"]");
}

static void test_nonsense_is_refused(void **state)
{
	(void)state;
	refuse("FOO bar", "invalid instruction FOO");
	refuse("RUN x", "invalid instruction RUN");
	refuse("CMD", "KEY VALUE");
	refuse("", "KEY VALUE");
	refuse("=x", "KEY VALUE");
	refuse("ENV A", "KEY=VALUE");
	refuse("ENV A=b =c", "KEY=VALUE");
	refuse("ENV A='b", "quote");
	refuse("EXPOSE 0", "PORT");
	refuse("EXPOSE 70000", "PORT");
	refuse("EXPOSE 80/icmp", "PORT");
	refuse("EXPOSE 9-8", "PORT");
	refuse("STOPSIGNAL a b", "signal");
	refuse("HEALTHCHECK FOO", "NONE");
	refuse("HEALTHCHECK --foo=1 CMD x", "--foo=1");
	refuse("HEALTHCHECK --interval=x CMD x", "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_lists_or_the_shells),
		cmocka_unit_test(test_environment_and_labels_are_pairs),
		cmocka_unit_test(test_ports_and_volumes_are_sets),
		cmocka_unit_test(test_the_rest_is_text),
		cmocka_unit_test(test_health_checks_have_options),
		cmocka_unit_test(test_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
