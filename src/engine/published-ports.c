#include "engine/published-ports.h"

#include <string.h>

#include "base/mem.h"
#include "network/ports.h"

void published_ports_store(const struct port_list *ports, struct strlist *lines)
{
	for (size_t i = 0; i < ports->count; i++) {
		const struct port_mapping *port = &ports->items[i];
		bool is_v6 = port->host_ip && strchr(port->host_ip, ':');
		autofree char *address = port->host_ip ? xasprintf("%s%s%s:", is_v6 ? "[" : "",
								   port->host_ip, is_v6 ? "]" : "")
						       : xstrdup("");
		int last = port->count - 1;

		if (last == 0)
			strlist_addf(lines, "%s%d:%d/%s", address, port->host_port,
				     port->container_port, port_protocol_name(port->protocol));
		else
			strlist_addf(lines, "%s%d-%d:%d-%d/%s", address, port->host_port,
				     port->host_port + last, port->container_port,
				     port->container_port + last,
				     port_protocol_name(port->protocol));
	}
}

int published_ports_load(const struct strlist *lines, struct port_list *ports, struct err *err)
{
	for (size_t i = 0; i < lines->count; i++) {
		int r = ports_parse(lines->items[i], ports, err);
		if (r < 0)
			return r;
	}
	return 0;
}
