#include "oci/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

#define HEX_TAIL "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A	 "sha256:a" HEX_TAIL
#define B	 "sha256:b" HEX_TAIL

static int parse(const char *text, const char *type, struct oci_manifest **manifest,
		 struct err *err)
{
	return oci_manifest_parse(text, strlen(text), A, type, manifest, err);
}

static void test_an_oci_manifest(void **state)
{
	(void)state;
	struct err err = { 0 };
	automanifest struct oci_manifest *manifest = NULL;

	assert_int_equal(
		parse("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"" A
		      "\",\"size\":3},\"layers\":[{\"mediaType\":\"y\",\"digest\":\"" B
		      "\",\"size\":4}]}",
		      NULL, &manifest, &err),
		0);
	assert_int_equal(manifest->kind, OCI_MANIFEST_IMAGE);
	assert_string_equal(manifest->media_type, OCI_MEDIA_TYPE_MANIFEST);
	assert_false(manifest->is_docker);
	assert_string_equal(manifest->config.digest, A);
	assert_int_equal(manifest->item_count, 1);
	assert_string_equal(manifest->items[0].digest, B);
	assert_int_equal(manifest->items[0].size, 4);
}

static void test_dockers_types_are_known(void **state)
{
	(void)state;
	struct err err = { 0 };
	automanifest struct oci_manifest *manifest = NULL;

	assert_int_equal(parse("{\"schemaVersion\":2,\"mediaType\":\"" DOCKER_MEDIA_TYPE_LIST
			       "\",\"manifests\":[]}",
			       NULL, &manifest, &err),
			 0);
	assert_int_equal(manifest->kind, OCI_MANIFEST_INDEX);
	assert_true(manifest->is_docker);
}

static void test_bad_manifests_are_refused_by_digest(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"nonsense",
		"[]",
		"{}",
		"{\"config\":{}}",
		"{\"layers\":[]}",
		"{\"config\":{\"digest\":\"" A "\",\"size\":1}}",
		"{\"config\":{\"digest\":\"" A "\",\"size\":-1},\"layers\":[]}",
		"{\"config\":{\"digest\":\"" A "\",\"size\":99999999},\"layers\":[]}",
		"{\"config\":{\"digest\":\"sha256:x\",\"size\":1},\"layers\":[]}",
		"{\"config\":{\"digest\":\"" A "\",\"size\":1},\"layers\":[{}]}",
		"{\"config\":{\"digest\":\"" A "\",\"size\":1},\"layers\":[],\"manifests\":[]}",
		"{\"mediaType\":\"" OCI_MEDIA_TYPE_INDEX "\",\"config\":{\"digest\":\"" A
		"\",\"size\":1},\"layers\":[]}",
		"{\"manifests\":[{\"digest\":\"../../x\",\"size\":1}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		struct oci_manifest *manifest = NULL;
		assert_int_equal(parse(bad[i], NULL, &manifest, &err), -EBADMSG);
		assert_non_null(strstr(err.text, A));
		assert_null(manifest);
	}
}

static void test_schema_1_is_refused_by_name(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct oci_manifest *manifest = NULL;

	assert_int_equal(parse("{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, &manifest, &err),
			 -EOPNOTSUPP);
}

static void check_select(const char *platform_text, const char *expected)
{
	struct err err = { 0 };
	automanifest struct oci_manifest *index = NULL;
	const struct oci_descriptor *entry = NULL;
	struct oci_platform platform;

#define ENTRY(hex, platform)                                                                       \
	"{\"digest\":\"sha256:" hex HEX_TAIL                                                       \
	"\",\"size\":1,\"platform\":{\"os\":\"linux\"," platform "}}"
	assert_int_equal(
		parse("{\"manifests\":[" ENTRY("0", "\"architecture\":\"amd64\"") "," ENTRY("1", "\"architecture\":\"arm\",\"variant\":\"v6\"") "," ENTRY(
			      "2",
			      "\"architecture\":\"arm\",\"variant\":\"v7\"") "," ENTRY("3",
										       "\"archite"
										       "cture\":"
										       "\"arm64"
										       "\"") "," ENTRY("4",
												       "\"archite"
												       "cture\":"
												       "\"386\"") "]}",
		      NULL, &index, &err),
		0);
	assert_int_equal(oci_platform_parse(platform_text, &platform, &err), 0);
	int r = oci_index_select(index, A, &platform, &entry, &err);
	oci_platform_clear(&platform);
	if (expected) {
		assert_int_equal(r, 0);
		assert_int_equal(entry->digest[7], *expected);
	} else {
		assert_int_equal(r, -ENOENT);
		assert_non_null(strstr(err.text, "linux/arm/v7"));
	}
}

static void test_the_best_platform_is_chosen(void **state)
{
	(void)state;
	check_select("linux/amd64", "0");
	check_select("linux/x86_64", "0");
	check_select("linux/arm/v6", "1");
	check_select("linux/arm/v7", "2");
	check_select("linux/arm/v8", "2");
	check_select("linux/arm/v5", NULL);
	check_select("linux/arm64", "3");
	check_select("linux/arm64/v8", "3");
	check_select("linux/aarch64", "3");
	check_select("linux/386", "4");
	check_select("linux/s390x", NULL);
	check_select("windows/amd64", NULL);
}

static void test_bad_platforms(void **state)
{
	(void)state;
	static const char *const bad[] = { "",	      "/",	  "linux/",
					   "a/b/c/d", "nonsense", "linux/nonsense",
					   "Linux" };
	struct oci_platform platform;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		assert_int_equal(oci_platform_parse(bad[i], &platform, &err), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_oci_manifest),
		cmocka_unit_test(test_dockers_types_are_known),
		cmocka_unit_test(test_bad_manifests_are_refused_by_digest),
		cmocka_unit_test(test_schema_1_is_refused_by_name),
		cmocka_unit_test(test_the_best_platform_is_chosen),
		cmocka_unit_test(test_bad_platforms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
