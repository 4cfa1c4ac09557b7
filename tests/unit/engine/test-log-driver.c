#include "engine/log-driver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/strlist.h"
#include "engine/container-spec.h"
#include "engine/settings.h"

static int choose(const char *driver, const char *options_text, const struct settings *settings,
		  struct container_spec **spec, struct err *err)
{
	autostrlist struct strlist options = STRLIST_EMPTY;

	*err = (struct err){ 0 };
	strlist_split(&options, options_text, ' ');
	*spec = container_spec_new();
	return log_driver_choose(driver, &options, settings, *spec, err);
}

static void test_options_fill_the_spec(void **state)
{
	const struct settings settings = { .log_size_max = -1 };
	struct container_spec *spec;
	struct err err;

	assert_int_equal(choose("json-file", "max-size=10mb max-file=3 path=/var/log/x", &settings,
				&spec, &err),
			 0);
	assert_string_equal(spec->log_driver, "json-file");
	assert_true(log_driver_is_file(spec));
	assert_int_equal(spec->log_size_max, 10 << 20);
	assert_int_equal(spec->log_files, 3);
	assert_string_equal(spec->log_path, "/var/log/x");
	container_spec_free(spec);
	assert_int_equal(choose("journald", "tag={{.Name}} label=A_1=x=y", &settings, &spec, &err),
			 0);
	assert_string_equal(spec->log_tag, "{{.Name}}");
	assert_string_equal(spec->log_labels.items[0], "A_1=x=y");
	assert_false(log_driver_is_file(spec));
	container_spec_free(spec);
}

static void test_settings_count_where_the_user_says_nothing(void **state)
{
	struct settings settings = { .log_driver = (char *)"none", .log_size_max = 4096 };
	struct container_spec *spec;
	struct err err;

	assert_int_equal(choose(NULL, "", &settings, &spec, &err), 0);
	assert_string_equal(spec->log_driver, "none");
	assert_int_equal(spec->log_size_max, 4096);
	container_spec_free(spec);
	/* Not a word of the user's, so no reason to fail. */
	settings.log_driver = (char *)"fluentd";
	assert_int_equal(choose(NULL, "", &settings, &spec, &err), 0);
	assert_string_equal(spec->log_driver, "k8s-file");
	container_spec_free(spec);
}

static void test_what_would_change_nothing_is_refused(void **state)
{
	static const struct {
		const char *driver, *option;
	} bad[] = {
		{ "fluentd", "" },
		{ "k8s-file", "tag=x" },
		{ "k8s-file", "label=A=b" },
		{ "none", "max-size=1m" },
		{ "journald", "path=/x" },
		{ "journald", "max-file=2" },
		{ "journald", "tag={{.Name" },
		{ "journald", "label=a=b" },
		{ "journald", "label=_A=b" },
		{ "journald", "label=1A=b" },
		{ "journald", "label=A" },
		{ "k8s-file", "max-file=0" },
		{ "k8s-file", "max-file=1001" },
		{ "k8s-file", "max-file=many" },
		{ "k8s-file", "max-size=" },
		{ "k8s-file", "path=x" },
		{ "k8s-file", "nosuch=x" },
		{ "k8s-file", "max-size" },
	};
	const struct settings settings = { .log_size_max = -1 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct container_spec *spec;
		struct err err;
		assert_int_not_equal(choose(bad[i].driver, bad[i].option, &settings, &spec, &err),
				     0);
		assert_non_null(strstr(err.text, *bad[i].option ? bad[i].option : bad[i].driver));
		container_spec_free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_fill_the_spec),
		cmocka_unit_test(test_settings_count_where_the_user_says_nothing),
		cmocka_unit_test(test_what_would_change_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
