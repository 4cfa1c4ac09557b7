#include "engine/container-restart.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void test_policies_as_users_write_them(void **state)
{
	static const struct {
		const char *text, *policy;
		int64_t retries;
	} good[] = {
		{ "no", NULL, 0 },
		{ "never", NULL, 0 },
		{ "", NULL, 0 },
		{ "always", "always", 0 },
		{ "on-failure", "on-failure", 0 },
		{ "on-failure:3", "on-failure", 3 },
		{ "unless-stopped", "unless-stopped", 0 },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *policy = "?";
		int64_t retries = -1;
		assert_int_equal(restart_policy_parse(good[i].text, &policy, &retries, &err), 0);
		assert_int_equal(retries, good[i].retries);
		if (good[i].policy)
			assert_string_equal(policy, good[i].policy);
		else
			assert_null(policy);
	}
}

static void test_others_are_refused_by_name(void **state)
{
	static const char *const bad[] = { "sometimes",	    "always:1",	     "no:1",
					   "on-failure:",   "on-failure:-1", "on-failure:x",
					   "on-failure:1x", "Always" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *policy;
		int64_t retries;
		struct err err = { 0 };
		assert_int_equal(restart_policy_parse(bad[i], &policy, &retries, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies_as_users_write_them),
		cmocka_unit_test(test_others_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
