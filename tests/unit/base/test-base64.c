#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/strbuf.h"

static void test_the_vectors_of_rfc_4648(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autostrbuf struct strbuf text = STRBUF_EMPTY, back = STRBUF_EMPTY;
		base64_encode(rows[i][0], strlen(rows[i][0]), &text);
		assert_string_equal(strbuf_text(&text), rows[i][1]);
		assert_int_equal(base64_decode(rows[i][1], strlen(rows[i][1]), &back), 0);
		assert_string_equal(strbuf_text(&back), rows[i][0]);
	}
}

static void test_bytes_survive_and_rubbish_does_not(void **state)
{
	static const char *const bad[] = { "Z", "Zg=g", "Zm9v!", "Zg===", "Zm\x80v" };
	autostrbuf struct strbuf text = STRBUF_EMPTY, back = STRBUF_EMPTY;
	unsigned char bytes[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	base64_encode(bytes, sizeof(bytes), &text);
	assert_int_equal(base64_decode(text.data, text.size, &back), 0);
	assert_int_equal(back.size, sizeof(bytes));
	assert_memory_equal(back.data, bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(base64_decode(bad[i], strlen(bad[i]), &back) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_vectors_of_rfc_4648),
		cmocka_unit_test(test_bytes_survive_and_rubbish_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
