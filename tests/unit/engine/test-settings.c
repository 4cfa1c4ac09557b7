#include "engine/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* Load from one file that CONTAINERS_CONF names. */
static int load(const char *text, struct settings *settings, struct err *err)
{
	char path[] = "/tmp/test-settings-XXXXXX";
	autostrlist struct strlist environment = STRLIST_EMPTY;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	strlist_env_set(&environment, "CONTAINERS_CONF", path);
	int r = settings_load(settings, &environment, "/nonexistent", true, err);
	unlink(path);
	return r;
}

static void test_file_overrides_defaults(void **state)
{
	struct settings settings;
	struct err err;

	assert_int_equal(load("[containers]\npids_limit = 7\ndefault_capabilities = [\"CHOWN\"]\n"
			      "unknown_key = 3\n[engine]\nstop_timeout = 3\n",
			      &settings, &err),
			 0);
	assert_int_equal(settings.pids_limit, 7);
	assert_int_equal(settings.stop_timeout, 3);
	assert_int_equal(settings.default_capabilities.count, 1);
	assert_string_equal(settings.pull_policy, "missing");
	settings_clear(&settings);
}

static void test_wrong_type_names_file_and_key(void **state)
{
	struct settings settings;
	struct err err;

	assert_int_equal(load("[containers]\npids_limit = \"many\"\n", &settings, &err), -EINVAL);
	assert_non_null(strstr(err.text, "pids_limit"));
	assert_non_null(strstr(err.text, "/tmp/test-settings-"));
}

static void test_syntax_error_names_the_line(void **state)
{
	struct settings settings;
	struct err err;

	assert_true(load("[containers]\npids_limit = \n", &settings, &err) < 0);
	assert_non_null(strstr(err.text, "2"));
}

static void test_named_file_must_exist(void **state)
{
	autostrlist struct strlist environment = STRLIST_EMPTY;
	struct settings settings;
	struct err err;

	strlist_env_set(&environment, "CONTAINERS_CONF", "/nonexistent/containers.conf");
	assert_int_equal(settings_load(&settings, &environment, "/", false, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_overrides_defaults),
		cmocka_unit_test(test_wrong_type_names_file_and_key),
		cmocka_unit_test(test_syntax_error_names_the_line),
		cmocka_unit_test(test_named_file_must_exist),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
