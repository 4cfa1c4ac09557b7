#include "oci/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct reference parse(const char *text)
{
	struct reference reference = REFERENCE_EMPTY;
	struct err err = { 0 };

	if (reference_parse(text, &reference, &err) < 0)
		fail_msg("%s", err.text);
	return reference;
}

static void expect_parts(const char *text, const char *domain, const char *path, const char *tag,
			 const char *digest)
{
	autoreference struct reference reference = parse(text);
	const char *want[] = { domain, path, tag, digest };
	const char *got[] = { reference.domain, reference.path, reference.tag, reference.digest };

	for (int i = 0; i < 4; i++) {
		if (!want[i])
			assert_null(got[i]);
		else
			assert_string_equal(got[i], want[i]);
	}
}

static void test_parts_are_found(void **state)
{
	(void)state;
	expect_parts("nginx", NULL, "nginx", NULL, NULL);
	expect_parts("nginx:1.25", NULL, "nginx", "1.25", NULL);
	expect_parts("library/nginx", NULL, "library/nginx", NULL, NULL);
	expect_parts("docker.io/nginx", "docker.io", "library/nginx", NULL, NULL);
	expect_parts("index.docker.io/nginx:A_b.c-1", "docker.io", "library/nginx", "A_b.c-1",
		     NULL);
	expect_parts("docker.io/ann/x", "docker.io", "ann/x", NULL, NULL);
	expect_parts("localhost/x:y", "localhost", "x", "y", NULL);
	expect_parts("localhost:5000/a/b__c/d-e.f", "localhost:5000", "a/b__c/d-e.f", NULL, NULL);
	expect_parts("[::1]:5000/a", "[::1]:5000", "a", NULL, NULL);
	expect_parts("q.io/a:t@sha256:" HEX, "q.io", "a", "t", "sha256:" HEX);
	expect_parts("a@sha256:" HEX, NULL, "a", NULL, "sha256:" HEX);
	expect_parts("EXAMPLE.com/a", "EXAMPLE.com", "a", NULL, NULL);
	expect_parts("x:5000", NULL, "x", "5000", NULL);
}

static void test_bad_names_are_refused_and_quoted(void **state)
{
	static const char *const texts[] = {
		"Nginx",
		"a/B",
		"-a",
		"a-",
		"a..b",
		"a___b",
		"a//b",
		"/a",
		"a/",
		"a:",
		"a:-x",
		"a:x y",
		"a@",
		"a@sha256:12",
		"a@sha512:" HEX,
		"a@sha256:" HEX "0",
		":x",
		"a b",
		"ex ample.com/a",
		"-e.com/a",
		"e.com:/a",
		"e.com:123456/a",
		"e.com:5x/a",
		"e.com/",
		HEX,
		"http://e.com/a",
		"a@sha256:" HEX "@sha256:" HEX,
		"é",
	};
	struct reference reference = REFERENCE_EMPTY;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct err err = { 0 };
		if (reference_parse(texts[i], &reference, &err) == 0)
			fail_msg("accepted '%s'", texts[i]);
		assert_non_null(strstr(err.text, texts[i]));
	}
	struct err err = { 0 };
	assert_true(reference_parse("a\n", &reference, &err) < 0);
	assert_non_null(strstr(err.text, "'a?'"));
}

static void test_lengths_are_bounded(void **state)
{
	autostrbuf struct strbuf name = STRBUF_EMPTY;
	struct reference reference = REFERENCE_EMPTY;
	struct err err = { 0 };

	(void)state;
	while (name.size < 255)
		strbuf_addc(&name, 'a');
	reference = parse(strbuf_text(&name));
	reference_clear(&reference);
	strbuf_addc(&name, 'a');
	assert_true(reference_parse(strbuf_text(&name), &reference, &err) < 0);

	/* "library/" counts too. */
	strbuf_reset(&name);
	strbuf_adds(&name, "docker.io/");
	while (name.size < 250)
		strbuf_addc(&name, 'a');
	assert_true(reference_parse(strbuf_text(&name), &reference, &err) < 0);

	strbuf_reset(&name);
	strbuf_adds(&name, "a:");
	while (name.size < 130)
		strbuf_addc(&name, 't');
	reference = parse(strbuf_text(&name));
	reference_clear(&reference);
	strbuf_addc(&name, 't');
	assert_true(reference_parse(strbuf_text(&name), &reference, &err) < 0);
}

static void test_printing_gives_back_what_was_meant(void **state)
{
	static const struct {
		const char *text, *full, *familiar, *repository;
	} rows[] = {
		{ "docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1",
		  "docker.io/library/nginx" },
		{ "docker.io/ann/x", "docker.io/ann/x", "ann/x", "docker.io/ann/x" },
		{ "quay.io/a/b:t@sha256:" HEX, "quay.io/a/b:t@sha256:" HEX,
		  "quay.io/a/b:t@sha256:" HEX, "quay.io/a/b" },
		{ "docker.io/library/a/b", "docker.io/library/a/b", "library/a/b",
		  "docker.io/library/a/b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autoreference struct reference reference = parse(rows[i].text);
		autofree char *full = reference_print(&reference);
		autofree char *familiar = reference_print_familiar(&reference);
		autofree char *repository = reference_repository(&reference);
		assert_string_equal(full, rows[i].full);
		assert_string_equal(familiar, rows[i].familiar);
		assert_string_equal(repository, rows[i].repository);
	}
}

static void test_short_names_move_into_a_registry(void **state)
{
	struct err err = { 0 };

	(void)state;
	autoreference struct reference one = parse("nginx:1");
	assert_true(reference_is_short(&one));
	assert_int_equal(reference_set_registry(&one, "docker.io", &err), 0);
	autofree char *text = reference_print(&one);
	assert_string_equal(text, "docker.io/library/nginx:1");

	autoreference struct reference two = parse("nginx");
	assert_int_equal(reference_set_registry(&two, "localhost:5000/team", &err), 0);
	reference_set_default_tag(&two);
	autofree char *text2 = reference_print(&two);
	assert_string_equal(text2, "localhost:5000/team/nginx:latest");

	assert_true(reference_set_registry(&two, "not a host", &err) < 0);
}

static void test_transports_are_split_off(void **state)
{
	const char *rest = NULL;

	(void)state;
	assert_int_equal(image_transport_split("docker://nginx", &rest), IMAGE_TRANSPORT_REGISTRY);
	assert_string_equal(rest, "nginx");
	assert_int_equal(image_transport_split("oci-archive:/a.tar:x", &rest),
			 IMAGE_TRANSPORT_OCI_ARCHIVE);
	assert_string_equal(rest, "/a.tar:x");
	assert_int_equal(image_transport_split("oci:/dir", &rest), IMAGE_TRANSPORT_OCI);
	assert_int_equal(image_transport_split("oci", &rest), IMAGE_TRANSPORT_NONE);
	assert_string_equal(rest, "oci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_are_found),
		cmocka_unit_test(test_bad_names_are_refused_and_quoted),
		cmocka_unit_test(test_lengths_are_bounded),
		cmocka_unit_test(test_printing_gives_back_what_was_meant),
		cmocka_unit_test(test_short_names_move_into_a_registry),
		cmocka_unit_test(test_transports_are_split_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
