/* Bridge networks: one bridge on the host, a veth pair for each container. For root.
 *
 * The kernel is the only place that knows about the bridge: its address is the network's subnet.
 * Addresses of containers are given out by the caller's database; this module only says which one
 * is next. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/netlink.h"

struct err;

struct bridge_network {
	char name[64];	       /* of the network, for the user */
	char bridge[IFNAMSIZ]; /* of the interface */
	unsigned link_index;
	struct ip_prefix subnet; /* the network's address, e.g. 10.88.0.0/16 */
	struct in_addr gateway;	 /* the bridge's own address */
};

/* The default network, made on first use: bridge, address, forwarding, firewall rules.
 *
 * @wanted_subnet:  "10.88.0.0/16" of containers.conf, or NULL; used only to make the bridge, and
 *                  only when nothing on this host uses it
 * @lock_path:      a file to lock while making it */
int bridge_open_default(const char *wanted_subnet, const char *lock_path,
			struct bridge_network *ret_network, struct err *err);
/* Takes the default network away, bridge and rules, unless containers, of whatever root, are
 * connected to it. It is made again when it is needed. */
int bridge_remove_default(struct err *err);

/* The first address of the subnet above *after (0: the first at all) that is not in `taken`; goes
 * round at the end. -ENOSPC. Pure. */
int bridge_choose_address(const struct ip_prefix *subnet, struct in_addr gateway,
			  const struct in_addr *taken, size_t taken_count, struct in_addr after,
			  struct in_addr *ret_address, struct err *err);

/* The MAC address that belongs to an address of ours. */
void bridge_mac_for_address(struct in_addr address, uint8_t mac[MAC_BYTES]);

/* The container's end. */
struct bridge_port {
	struct in_addr address;
	uint8_t mac[MAC_BYTES];
	bool has_own_mac; /* not the one of bridge_mac_for_address() */
	const char *interface;
	int net_ns_fd;
};

/* Connect a namespace: an interface with this address and a default route, and lo. */
int bridge_connect(const struct bridge_network *network, const struct bridge_port *port,
		   struct err *err);
