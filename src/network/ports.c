#include "network/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/random.h"

#define RANDOM_PORT_TRIES 64

static const char *const protocol_names[] = {
	[PORT_TCP] = "tcp",
	[PORT_UDP] = "udp",
	[PORT_SCTP] = "sctp",
};
_Static_assert(ARRAY_SIZE(protocol_names) == PORT_PROTOCOL_COUNT, "a name for each protocol");

const char *port_protocol_name(enum port_protocol protocol)
{
	return protocol_names[protocol];
}

void ports_clear(struct port_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].host_ip);
	free(list->items);
	*list = PORT_LIST_EMPTY;
}

void ports_add(struct port_list *list, const struct port_mapping *mapping)
{
	list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count] = *mapping;
	list->items[list->count].host_ip = xstrdup(mapping->host_ip);
	list->count++;
}

/* -- reading ------------------------------------------------------------------------------------
 */

static int parse_protocol(const char *name, size_t size, enum port_protocol *ret_protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocol_names); i++) {
		if (strlen(protocol_names[i]) == size &&
		    strncasecmp(protocol_names[i], name, size) == 0) {
			*ret_protocol = (enum port_protocol)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Decimal digits up to `end` and nothing else. */
static int parse_port(const char *text, const char *end, unsigned *ret_port)
{
	unsigned port = 0;

	if (text == end || end - text > 5)
		return -EINVAL;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(*text - '0');
	}
	if (port > 65535)
		return -EINVAL;
	*ret_port = port;
	return 0;
}

/* "A" or "A-B" with A <= B. */
static int parse_range(const char *text, const char *end, unsigned *ret_first, unsigned *ret_count)
{
	const char *dash = memchr(text, '-', (size_t)(end - text));
	unsigned first, last;

	if (parse_port(text, dash ? dash : end, &first) < 0)
		return -EINVAL;
	last = first;
	if (dash && parse_port(dash + 1, end, &last) < 0)
		return -EINVAL;
	if (last < first)
		return -EINVAL;
	*ret_first = first;
	*ret_count = last - first + 1;
	return 0;
}

/* The list behind "/"; without one it is tcp. Bits of 1 << protocol. */
static int parse_protocols(const char *text, const char *whole, unsigned *ret_mask, struct err *err)
{
	unsigned mask = 0;

	if (!text) {
		*ret_mask = 1 << PORT_TCP;
		return 0;
	}
	for (;;) {
		size_t size = strcspn(text, ",");
		enum port_protocol protocol;
		if (parse_protocol(text, size, &protocol) < 0)
			return err_set(
				err, EINVAL,
				"invalid port '%s': unknown protocol '%.*s'; use tcp, udp or sctp",
				whole, (int)size, text);
		mask |= 1U << protocol;
		if (!text[size])
			break;
		text += size + 1;
	}
	*ret_mask = mask;
	return 0;
}

static int parse_container_side(const char *text, const char *end, const char *whole,
				struct port_mapping *mapping, struct err *err)
{
	unsigned first, count;

	if (parse_range(text, end, &first, &count) < 0 || first == 0)
		return err_set(
			err, EINVAL,
			"invalid port '%s': the container port '%.*s' is not a port or range "
			"between 1 and 65535",
			whole, (int)(end - text), text);
	mapping->container_port = (uint16_t)first;
	mapping->count = (uint16_t)count;
	return 0;
}

static void add_for_protocols(struct port_list *list, struct port_mapping mapping, unsigned mask)
{
	for (unsigned i = 0; i < PORT_PROTOCOL_COUNT; i++) {
		if (!(mask & 1U << i))
			continue;
		mapping.protocol = (enum port_protocol)i;
		ports_add(list, &mapping);
	}
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

int ports_parse(const char *text, struct port_list *list, struct err *err)
{
	struct port_mapping mapping = { 0 };
	autofree char *host_ip = NULL;
	unsigned mask;

	const char *slash = strchr(text, '/');
	const char *end = slash ? slash : text + strlen(text);
	if (parse_protocols(slash ? slash + 1 : NULL, text, &mask, err) < 0)
		return -err->code;

	/* The address comes first; brackets keep the colons of IPv6 apart from ours. */
	const char *rest = text;
	bool has_ip = false;
	if (*text == '[') {
		const char *close = memchr(text, ']', (size_t)(end - text));
		if (!close || close + 1 >= end || close[1] != ':')
			return err_set(err, EINVAL,
				       "invalid port '%s': expected '[IPv6]:HOST:CONTAINER'", text);
		host_ip = xstrndup(text + 1, (size_t)(close - text - 1));
		has_ip = true;
		rest = close + 2;
	}
	const char *colon = memchr(rest, ':', (size_t)(end - rest));
	if (!has_ip && colon) {
		const char *second = memchr(colon + 1, ':', (size_t)(end - colon - 1));
		if (second) {
			host_ip = xstrndup(rest, (size_t)(colon - rest));
			has_ip = true;
			rest = colon + 1;
			colon = second;
		}
	}
	if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
		return err_set(
			err, EINVAL,
			"invalid port '%s': too many colons; an IPv6 address needs brackets, "
			"as in [::1]:8080:80",
			text);
	if (has_ip && !*host_ip)
		return err_set(err, EINVAL, "invalid port '%s': the host address is empty", text);
	if (has_ip && !is_address(host_ip))
		return err_set(err, EINVAL, "invalid port '%s': '%s' is not an IP address", text,
			       host_ip);
	if (has_ip && !colon)
		return err_set(err, EINVAL,
			       "invalid port '%s': no container port behind the address; use "
			       "IP::CONTAINER for a random host port",
			       text);
	mapping.host_ip = host_ip;

	const char *container = colon ? colon + 1 : rest;
	if (parse_container_side(container, end, text, &mapping, err) < 0)
		return -err->code;
	if (colon && colon > rest) {
		unsigned first, count;
		if (parse_range(rest, colon, &first, &count) < 0)
			return err_set(err, EINVAL,
				       "invalid port '%s': the host port '%.*s' is not a port or "
				       "range between 0 and 65535",
				       text, (int)(colon - rest), rest);
		if (count != mapping.count)
			return err_set(err, EINVAL,
				       "invalid port '%s': host range of %u and container range of "
				       "%u ports; they must be equally long",
				       text, count, mapping.count);
		if (first == 0 && count > 1)
			return err_set(err, EINVAL,
				       "invalid port '%s': a range cannot start at port 0", text);
		mapping.host_port = (uint16_t)first;
	}

	add_for_protocols(list, mapping, mask);
	return 0;
}

int ports_parse_exposed(const char *text, struct port_list *list, struct err *err)
{
	struct port_mapping mapping = { 0 };
	unsigned mask;
	const char *slash = strchr(text, '/');

	if (parse_protocols(slash ? slash + 1 : NULL, text, &mask, err) < 0)
		return -err->code;
	if (parse_container_side(text, slash ? slash : text + strlen(text), text, &mapping, err) <
	    0)
		return -err->code;
	add_for_protocols(list, mapping, mask);
	return 0;
}

static bool list_covers(const struct port_list *list, unsigned port, enum port_protocol protocol)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct port_mapping *item = &list->items[i];
		if (item->protocol == protocol && port >= item->container_port &&
		    port < (unsigned)item->container_port + item->count)
			return true;
	}
	return false;
}

void ports_publish_all(struct port_list *list, const struct port_list *exposed)
{
	for (size_t i = 0; i < exposed->count; i++) {
		const struct port_mapping *item = &exposed->items[i];
		for (unsigned n = 0; n < item->count; n++) {
			struct port_mapping one = {
				.container_port = (uint16_t)(item->container_port + n),
				.count = 1,
				.protocol = item->protocol,
			};
			if (!list_covers(list, one.container_port, one.protocol))
				ports_add(list, &one);
		}
	}
}

/* -- host ports ---------------------------------------------------------------------------------
 */

static unsigned first_unprivileged_port(void)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored;

	if (file_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", &text, 32,
		      &ignored) < 0)
		return 1024;
	return (unsigned)strtoul(strbuf_text(&text), NULL, 10);
}

/* Returns 0 or the negative errno of socket or bind. A port in TIME_WAIT is free, hence
 * SO_REUSEADDR for TCP; with UDP that option would hide a conflict. A host without IPv6 or SCTP
 * cannot have a conflict there. */
static int try_bind(const char *host_ip, unsigned port, enum port_protocol protocol)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *in4 = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
	socklen_t size = sizeof(*in4);
	int one = 1;

	storage.ss_family = AF_INET;
	in4->sin_port = htons((uint16_t)port);
	if (host_ip && inet_pton(AF_INET, host_ip, &in4->sin_addr) != 1) {
		storage.ss_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		in6->sin6_addr = in6addr_any;
		(void)inet_pton(AF_INET6, host_ip, &in6->sin6_addr);
		size = sizeof(*in6);
	}
	autoclose int fd = socket(storage.ss_family,
				  (protocol == PORT_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
				  protocol == PORT_SCTP ? IPPROTO_SCTP : 0);
	if (fd < 0)
		return errno == EPROTONOSUPPORT ? 0 : -errno;
	if (protocol != PORT_UDP)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (storage.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&storage, size) < 0 ? -errno : 0;
}

static bool is_wildcard(const char *host_ip)
{
	return !host_ip || strcmp(host_ip, "0.0.0.0") == 0 || strcmp(host_ip, "::") == 0;
}

static bool mappings_overlap(const struct port_mapping *a, const struct port_mapping *b)
{
	if (a->protocol != b->protocol || !a->host_port || !b->host_port)
		return false;
	if (a->host_port >= b->host_port + b->count || b->host_port >= a->host_port + a->count)
		return false;
	return is_wildcard(a->host_ip) || is_wildcard(b->host_ip) ||
	       strcmp(a->host_ip, b->host_ip) == 0;
}

static bool mappings_equal(const struct port_mapping *a, const struct port_mapping *b)
{
	return a->protocol == b->protocol && a->host_port == b->host_port &&
	       a->container_port == b->container_port && a->count == b->count &&
	       ((!a->host_ip && !b->host_ip) ||
		(a->host_ip && b->host_ip && strcmp(a->host_ip, b->host_ip) == 0));
}

static const struct port_mapping *find_overlap(const struct port_list *list, size_t index)
{
	for (size_t i = 0; i < list->count; i++)
		if (i != index && mappings_overlap(&list->items[i], &list->items[index]))
			return &list->items[i];
	return NULL;
}

/* The same -p twice is one wish. */
static void drop_duplicates(struct port_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		bool seen = false;
		for (size_t j = 0; j < kept && !seen; j++)
			seen = list->items[i].host_port &&
			       mappings_equal(&list->items[j], &list->items[i]);
		if (seen)
			free(list->items[i].host_ip);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static int check_free(const struct port_mapping *item, struct err *err)
{
	const char *shown = item->host_ip ? item->host_ip : "0.0.0.0";
	const char *protocol = protocol_names[item->protocol];

	for (unsigned n = 0; n < item->count; n++) {
		unsigned port = item->host_port + n;
		int error = try_bind(item->host_ip, port, item->protocol);
		if (error == -EACCES) {
			unsigned first = first_unprivileged_port();
			return err_set(
				err, EACCES,
				"port %u/%s: an ordinary user may bind ports from %u on only; "
				"choose such a port, or let root run 'sysctl -w "
				"net.ipv4.ip_unprivileged_port_start=%u'",
				port, protocol, first, port);
		}
		if (error == -EADDRINUSE)
			return err_set(err, EADDRINUSE,
				       "port %s:%u/%s is already in use; choose another host port "
				       "or leave it out for a random one",
				       shown, port, protocol);
		if (error == -EADDRNOTAVAIL)
			return err_set(err, EADDRNOTAVAIL,
				       "port %s:%u/%s: this host has no address %s", shown, port,
				       protocol, shown);
		if (error < 0)
			return err_set(err, -error, "port %s:%u/%s: %s", shown, port, protocol,
				       strerror(-error));
	}
	return 0;
}

/* The kernel's own choice of a free port is best for single ports, but it cannot give several in a
 * row, and two processes asking at once get different answers only while the sockets are open. So:
 * random places in the dynamic range until all of them are free. */
static int choose_port(struct port_list *list, size_t index, struct err *err)
{
	struct port_mapping *item = &list->items[index];
	const unsigned low = 32768, high = 60999;

	if (item->count > high - low)
		return err_set(err, EINVAL, "no %u free ports in a row; name the host ports",
			       item->count);
	for (int try = 0; try < RANDOM_PORT_TRIES; try++) {
		struct err ignored;
		item->host_port = (uint16_t)(low + random_below(high - low - item->count + 1));
		if (!find_overlap(list, index) && check_free(item, &ignored) == 0)
			return 0;
	}
	item->host_port = 0;
	return err_set(err, EADDRINUSE,
		       "no free host port found for container port %u/%s; name the host port",
		       item->container_port, protocol_names[item->protocol]);
}

int ports_assign(struct port_list *list, struct err *err)
{
	drop_duplicates(list);
	for (size_t i = 0; i < list->count; i++) {
		struct port_mapping *item = &list->items[i];
		if (!item->host_port)
			continue;
		if (find_overlap(list, i))
			return err_set(err, EINVAL,
				       "host port %u/%s is asked for twice; each can be published "
				       "once only",
				       item->host_port, protocol_names[item->protocol]);
		if (check_free(item, err) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < list->count; i++)
		if (!list->items[i].host_port && choose_port(list, i, err) < 0)
			return -err->code;
	return 0;
}

/* -- showing ------------------------------------------------------------------------------------
 */

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_mappings(const void *left, const void *right)
{
	const struct port_mapping *a = left, *b = right;
	int order = compare_text(a->host_ip, b->host_ip);

	if (!order)
		order = (int)a->protocol - (int)b->protocol;
	if (!order)
		order = (int)a->container_port - (int)b->container_port;
	return order ? order : (int)a->host_port - (int)b->host_port;
}

static void add_host(struct strbuf *buf, const char *host_ip)
{
	const char *ip = host_ip ? host_ip : "0.0.0.0";

	strbuf_addf(buf, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
}

static void add_range(struct strbuf *buf, unsigned first, unsigned count)
{
	if (count > 1)
		strbuf_addf(buf, "%u-%u", first, first + count - 1);
	else
		strbuf_addf(buf, "%u", first);
}

void ports_format(const struct port_list *list, struct strbuf *buf)
{
	if (!list->count)
		return;
	autofree struct port_mapping *sorted =
		xmemdup(list->items, list->count * sizeof(*list->items));
	qsort(sorted, list->count, sizeof(*sorted), compare_mappings);

	for (size_t i = 0, next; i < list->count; i = next) {
		const struct port_mapping *item = &sorted[i];
		unsigned count = item->count;
		for (next = i + 1; next < list->count; next++) {
			const struct port_mapping *other = &sorted[next];
			if (compare_text(item->host_ip, other->host_ip) != 0 ||
			    item->protocol != other->protocol ||
			    other->container_port != item->container_port + count ||
			    (item->host_port ? other->host_port != item->host_port + count
					     : other->host_port != 0))
				break;
			count += other->count;
		}
		if (i)
			strbuf_adds(buf, ", ");
		if (item->host_port) {
			add_host(buf, item->host_ip);
			add_range(buf, item->host_port, count);
			strbuf_adds(buf, "->");
		}
		add_range(buf, item->container_port, count);
		strbuf_addf(buf, "/%s", protocol_names[item->protocol]);
	}
}

void ports_format_lines(const struct port_list *list, struct strbuf *buf)
{
	if (!list->count)
		return;
	autofree struct port_mapping *sorted =
		xmemdup(list->items, list->count * sizeof(*list->items));
	qsort(sorted, list->count, sizeof(*sorted), compare_mappings);

	for (size_t i = 0; i < list->count; i++) {
		for (unsigned n = 0; n < sorted[i].count; n++) {
			strbuf_addf(buf, "%u/%s -> ", sorted[i].container_port + n,
				    protocol_names[sorted[i].protocol]);
			add_host(buf, sorted[i].host_ip);
			strbuf_addf(buf, "%u\n", sorted[i].host_port + n);
		}
	}
}

/* -- JSON ---------------------------------------------------------------------------------------
 */

struct json_object *ports_to_json(const struct port_list *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct port_mapping *item = &list->items[i];
		struct json_object *object = json_object_new_object();
		json_add_string(object, "host_ip", item->host_ip ? item->host_ip : "");
		json_add_int(object, "container_port", item->container_port);
		json_add_int(object, "host_port", item->host_port);
		json_add_int(object, "range", item->count);
		json_add_string(object, "protocol", protocol_names[item->protocol]);
		json_object_array_add(array, object);
	}
	return array;
}

int ports_from_json(struct json_object *array, struct port_list *list, struct err *err)
{
	size_t count =
		json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_array_get_idx(array, i);
		const char *host_ip = json_get_string(object, "host_ip", "");
		const char *protocol = json_get_string(object, "protocol", "tcp");
		int64_t host_port = json_get_int(object, "host_port", 0);
		int64_t container_port = json_get_int(object, "container_port", 0);
		int64_t range = json_get_int(object, "range", 1);
		struct port_mapping mapping = { .host_ip = *host_ip ? (char *)host_ip : NULL };

		if (range == 0)
			range = 1;
		if (host_port < 0 || container_port < 1 || range < 1 || host_port + range > 65536 ||
		    container_port + range > 65536 || (*host_ip && !is_address(host_ip)) ||
		    parse_protocol(protocol, strlen(protocol), &mapping.protocol) < 0)
			return err_set(err, EINVAL, "invalid port mapping %s",
				       json_object_to_json_string(object));
		mapping.host_port = (uint16_t)host_port;
		mapping.container_port = (uint16_t)container_port;
		mapping.count = (uint16_t)range;
		ports_add(list, &mapping);
	}
	return 0;
}

struct json_object *ports_to_inspect_json(const struct port_list *list,
					  const struct port_list *exposed)
{
	struct json_object *object = json_object_new_object();
	char key[32];

	for (size_t i = 0; exposed && i < exposed->count; i++) {
		const struct port_mapping *item = &exposed->items[i];
		for (unsigned n = 0; n < item->count; n++) {
			snprintf(key, sizeof(key), "%u/%s", item->container_port + n,
				 protocol_names[item->protocol]);
			json_object_object_add(object, key, NULL);
		}
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct port_mapping *item = &list->items[i];
		for (unsigned n = 0; n < item->count; n++) {
			struct json_object *hosts, *entry = json_object_new_object();
			char port[8];
			snprintf(key, sizeof(key), "%u/%s", item->container_port + n,
				 protocol_names[item->protocol]);
			snprintf(port, sizeof(port), "%u", item->host_port + n);
			json_add_string(entry, "HostIp", item->host_ip ? item->host_ip : "");
			json_add_string(entry, "HostPort", port);
			hosts = json_get(object, key);
			if (!hosts) {
				hosts = json_object_new_array();
				json_object_object_add(object, key, hosts);
			}
			json_object_array_add(hosts, entry);
		}
	}
	return object;
}
