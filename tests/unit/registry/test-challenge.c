#include "registry/program/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"

static void expect(const char *header, enum challenge_scheme scheme, const char *realm,
		   const char *service, const char *scope)
{
	struct challenge challenge = { 0 };
	const char *want[] = { realm, service, scope };

	challenge_parse(header, &challenge);
	assert_int_equal(challenge.scheme, scheme);
	const char *got[] = { challenge.realm, challenge.service, challenge.scope };
	for (int i = 0; i < 3; i++) {
		if (!want[i])
			assert_null(got[i]);
		else
			assert_string_equal(got[i], want[i]);
	}
	challenge_clear(&challenge);
}

static void test_what_registries_say_is_understood(void **state)
{
	(void)state;
	expect("Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
	       "scope=\"repository:library/nginx:pull,push\"",
	       CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
	       "repository:library/nginx:pull,push");
	expect("Basic realm=\"test\"", CHALLENGE_BASIC, "test", NULL, NULL);
	expect("bearer REALM = \"https://a\" , error=\"invalid_token\"", CHALLENGE_BEARER,
	       "https://a", NULL, NULL);
	expect("Bearer realm=https://a,service=b", CHALLENGE_BEARER, "https://a", "b", NULL);
	expect("Bearer realm=\"a\\\"b\"", CHALLENGE_BEARER, "a\"b", NULL, NULL);
}

static void test_the_better_of_several_wins(void **state)
{
	(void)state;
	expect("Basic realm=\"x\", Bearer realm=\"https://a\",service=\"s\"", CHALLENGE_BEARER,
	       "https://a", "s", NULL);
	expect("Negotiate, Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL);
	expect("Digest realm=\"d\", nonce=\"n\", Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL,
	       NULL);
}

static void test_rubbish_asks_for_nothing(void **state)
{
	static const char *const headers[] = {
		"",	",",	"Bearer",    "Bearer realm",	  "Bearer realm=", "Bearer =\"x\"",
		"\"\"", "====", "Negotiate", "Bearerrealm=\"x\"", "\xff\xfe",	   "Bearer \x01=\"",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct challenge challenge = { 0 };
		challenge_parse(headers[i], &challenge);
		if (challenge.scheme == CHALLENGE_BEARER)
			assert_string_equal(challenge.realm, "");
		challenge_clear(&challenge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_registries_say_is_understood),
		cmocka_unit_test(test_the_better_of_several_wins),
		cmocka_unit_test(test_rubbish_asks_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
