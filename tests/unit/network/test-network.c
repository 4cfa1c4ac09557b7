#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "network/network.h"

static void test_modes_have_podmans_names(void **state)
{
	enum network_mode mode, own = geteuid() == 0 ? NETWORK_BRIDGE : NETWORK_PASTA;
	const char *options;
	struct err err = { 0 };

	assert_int_equal(network_mode_parse(NULL, &mode, &options, &err), 0);
	assert_int_equal(mode, own);
	assert_int_equal(network_mode_parse("private", &mode, &options, &err), 0);
	assert_int_equal(mode, own);
	assert_int_equal(network_mode_parse("none", &mode, &options, &err), 0);
	assert_int_equal(mode, NETWORK_NONE);
	assert_int_equal(network_mode_parse("host", &mode, &options, &err), 0);
	assert_int_equal(mode, NETWORK_HOST);
	assert_int_equal(network_mode_parse("nowhere", &mode, &options, &err), -ENOENT);
	assert_non_null(strstr(err.text, "nowhere"));
}

static void test_status_comes_back_the_same(void **state)
{
	const struct network_status status = {
		.mode = NETWORK_BRIDGE,
		.network = "davit",
		.interface = "eth0",
		.address = "10.88.0.2",
		.gateway = "10.88.0.1",
		.mac = "0a:da:0a:58:00:02",
		.prefix = 16,
		.has_ports = true,
		.helper_pid = 17,
		.wait_fd = -1,
		.log_fd = -1,
	};
	struct network_status back;
	struct err err = { 0 };

	autojson struct json_object *json = network_status_to_json(&status);
	assert_int_equal(network_status_from_json(json, &back, &err), 0);
	autojson struct json_object *again = network_status_to_json(&back);
	assert_true(json_object_equal(json, again));
	assert_string_equal(back.address, status.address);
	assert_int_equal(back.helper_pid, 17);
	assert_int_equal(network_status_from_json(NULL, &back, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes_have_podmans_names),
		cmocka_unit_test(test_status_comes_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
