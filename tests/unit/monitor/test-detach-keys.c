#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "monitor/detach-keys.h"

static struct detach_keys keys_of(const char *text)
{
	struct detach_keys keys;
	struct err err = { 0 };

	assert_int_equal(detach_keys_parse(text, &keys, &err), 0);
	return keys;
}

static void test_notation(void **state)
{
	static const char *const wrong[] = { "ctrl-", "ctrl-A",	 "ctrl-p,", ",",
					     "ab",    "ctrl-pp", "a,,b" };
	struct detach_keys keys = keys_of(DETACH_KEYS_DEFAULT);
	struct err err = { 0 };

	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.keys[0], 16);
	assert_int_equal(keys.keys[1], 17);
	keys = keys_of("a,ctrl-@,ctrl-_,ctrl-[,Z");
	assert_int_equal(keys.count, 5);
	assert_memory_equal(keys.keys, "a\0\37\33Z", 5);
	assert_int_equal(keys_of("").count, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_true(detach_keys_parse(wrong[i], &keys, &err) < 0);
	assert_true(detach_keys_parse("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &keys, &err) < 0);
}

/* Feed `typed` in pieces of `step` bytes; returns what came through, or NULL when it detached. */
static const char *type(const char *notation, const char *typed, size_t step)
{
	static char all[256];
	struct detach_keys keys = keys_of(notation);
	size_t size = strlen(typed), used = 0;

	for (size_t at = 0; at < size; at += step) {
		char out[256];
		size_t piece = size - at < step ? size - at : step;
		ssize_t n = detach_keys_filter(&keys, typed + at, piece, out);
		if (n < 0)
			return NULL;
		memcpy(all + used, out, (size_t)n);
		used += (size_t)n;
	}
	all[used] = '\0';
	return all;
}

static void test_filter(void **state)
{
	for (size_t step = 1; step < 8; step++) {
		assert_string_equal(type("ctrl-p,ctrl-q", "hello", step), "hello");
		assert_null(type("ctrl-p,ctrl-q", "hello\20\21", step));
		assert_null(type("ctrl-p,ctrl-q", "\20\20\21", step));
		assert_string_equal(type("ctrl-p,ctrl-q", "\20x\21", step), "\20x\21");
		assert_string_equal(type("ctrl-p,ctrl-q", "a\20", step), "a"); /* held back */
		assert_null(type("a,a,b", "aaab", step));
		assert_null(type("a,b,a,c", "ababac", step));
		assert_string_equal(type("a,b,a,c", "ababx", step), "ababx");
		assert_string_equal(type("", "\20\21", step), "\20\21");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notation),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
