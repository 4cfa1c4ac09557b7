#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "network/files.h"

static void check_hosts(const struct hosts_request *request, const char *expected)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	if (hosts_build(request, &text, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_text(&text), expected);
}

static void test_hosts_has_base_then_host_then_container(void **state)
{
	check_hosts(&(struct hosts_request){ .base_text =
						     "# the machine\n"
						     "127.0.0.1 localhost\n"
						     "::1\tlocalhost ip6-localhost # loopback\n"
						     "nonsense line\n"
						     "10.0.0.7   db   db.example",
					     .host_address = "10.88.0.1",
					     .own_address = "10.88.0.5",
					     .hostname = "abcdef012345",
					     .container_name = "web" },
		    "127.0.0.1\tlocalhost\n"
		    "::1\tlocalhost ip6-localhost\n"
		    "10.0.0.7\tdb db.example\n"
		    "10.88.0.1\thost.containers.internal host.docker.internal\n"
		    "10.88.0.5\tabcdef012345 web\n");
}

static void test_added_hosts_hide_others(void **state)
{
	autostrlist struct strlist extra = STRLIST_EMPTY;

	strlist_add(&extra, "db:10.9.9.9");
	strlist_add(&extra, "gate;door:host-gateway");
	strlist_add(&extra, "six:fd00::7");
	strlist_add(&extra, "web:1.2.3.4");
	check_hosts(
		&(struct hosts_request){ .base_text = "127.0.0.1 localhost\n10.0.0.7 db other\n",
					 .extra = &extra,
					 .host_address = "10.88.0.1",
					 .own_address = "10.88.0.5",
					 .hostname = "web",
					 .container_name = "web" },
		"10.9.9.9\tdb\n"
		"10.88.0.1\tgate door\n"
		"fd00::7\tsix\n"
		"1.2.3.4\tweb\n"
		"127.0.0.1\tlocalhost\n"
		"10.0.0.7\tother\n"
		"10.88.0.1\thost.containers.internal host.docker.internal\n");
}

static void test_hosts_of_the_host_network_is_the_base(void **state)
{
	check_hosts(&(struct hosts_request){ .base_text = "127.0.0.1 localhost", .hostname = "h" },
		    "127.0.0.1\tlocalhost\n");
	check_hosts(&(struct hosts_request){ 0 }, "");
}

static void test_wrong_added_hosts_are_named(void **state)
{
	static const char *const wrong[] = { "",	  "db",		  "db:",
					     ":1.2.3.4",  "db:x",	  "a b:1.2.3.4",
					     ";:1.2.3.4", "a;;b:1.2.3.4", "a\nb:1.2.3.4" };
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (hosts_check_extra(wrong[i], &err) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
	assert_int_equal(hosts_check_extra("a:::1", &err), 0);
}

static void test_host_names_are_checked(void **state)
{
	static const char *const right[] = { "a", "web-1.example.com", "under_score", "9", "" };
	static const char *const wrong[] = {
		"a b", "-a", "a-", "a.-b", ".a", "a..b", "a\nb", "a#"
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		assert_int_equal(hosts_check_name("name", right[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (hosts_check_name("name", wrong[i], &err) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
}

static void test_host_gateway_needs_a_host(void **state)
{
	autostrlist struct strlist extra = STRLIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	strlist_add(&extra, "x:host-gateway");
	assert_int_equal(hosts_build(&(struct hosts_request){ .extra = &extra }, &text, &err),
			 -EINVAL);
}

static void check_resolv(const struct resolv_request *request, const char *expected)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	if (resolv_build(request, &text, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_text(&text), expected);
}

static const char host_resolv[] = "# made by a machine\n"
				  "domain old.example\n"
				  "search example.org  lan ; both\n"
				  "nameserver 127.0.0.53\n"
				  "nameserver 10.0.0.1\n"
				  "nameserver fd00::1\n"
				  "options ndots:2 edns0\n";

static void test_loopback_servers_are_left_out(void **state)
{
	check_resolv(&(struct resolv_request){ .host_text = host_resolv },
		     "search example.org lan\nnameserver 10.0.0.1\noptions ndots:2 edns0\n");
	check_resolv(&(struct resolv_request){ .host_text = host_resolv, .has_ipv6 = true },
		     "search example.org lan\nnameserver 10.0.0.1\nnameserver fd00::1\n"
		     "options ndots:2 edns0\n");
}

static void test_the_host_network_keeps_all_servers(void **state)
{
	check_resolv(&(struct resolv_request){ .host_text = host_resolv, .keep_loopback = true },
		     "search example.org lan\nnameserver 127.0.0.53\nnameserver 10.0.0.1\n"
		     "nameserver fd00::1\noptions ndots:2 edns0\n");
	check_resolv(&(struct resolv_request){ .keep_loopback = true }, "");
}

static void test_a_forwarder_comes_first(void **state)
{
	check_resolv(&(struct resolv_request){ .host_text = "nameserver 127.0.0.1\n",
					       .forwarder = "169.254.1.1" },
		     "nameserver 169.254.1.1\n");
	check_resolv(&(struct resolv_request){ .host_text = "nameserver 10.0.0.1\n",
					       .forwarder = "169.254.1.1" },
		     "nameserver 169.254.1.1\nnameserver 10.0.0.1\n");
}

static void test_without_servers_public_ones_are_named(void **state)
{
	check_resolv(&(struct resolv_request){ .host_text = "nameserver ::1\n" },
		     "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	check_resolv(&(struct resolv_request){ 0 }, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
}

static void test_options_replace_what_the_host_says(void **state)
{
	autostrlist struct strlist servers = STRLIST_EMPTY, searches = STRLIST_EMPTY,
				   options = STRLIST_EMPTY;

	strlist_add(&servers, "127.0.0.1"); /* asked for by name: taken */
	strlist_add(&searches, "a.example");
	strlist_add(&options, "timeout:1");
	check_resolv(&(struct resolv_request){ .host_text = host_resolv,
					       .servers = &servers,
					       .forwarder = "169.254.1.1",
					       .searches = &searches,
					       .options = &options },
		     "search a.example\nnameserver 127.0.0.1\noptions timeout:1\n");
	strlist_clear(&searches);
	strlist_add(&searches, ".");
	check_resolv(&(struct resolv_request){ .host_text = host_resolv, .searches = &searches },
		     "nameserver 10.0.0.1\noptions ndots:2 edns0\n");
}

static void test_wrong_servers_are_named(void **state)
{
	autostrlist struct strlist servers = STRLIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	strlist_add(&servers, "dns.example");
	assert_int_equal(resolv_build(&(struct resolv_request){ .servers = &servers }, &text, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "dns.example"));
}

static void test_a_stub_is_recognised(void **state)
{
	assert_true(resolv_is_stub("nameserver 127.0.0.53\noptions edns0\n"));
	assert_true(resolv_is_stub("nameserver ::1\nnameserver 127.0.0.1"));
	assert_false(resolv_is_stub("nameserver 127.0.0.53\nnameserver 10.0.0.1\n"));
	assert_false(resolv_is_stub(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_has_base_then_host_then_container),
		cmocka_unit_test(test_added_hosts_hide_others),
		cmocka_unit_test(test_hosts_of_the_host_network_is_the_base),
		cmocka_unit_test(test_wrong_added_hosts_are_named),
		cmocka_unit_test(test_host_names_are_checked),
		cmocka_unit_test(test_host_gateway_needs_a_host),
		cmocka_unit_test(test_loopback_servers_are_left_out),
		cmocka_unit_test(test_the_host_network_keeps_all_servers),
		cmocka_unit_test(test_a_forwarder_comes_first),
		cmocka_unit_test(test_without_servers_public_ones_are_named),
		cmocka_unit_test(test_options_replace_what_the_host_says),
		cmocka_unit_test(test_wrong_servers_are_named),
		cmocka_unit_test(test_a_stub_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
