#include "oci/image-config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "oci/timestamp.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct oci_image_config **config, struct err *err)
{
	return oci_image_config_parse(text, strlen(text), DIGEST, config, err);
}

static void test_all_of_a_configuration_is_read(void **state)
{
	(void)state;
	struct err err = { 0 };
	autoimage_config struct oci_image_config *config = NULL;

	assert_int_equal(
		parse("{\"architecture\":\"arm64\",\"variant\":\"v8\",\"os\":\"linux\","
		      "\"created\":\"2023-11-23T14:05:41.5Z\",\"author\":\"me\","
		      "\"config\":{\"User\":\"33:33\",\"Env\":[\"A=b\",\"C=\"],\"Entrypoint\":"
		      "[\"/e\"],\"Cmd\":null,\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":"
		      "{}},\"WorkingDir\":\"/w\",\"Labels\":{\"k\":\"v\",\"n\":1},\"StopSignal\":"
		      "\"SIGQUIT\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5}},"
		      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]},"
		      "\"history\":[{\"created_by\":\"ADD x\"},{\"empty_layer\":true}]}",
		      &config, &err),
		0);
	assert_string_equal(config->architecture, "arm64");
	assert_int_equal(config->created_nsec, 1700748341500000000LL);
	assert_string_equal(config->user, "33:33");
	assert_int_equal(config->env.count, 2);
	assert_string_equal(config->entrypoint.items[0], "/e");
	assert_int_equal(config->cmd.count, 0);
	assert_string_equal(config->exposed_ports.items[0], "80/tcp");
	assert_string_equal(config->volumes.items[0], "/v");
	assert_int_equal(config->labels.count, 1);
	assert_string_equal(config->labels.items[0], "k=v");
	assert_string_equal(config->stop_signal, "SIGQUIT");
	assert_int_equal(config->health_check.interval_nsec, 5);
	assert_string_equal(config->diff_ids.items[0], DIGEST);
	assert_int_equal(config->history_count, 2);
	assert_true(config->history[1].empty_layer);
	assert_null(config->history[1].created_by);
}

static void test_wrong_types_count_as_absent(void **state)
{
	(void)state;
	struct err err = { 0 };
	autoimage_config struct oci_image_config *config = NULL;

	assert_int_equal(
		parse("{\"config\":7,\"created\":{},\"history\":\"x\",\"os\":[],\"rootfs\":"
		      "{\"diff_ids\":[]}}",
		      &config, &err),
		0);
	assert_string_equal(config->os, "");
	assert_false(config->has_created);
	assert_int_equal(config->env.count, 0);
}

static void test_what_is_no_configuration_is_refused_by_its_digest(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"rootfs\":{}}",
		"{\"rootfs\":{\"diff_ids\":{}}}",
		"{\"rootfs\":{\"diff_ids\":[\"sha256:../../etc\"]}}",
		"{\"rootfs\":{\"diff_ids\":[1]}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		struct oci_image_config *config = NULL;
		assert_int_equal(parse(bad[i], &config, &err), -EBADMSG);
		assert_non_null(strstr(err.text, DIGEST));
		assert_null(config);
	}
}

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t nsec;
		const char *printed;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z" },
		{ "2024-02-29T12:30:00.25+02:00", 1709202600250000000LL,
		  "2024-02-29T10:30:00.25Z" },
		{ "1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999999Z" },
		{ "0001-01-01T00:00:00Z", INT64_MIN, "0001-01-01T00:00:00Z" },
	};
	static const char *const bad[] = { "",
					   "2024",
					   "2024-13-01T00:00:00Z",
					   "2024-01-01T00:00:00",
					   "2024-01-01T00:00:00.Z",
					   "2024-01-01T00:00:00Zx" };
	int64_t nsec;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(oci_time_parse(good[i].text, &nsec), 0);
		assert_int_equal(nsec, good[i].nsec);
		autofree char *printed = oci_time_print(nsec);
		assert_string_equal(printed, good[i].printed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(oci_time_parse(bad[i], &nsec), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_a_configuration_is_read),
		cmocka_unit_test(test_wrong_types_count_as_absent),
		cmocka_unit_test(test_what_is_no_configuration_is_refused_by_its_digest),
		cmocka_unit_test(test_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
