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

static void test_pasta_takes_options_and_others_are_joined(void **state)
{
	enum network_mode mode;
	const char *options;
	struct err err = { 0 };

	assert_int_equal(network_mode_parse("pasta", &mode, &options, &err), 0);
	assert_int_equal(mode, NETWORK_PASTA);
	assert_null(options);
	assert_int_equal(network_mode_parse("pasta:--map-gw,-4", &mode, &options, &err), 0);
	assert_string_equal(options, "--map-gw,-4");
	assert_int_equal(network_mode_parse("container:web", &mode, &options, &err), 0);
	assert_int_equal(mode, NETWORK_JOINED);
	assert_int_equal(network_mode_parse("ns:/run/netns/a", &mode, &options, &err), 0);
	assert_int_equal(mode, NETWORK_JOINED);
}

static void test_mac_addresses_are_six_numbers_of_a_single_one(void **state)
{
	static const char *const bad[] = { "",
					   "x",
					   "02:00:5e:10:00",
					   "02:00:5e:10:00:01:02",
					   "02:00:5e:10:00:0g",
					   "02.00.5e.10.00.01",
					   "2:0:5e:10:0:1",
					   "01:00:5e:10:00:01" };
	const uint8_t expected[MAC_BYTES] = { 0x02, 0x00, 0x5e, 0x1f, 0xAB, 0x01 };
	uint8_t mac[MAC_BYTES];
	struct err err = { 0 };

	assert_int_equal(network_mac_parse("02:00:5e:1f:AB:01", mac, &err), 0);
	assert_memory_equal(mac, expected, MAC_BYTES);
	assert_int_equal(network_mac_parse("02-00-5E-1F-ab-01", mac, &err), 0);
	assert_memory_equal(mac, expected, MAC_BYTES);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(network_mac_parse(bad[i], mac, &err), -EINVAL);
}

static void test_interfaces_have_names_that_the_kernel_takes(void **state)
{
	static const char *const bad[] = { "",	  "lo",	 ".",
					   "..",  "a/b", "a b",
					   "a:1", "a%d", "sixteen-letters0" };
	struct err err = { 0 };

	assert_int_equal(network_interface_check("eth0", &err), 0);
	assert_int_equal(network_interface_check("fifteen-letters", &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(network_interface_check(bad[i], &err), -EINVAL);
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
		cmocka_unit_test(test_pasta_takes_options_and_others_are_joined),
		cmocka_unit_test(test_mac_addresses_are_six_numbers_of_a_single_one),
		cmocka_unit_test(test_interfaces_have_names_that_the_kernel_takes),
		cmocka_unit_test(test_status_comes_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
