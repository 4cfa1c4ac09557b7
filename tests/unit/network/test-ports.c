#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "network/ports.h"

static void parse_all(struct port_list *list, const char *const *specs)
{
	struct err err = { 0 };

	for (; *specs; specs++)
		if (ports_parse(*specs, list, &err) < 0)
			fail_msg("%s", err.text);
}

/* What `-p SPEC` becomes, in the form of our own JSON. */
static void check_parse(const char *spec, const char *host_ip, unsigned host, unsigned container,
			unsigned count, enum port_protocol protocol)
{
	autoports struct port_list list = PORT_LIST_EMPTY;

	parse_all(&list, (const char *const[]){ spec, NULL });
	assert_int_equal(list.count, 1);
	if (host_ip)
		assert_string_equal(list.items[0].host_ip, host_ip);
	else
		assert_null(list.items[0].host_ip);
	assert_int_equal(list.items[0].host_port, host);
	assert_int_equal(list.items[0].container_port, container);
	assert_int_equal(list.items[0].count, count);
	assert_int_equal(list.items[0].protocol, protocol);
}

static void test_every_form_is_read(void **state)
{
	check_parse("80", NULL, 0, 80, 1, PORT_TCP);
	check_parse(":80", NULL, 0, 80, 1, PORT_TCP);
	check_parse("0:80", NULL, 0, 80, 1, PORT_TCP);
	check_parse("8080:80", NULL, 8080, 80, 1, PORT_TCP);
	check_parse("8080:80/udp", NULL, 8080, 80, 1, PORT_UDP);
	check_parse("8080:80/TCP", NULL, 8080, 80, 1, PORT_TCP);
	check_parse("8080:80/sctp", NULL, 8080, 80, 1, PORT_SCTP);
	check_parse("127.0.0.1:8080:80", "127.0.0.1", 8080, 80, 1, PORT_TCP);
	check_parse("127.0.0.1::80", "127.0.0.1", 0, 80, 1, PORT_TCP);
	check_parse("[::1]:8080:80", "::1", 8080, 80, 1, PORT_TCP);
	check_parse("[fe80::2]::80/udp", "fe80::2", 0, 80, 1, PORT_UDP);
	check_parse("1000-1010:2000-2010", NULL, 1000, 2000, 11, PORT_TCP);
	check_parse("5000-5002", NULL, 0, 5000, 3, PORT_TCP);
	check_parse("1-65535:1-65535", NULL, 1, 1, 65535, PORT_TCP);
}

static void test_several_protocols_are_several_mappings(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;

	parse_all(&list, (const char *const[]){ "53:53/tcp,udp", NULL });
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].protocol, PORT_TCP);
	assert_int_equal(list.items[1].protocol, PORT_UDP);
}

static void test_nonsense_is_refused_by_name(void **state)
{
	static const char *const wrong[] = {
		"",
		":",
		"::",
		"80:",
		"0",
		"65536",
		"-1",
		"a",
		"80/",
		"80/icmp",
		"80/tcp,",
		"8080:80:90",
		"1.2.3:80:80",
		"localhost:80:80",
		"::1:80:80",
		"[::1]80:80",
		"[::1:80:80",
		"[]:80:80",
		"[::1]:80",
		":80:80",
		"1.2.3.4:5:6:7",
		"10-5:10-5",
		"1-3:1-2",
		"8080-8081:80",
		"0-1:80-81",
		"80-:90-",
		"99999999999:80",
		" 80:80",
		"80:80 ",
		"0x50:80",
		"+80:80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		autoports struct port_list list = PORT_LIST_EMPTY;
		struct err err = { 0 };
		if (ports_parse(wrong[i], &list, &err) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
		assert_int_equal(list.count, 0);
		assert_non_null(strstr(err.text, "invalid port '"));
	}
}

static void test_display_merges_neighbours(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	parse_all(&list,
		  (const char *const[]){ "1081:81", "1080:80", "127.0.0.1:90:9000", "1082:82",
					 "2000-2001:300-301/udp", "[::1]:7:7", "1084:84", NULL });
	ports_format(&list, &text);
	assert_string_equal(
		strbuf_text(&text),
		"0.0.0.0:1080-1082->80-82/tcp, 0.0.0.0:1084->84/tcp, "
		"0.0.0.0:2000-2001->300-301/udp, 127.0.0.1:90->9000/tcp, [::1]:7->7/tcp");
	strbuf_reset(&text);
	ports_format_lines(&list, &text);
	assert_non_null(strstr(strbuf_text(&text), "80/tcp -> 0.0.0.0:1080\n"));
	assert_non_null(strstr(strbuf_text(&text), "301/udp -> 0.0.0.0:2001\n"));
	assert_non_null(strstr(strbuf_text(&text), "7/tcp -> [::1]:7\n"));
}

static void test_exposed_ports_show_without_host(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err = { 0 };

	assert_int_equal(ports_parse_exposed("80", &list, &err), 0);
	assert_int_equal(ports_parse_exposed("81-82/tcp", &list, &err), 0);
	assert_int_equal(ports_parse_exposed("53/udp", &list, &err), 0);
	assert_int_equal(ports_parse_exposed("8080:80", &list, &err), -EINVAL);
	ports_format(&list, &text);
	assert_string_equal(strbuf_text(&text), "80-82/tcp, 53/udp");
}

static void test_publish_all_skips_what_is_published(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY, exposed = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list, (const char *const[]){ "8080:80", NULL });
	assert_int_equal(ports_parse_exposed("80-81", &exposed, &err), 0);
	assert_int_equal(ports_parse_exposed("80/udp", &exposed, &err), 0);
	ports_publish_all(&list, &exposed);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.items[1].container_port, 81);
	assert_int_equal(list.items[1].host_port, 0);
	assert_int_equal(list.items[2].protocol, PORT_UDP);
}

static void test_json_comes_back_the_same(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY, back = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list,
		  (const char *const[]){ "127.0.0.1:1000-1002:80-82/udp", "[::1]:7:7", NULL });
	autojson struct json_object *json = ports_to_json(&list);
	assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			    "[{\"host_ip\":\"127.0.0.1\",\"container_port\":80,\"host_port\":1000,"
			    "\"range\":3,\"protocol\":\"udp\"},"
			    "{\"host_ip\":\"::1\",\"container_port\":7,\"host_port\":7,"
			    "\"range\":1,\"protocol\":\"tcp\"}]");
	assert_int_equal(ports_from_json(json, &back, &err), 0);
	autojson struct json_object *again = ports_to_json(&back);
	assert_true(json_object_equal(json, again));
}

static void test_inspect_json_is_by_container_port(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY, exposed = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list, (const char *const[]){ "1080:80", "127.0.0.1:1081:80", NULL });
	assert_int_equal(ports_parse_exposed("90", &exposed, &err), 0);
	autojson struct json_object *json = ports_to_inspect_json(&list, &exposed);
	assert_string_equal(
		json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
		"{\"90\\/tcp\":null,\"80\\/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"1080\"},"
		"{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"1081\"}]}");
}

static void test_foreign_json_is_bounded(void **state)
{
	static const char *const wrong[] = {
		"[{\"container_port\":0}]",
		"[{\"container_port\":65536}]",
		"[{\"container_port\":80,\"host_port\":65535,\"range\":2}]",
		"[{\"container_port\":80,\"range\":-1}]",
		"[{\"container_port\":80,\"protocol\":\"x\"}]",
		"[{\"container_port\":80,\"host_ip\":\"x\"}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		autoports struct port_list list = PORT_LIST_EMPTY;
		autojson struct json_object *json = NULL;
		struct err err = { 0 };
		assert_int_equal(json_parse(wrong[i], strlen(wrong[i]), &json, &err), 0);
		assert_int_equal(ports_from_json(json, &list, &err), -EINVAL);
	}
}

/* A TCP listener on a port of the kernel's choice. */
static int listen_somewhere(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void test_a_port_in_use_is_found(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;
	struct err err = { 0 };
	char spec[32];
	unsigned port;
	autoclose int fd = listen_somewhere(&port);

	snprintf(spec, sizeof(spec), "%u:80", port);
	parse_all(&list, (const char *const[]){ spec, NULL });
	assert_int_equal(ports_assign(&list, &err), -EADDRINUSE);
	snprintf(spec, sizeof(spec), ":%u/tcp", port);
	assert_non_null(strstr(err.text, spec));
}

static void test_random_ports_are_chosen_in_a_row(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list, (const char *const[]){ "80-82", "80/udp", NULL });
	if (ports_assign(&list, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(list.items[0].host_port >= 1024);
	assert_int_equal(list.items[0].count, 3);
	assert_true(list.items[1].host_port >= 1024);
}

static void test_one_host_port_cannot_go_two_ways(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY, twice = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list, (const char *const[]){ "28080-28090:80-90", "28085:443", NULL });
	assert_int_equal(ports_assign(&list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "28080") ?: strstr(err.text, "28085"));
	/* The very same twice is one wish. */
	parse_all(&twice, (const char *const[]){ "28080:80", "28080:80", NULL });
	if (ports_assign(&twice, &err) < 0 && err.code != EADDRINUSE)
		fail_msg("%s", err.text);
	assert_int_equal(twice.count, 1);
}

static void test_another_hosts_address_is_refused(void **state)
{
	autoports struct port_list list = PORT_LIST_EMPTY;
	struct err err = { 0 };

	parse_all(&list, (const char *const[]){ "203.0.113.77:28080:80", NULL });
	assert_int_equal(ports_assign(&list, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "203.0.113.77"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_is_read),
		cmocka_unit_test(test_several_protocols_are_several_mappings),
		cmocka_unit_test(test_nonsense_is_refused_by_name),
		cmocka_unit_test(test_display_merges_neighbours),
		cmocka_unit_test(test_exposed_ports_show_without_host),
		cmocka_unit_test(test_publish_all_skips_what_is_published),
		cmocka_unit_test(test_json_comes_back_the_same),
		cmocka_unit_test(test_inspect_json_is_by_container_port),
		cmocka_unit_test(test_foreign_json_is_bounded),
		cmocka_unit_test(test_a_port_in_use_is_found),
		cmocka_unit_test(test_random_ports_are_chosen_in_a_row),
		cmocka_unit_test(test_one_host_port_cannot_go_two_ways),
		cmocka_unit_test(test_another_hosts_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
