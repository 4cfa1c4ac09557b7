#include "engine/secret-use.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static void test_name_alone_is_a_file_that_all_may_read(void **state)
{
	struct secret_use use;
	struct err err;

	assert_int_equal(secret_use_parse("db", &use, &err), 0);
	assert_string_equal(use.name, "db");
	assert_string_equal(use.target, "db");
	assert_false(use.is_env);
	assert_int_equal(use.mode, 0444);
	secret_use_clear(&use);
}

static void test_what_is_stored_comes_back(void **state)
{
	struct secret_use use;
	struct err err;

	assert_int_equal(secret_use_parse("source=db,uid=7,gid=8,mode=0400,target=/run/secrets/a/b",
					  &use, &err),
			 0);
	use.id = xstrdup("0123");
	autofree char *stored = secret_use_store(&use);
	secret_use_clear(&use);
	assert_int_equal(secret_use_load(stored, &use, &err), 0);
	assert_string_equal(use.name, "db");
	assert_string_equal(use.id, "0123");
	assert_string_equal(use.target, "a/b"); /* below the directory of all secrets */
	assert_int_equal(use.uid, 7);
	assert_int_equal(use.gid, 8);
	assert_int_equal(use.mode, 0400);
	secret_use_clear(&use);
	assert_int_equal(secret_use_parse("db,type=env,target=PASS", &use, &err), 0);
	use.id = xstrdup("0123");
	free(stored);
	stored = secret_use_store(&use);
	secret_use_clear(&use);
	assert_int_equal(secret_use_load(stored, &use, &err), 0);
	assert_true(use.is_env);
	assert_string_equal(use.target, "PASS");
	secret_use_clear(&use);
}

static void test_bad_words_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		",type=env",
		"db,type=file",
		"db,mode=9",
		"db,mode=",
		"db,uid=-1",
		"db,uid=4294967295",
		"db,target=../x",
		"db,target=a//b",
		"db,target=/",
		"db,target=a/./b",
		"db,id=3",
		"db,nosuch=1",
		"db,type",
		"type=env",
		"db,type=env,uid=1",
		"db,type=env,mode=0400",
		"db,type=env,target=a=b",
	};
	struct secret_use use;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (secret_use_parse(bad[i], &use, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_alone_is_a_file_that_all_may_read),
		cmocka_unit_test(test_what_is_stored_comes_back),
		cmocka_unit_test(test_bad_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
