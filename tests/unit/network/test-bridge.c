#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "network/bridge.h"

static struct in_addr address(const char *text)
{
	struct in_addr value;

	assert_int_equal(inet_pton(AF_INET, text, &value), 1);
	return value;
}

static void check_choice(const char *subnet, const char *after, const char *expected,
			 const struct in_addr *taken, size_t taken_count)
{
	struct ip_prefix prefix;
	struct in_addr gateway, chosen;
	char text[INET_ADDRSTRLEN];
	struct err err = { 0 };

	assert_int_equal(ip_prefix_parse(subnet, &prefix), 0);
	gateway.s_addr = prefix.v4.s_addr | htonl(1);
	int result = bridge_choose_address(&prefix, gateway, taken, taken_count, address(after),
					   &chosen, &err);
	if (!expected) {
		assert_int_equal(result, -ENOSPC);
		return;
	}
	if (result < 0)
		fail_msg("%s", err.text);
	assert_string_equal(inet_ntop(AF_INET, &chosen, text, sizeof(text)), expected);
}

static void test_first_address_is_behind_the_gateway(void **state)
{
	check_choice("10.88.0.0/16", "0.0.0.0", "10.88.0.2", NULL, 0);
}

static void test_addresses_go_round(void **state)
{
	const struct in_addr taken[] = { address("10.88.0.4"), address("10.88.0.2") };

	check_choice("10.88.0.0/16", "10.88.0.3", "10.88.0.5", taken, 2);
	check_choice("10.88.0.0/16", "10.88.255.254", "10.88.0.3", taken, 2);
	check_choice("10.88.0.0/16", "10.88.255.253", "10.88.255.254", taken, 2);
	check_choice("10.88.0.0/16", "192.168.0.1", "10.88.0.3", taken, 2);
}

static void test_a_full_network_says_so(void **state)
{
	/* /29: .1 is the gateway, .2 to .6 are five containers. */
	const struct in_addr taken[] = { address("10.0.0.2"), address("10.0.0.3"),
					 address("10.0.0.4"), address("10.0.0.5"),
					 address("10.0.0.6") };

	check_choice("10.0.0.0/29", "10.0.0.3", "10.0.0.6", taken, 4);
	check_choice("10.0.0.0/29", "0.0.0.0", NULL, taken, 5);
	check_choice("10.0.0.0/31", "0.0.0.0", NULL, NULL, 0);
}

static void test_prefixes_are_read(void **state)
{
	static const char *const wrong[] = {
		"",	      "10.0.0.0/",   "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1",
		"fd00::/129", "10.0.0.0/8x", "x/8"
	};
	struct ip_prefix prefix;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (ip_prefix_parse(wrong[i], &prefix) == 0)
			fail_msg("'%s' was taken", wrong[i]);
	assert_int_equal(ip_prefix_parse("fd00::/64", &prefix), 0);
	assert_int_equal(prefix.family, AF_INET6);
	assert_int_equal(prefix.prefix, 64);
	assert_int_equal(ip_prefix_parse("10.1.2.3", &prefix), 0);
	assert_int_equal(prefix.prefix, 32);
}

static void check_overlap(const char *left, const char *right, bool expected)
{
	struct ip_prefix a, b;

	assert_int_equal(ip_prefix_parse(left, &a), 0);
	assert_int_equal(ip_prefix_parse(right, &b), 0);
	assert_int_equal(ip_prefix_overlaps(&a, &b), expected);
	assert_int_equal(ip_prefix_overlaps(&b, &a), expected);
}

static void test_overlap_is_of_the_shorter_prefix(void **state)
{
	check_overlap("10.88.0.0/16", "10.88.7.1/24", true);
	check_overlap("10.88.0.0/16", "10.89.0.0/16", false);
	check_overlap("10.88.0.0/15", "10.89.0.0/16", true);
	check_overlap("10.88.0.0/13", "10.95.1.0/24", true);
	check_overlap("10.88.0.0/13", "10.96.0.0/24", false);
	check_overlap("0.0.0.0/0", "10.96.0.0/24", true);
	check_overlap("fd00::/16", "10.96.0.0/24", false);
}

static void test_mac_addresses_are_local_and_by_address(void **state)
{
	uint8_t mac[MAC_BYTES];
	const uint8_t expected[MAC_BYTES] = { 0x0a, 0xda, 10, 88, 0, 2 };

	bridge_mac_for_address(address("10.88.0.2"), mac);
	assert_memory_equal(mac, expected, MAC_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_address_is_behind_the_gateway),
		cmocka_unit_test(test_addresses_go_round),
		cmocka_unit_test(test_a_full_network_says_so),
		cmocka_unit_test(test_prefixes_are_read),
		cmocka_unit_test(test_overlap_is_of_the_shorter_prefix),
		cmocka_unit_test(test_mac_addresses_are_local_and_by_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
