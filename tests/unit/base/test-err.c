#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void test_the_cause_survives_long_names(void **state)
{
	(void)state;
	char name[1000];
	struct err err;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	errno = ENOENT;
	assert_int_equal(err_errno(&err, "open '%s'", name), -ENOENT);
	assert_non_null(strstr(err.text, ": No such file or directory"));
	assert_int_equal(err_wrap(&err, "start container '%s'", name), -ENOENT);
	assert_non_null(strstr(err.text, ": No such file or directory"));
}

static void test_context_goes_in_front(void **state)
{
	(void)state;
	struct err err;

	err_set(&err, EINVAL, "cause %d", 1);
	assert_int_equal(err_wrap(&err, "outer '%s'", "x"), -EINVAL);
	assert_string_equal(err.text, "outer 'x': cause 1");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	struct err err;

	err_set(&err, EINVAL, "'%s'", "a\033[2Jb\r\nc\x7f\xc2\x9b sch\xc3\xb6n");
	assert_string_equal(err.text, "'a?[2Jb??c??? sch\xc3\xb6n'");
	errno = ENOENT;
	err_errno(&err, "open '%s'", "\033c");
	assert_string_equal(err.text, "open '?c': No such file or directory");
	err_wrap(&err, "x\033");
	assert_string_equal(err.text, "x?: open '?c': No such file or directory");
}

static void test_a_remedy_comes_behind_or_not_at_all(void **state)
{
	(void)state;
	struct err err;
	char name[600];

	err_set(&err, EINVAL, "'x' is wrong");
	assert_int_equal(err_remedy(&err, "use y"), -EINVAL);
	assert_string_equal(err.text, "'x' is wrong; use y");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	err_set(&err, EINVAL, "%s", name);
	assert_int_equal(err_remedy(&err, "use y"), -EINVAL);
	assert_null(strchr(err.text, ';'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_cause_survives_long_names),
		cmocka_unit_test(test_context_goes_in_front),
		cmocka_unit_test(test_a_remedy_comes_behind_or_not_at_all),
		cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
