#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/program.h"
#include "base/strbuf.h"

static int run(const char *script, const char *input, size_t limit, struct strbuf *output,
	       struct err *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return program_run(&(struct program){ .argv = argv,
					      .environment = environ,
					      .input = input,
					      .input_size = strlen(input),
					      .output_limit = limit },
			   output, err);
}

static void test_input_and_output_and_status(void **state)
{
	(void)state;
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(run("cat; exit 7", "text", 100, &output, &err), 7);
	assert_string_equal(strbuf_text(&output), "text");
	assert_int_equal(run("kill -9 $$", "", 100, &output, &err), 128);
}

static void test_input_that_is_not_read_is_no_error(void **state)
{
	(void)state;
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(run("exit 0", "text", 100, &output, &err), 0);
	assert_int_equal(output.size, 0);
}

static void test_too_much_output_is_an_error_and_ends_it(void **state)
{
	(void)state;
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(run("exec cat /dev/zero", "", 1000, &output, &err), -EFBIG);
}

static void test_a_program_that_is_not_there(void **state)
{
	(void)state;
	const char *const argv[] = { "davit-no-such-program", NULL };
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(program_run(&(struct program){ .argv = argv,
							.environment = environ,
							.input = "",
							.output_limit = 10 },
				     &output, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "davit-no-such-program"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_and_output_and_status),
		cmocka_unit_test(test_input_that_is_not_read_is_no_error),
		cmocka_unit_test(test_too_much_output_is_an_error_and_ends_it),
		cmocka_unit_test(test_a_program_that_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
