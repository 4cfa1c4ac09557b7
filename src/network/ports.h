/* Published ports: what `-p`, `-P` and `--expose` say, which host ports that means, and how it is
 * shown.
 *
 * A mapping covers `count` ports in a row on both sides. Reading is pure; only ports_assign() asks
 * the host, by bind(2), which ports are free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/strlist.h"

struct err;
struct json_object;

enum port_protocol { PORT_TCP, PORT_UDP, PORT_SCTP, PORT_PROTOCOL_COUNT };

struct port_mapping {
	char *host_ip;	    /* numeric, without brackets; NULL: every address */
	uint16_t host_port; /* first one; 0: not chosen yet, ports_assign() picks */
	uint16_t container_port;
	uint16_t count; /* >= 1 */
	enum port_protocol protocol;
};

struct port_list {
	struct port_mapping *items; /* owned */
	size_t count;
};

#define PORT_LIST_EMPTY ((struct port_list){ 0 })
#define autoports	__attribute__((cleanup(ports_clear)))

void ports_clear(struct port_list *list);
void ports_add(struct port_list *list, const struct port_mapping *mapping); /* copies */
const char *port_protocol_name(enum port_protocol protocol);

/* One `-p` argument: [[IP:][HOST[-HOST]]:]CONTAINER[-CONTAINER][/PROTO[,PROTO]]; IPv6 addresses in
 * brackets. Appends one mapping a protocol. */
int ports_parse(const char *text, struct port_list *list, struct err *err);

/* One `--expose` or EXPOSE word, "PORT[-PORT][/PROTO]", as a mapping whose host port is 0. */
int ports_parse_exposed(const char *text, struct port_list *list, struct err *err);

/* `-P`: append a mapping with a random host port for each exposed port that no mapping covers. */
void ports_publish_all(struct port_list *list, const struct port_list *exposed);

/* Check the mappings against each other, choose host ports where none was given, and make sure
 * that this user may bind each and that nothing else has. EADDRINUSE, EACCES (privileged port) and
 * EADDRNOTAVAIL (no such address here) may be branched on. The ports are free at this moment, not
 * reserved. */
int ports_assign(struct port_list *list, struct err *err);

/* "0.0.0.0:1080->80/tcp, 0.0.0.0:2000-2002->90-92/udp": the PORTS column. Neighbours are merged. */
void ports_format(const struct port_list *list, struct strbuf *buf);

/* Lines of `port`: "80/tcp -> 0.0.0.0:1080", one for each port. */
void ports_format_lines(const struct port_list *list, struct strbuf *buf);

/* podman's PortMappings: [{"host_ip":"","container_port":80,"host_port":1080,"range":1,
 * "protocol":"tcp"}]. */
struct json_object *ports_to_json(const struct port_list *list);
int ports_from_json(struct json_object *array, struct port_list *list, struct err *err);

/* podman's and docker's NetworkSettings.Ports: {"80/tcp":[{"HostIp":"","HostPort":"1080"}]}, with
 * null for what is only exposed. `exposed` may be NULL. */
struct json_object *ports_to_inspect_json(const struct port_list *list,
					  const struct port_list *exposed);
