#include "registry/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "registry/paths.h"

#define ACCEPT "[{\"type\": \"insecureAcceptAnything\"}]"
#define REJECT "[{\"type\": \"reject\"}]"
#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char file[64];
static char *files[] = { file, NULL };
static struct registry_paths paths = { .policies = { .items = files, .count = 1 } };

static int set_up(void **state)
{
	(void)state;
	snprintf(file, sizeof(file), "/tmp/davit-test-XXXXXX");
	int fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(file);
}

static int load(const char *text, struct policy **ret_policy, struct err *err)
{
	assert_int_equal(file_write(AT_FDCWD, file, text, strlen(text), 0600, 0, err), 0);
	return policy_load(&paths, ret_policy, err);
}

static struct policy *load_good(const char *text)
{
	struct policy *policy = NULL;
	struct err err = { 0 };

	if (load(text, &policy, &err) < 0)
		fail_msg("%s", err.text);
	return policy;
}

static void expect(const struct policy *policy, const char *name, int result)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	struct err err = { 0 };

	assert_int_equal(reference_parse(name, &reference, &err), 0);
	int r = policy_check_registry(policy, &reference, &err);
	if (r != result)
		fail_msg("%s: %d %s", name, r, err.text);
	if (r < 0 && (!strstr(err.text, file) || !strstr(err.text, reference.domain)))
		fail_msg("%s lacks file or name", err.text);
}

static void test_the_most_specific_scope_decides(void **state)
{
	(void)state;
	autopolicy struct policy *policy = load_good(
		"{\"default\": " REJECT ", \"transports\": {\"docker\": {"
		"\"a.io\": " ACCEPT ", \"a.io/bad\": " REJECT ", \"a.io/bad/good:1\": " ACCEPT ","
		"\"*.b.io\": " ACCEPT ", \"docker.io/library\": " ACCEPT ","
		"\"c.io/x@sha256:" HEX "\": " ACCEPT "}}}");

	expect(policy, "a.io/x", 0);
	expect(policy, "a.io/bad/x", -EPERM);
	expect(policy, "a.io/bad/good:1", 0);
	expect(policy, "a.io/bad/good:2", -EPERM);
	expect(policy, "a.io:5000/x", -EPERM);
	expect(policy, "x.y.b.io:5000/x", 0);
	expect(policy, "b.io/x", -EPERM);
	expect(policy, "docker.io/nginx", 0);
	expect(policy, "docker.io/ann/x", -EPERM);
	expect(policy, "c.io/x@sha256:" HEX, 0);
	expect(policy, "c.io/x", -EPERM);
}

static void test_an_empty_scope_is_the_transports_default(void **state)
{
	struct err err = { 0 };

	(void)state;
	autopolicy struct policy *policy =
		load_good("{\"default\": " ACCEPT ", \"transports\": {\"docker\": {\"\": " REJECT
			  "}, \"oci\": {\"/srv/images\": " ACCEPT ", \"\": " REJECT "}}}");
	expect(policy, "a.io/x", -EPERM);
	assert_int_equal(policy_check_file(policy, "oci", "/srv/images/web", &err), 0);
	assert_int_equal(policy_check_file(policy, "oci", "/srv/imagesx", &err), -EPERM);
	assert_int_equal(policy_check_file(policy, "dir", "/tmp/x", &err), 0);
}

static void test_signatures_that_cannot_be_checked_forbid(void **state)
{
	(void)state;
	autopolicy struct policy *policy =
		load_good("{\"default\": [{\"type\": \"insecureAcceptAnything\"}, {\"type\": "
			  "\"signedBy\", \"keyType\": \"GPGKeys\", \"keyPath\": \"/k\"}]}");
	expect(policy, "a.io/x", -EPERM);
}

static void test_what_is_not_understood_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"default\": []}",
		"{\"default\": {}}",
		"{\"default\": [{\"type\": \"trust\"}]}",
		"{\"default\": [{}]}",
		"{\"default\": " ACCEPT ", \"defualt\": " REJECT "}",
		"{\"default\": [{\"type\": \"reject\", \"unless\": \"x\"}]}",
		"{\"default\": " ACCEPT ", \"transports\": []}",
		"{\"default\": " ACCEPT ", \"transports\": {\"docker\": {\"a.io\": \"reject\"}}}",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy *policy = NULL;
		struct err err = { 0 };
		if (load(texts[i], &policy, &err) >= 0)
			fail_msg("accepted %s", texts[i]);
		assert_non_null(strstr(err.text, file));
	}
}

static void test_no_file_is_no_policy(void **state)
{
	static char missing[] = "/nonexistent/policy.json";
	static char *items[] = { missing, NULL };
	struct registry_paths nothing = { .policies = { .items = items, .count = 1 } };
	struct policy *policy = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(policy_load(&nothing, &policy, &err), 0);
	expect(policy, "a.io/x", 0);
	policy_free(policy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_most_specific_scope_decides),
		TEST(test_an_empty_scope_is_the_transports_default),
		TEST(test_signatures_that_cannot_be_checked_forbid),
		TEST(test_what_is_not_understood_is_refused),
		TEST(test_no_file_is_no_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
