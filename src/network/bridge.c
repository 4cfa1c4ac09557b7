#include "network/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "kernel/nftables.h"
#include "network/firewall.h"

#define DEFAULT_NAME   "davit"
#define DEFAULT_BRIDGE "davit0"

/* podman's default network and the pool it takes others from. */
#define DEFAULT_SUBNET	  "10.88.0.0/16"
#define POOL_FIRST_SECOND 89 /* 10.89.0.0/16 … 10.255.0.0/16 */

/* In a namespace of its own the loopback is link 1 and what we make is 2, as everywhere. */
#define LOOPBACK_INDEX	1
#define CONTAINER_INDEX 2

/* -- addresses ----------------------------------------------------------------------------------
 */

static int compare_addresses(const void *a, const void *b)
{
	uint32_t left = ntohl(((const struct in_addr *)a)->s_addr);
	uint32_t right = ntohl(((const struct in_addr *)b)->s_addr);

	return left < right ? -1 : left > right;
}

int bridge_choose_address(const struct ip_prefix *subnet, struct in_addr gateway,
			  const struct in_addr *taken, size_t taken_count, struct in_addr after,
			  struct in_addr *ret_address, struct err *err)
{
	uint32_t network = ntohl(subnet->v4.s_addr);
	uint32_t broadcast = network | (uint32_t)(0xffffffffULL >> subnet->prefix);
	uint32_t candidate = ntohl(after.s_addr);
	autofree struct in_addr *sorted = NULL;

	if (subnet->prefix > 30)
		return err_set(err, ENOSPC, "a subnet of %u bits has no room for containers",
			       subnet->prefix);
	if (taken_count) {
		sorted = xmemdup(taken, taken_count * sizeof(*taken));
		qsort(sorted, taken_count, sizeof(*sorted), compare_addresses);
	}
	if (candidate <= network || candidate >= broadcast)
		candidate = network;

	/* Each address not given is one of `taken`, the gateway, or past the end. */
	for (size_t tries = 0; tries <= taken_count + 2; tries++) {
		if (++candidate >= broadcast)
			candidate = network + 1;
		struct in_addr address = { .s_addr = htonl(candidate) };
		if (address.s_addr == gateway.s_addr ||
		    (sorted &&
		     bsearch(&address, sorted, taken_count, sizeof(address), compare_addresses)))
			continue;
		*ret_address = address;
		return 0;
	}
	return err_set(err, ENOSPC, "no free address is left in the network; remove containers");
}

/* Derived from the address, so that an address which goes to another container soon after does not
 * meet old entries in neighbour tables, and a container keeps its MAC address as long as its
 * address. The first byte says: locally administered. */
void bridge_mac_for_address(struct in_addr address, uint8_t mac[MAC_BYTES])
{
	mac[0] = 0x0a;
	mac[1] = 0xda;
	memcpy(mac + 2, &address.s_addr, sizeof(address.s_addr));
}

/* -- the bridge ---------------------------------------------------------------------------------
 */

static int write_setting(const char *path, const char *value, struct err *err)
{
	char now[16] = "";
	autoclose int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	/* Read first: /proc/sys may be read-only and the value right. */
	ssize_t size = read(fd, now, sizeof(now) - 1);
	if (size > 0 && strtol(now, NULL, 10) == strtol(value, NULL, 10))
		return 0;
	/* At the start: a number written behind what was read is ignored without a word. */
	if (pwrite(fd, value, strlen(value), 0) < 0)
		return err_errno(err, "write '%s'", path);
	return 1;
}

static int apply_settings(const char *bridge, struct err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
	if (write_setting(path, "1", err) < 0)
		return -err->code;
	int changed = write_setting("/proc/sys/net/ipv4/ip_forward", "1", err);
	if (changed > 0)
		log_info("turned on net.ipv4.ip_forward, which containers need to reach the world");
	return changed < 0 ? -err->code : 0;
}

struct subnet_search {
	unsigned own_index;
	const struct ip_prefix *candidate;
};

static int overlaps_address(void *arg, unsigned link_index, const struct ip_prefix *address)
{
	const struct subnet_search *search = arg;

	return link_index != search->own_index && ip_prefix_overlaps(address, search->candidate);
}

static int overlaps_route(void *arg, unsigned link_index, const struct ip_prefix *destination,
			  const void *gateway)
{
	const struct subnet_search *search = arg;

	return destination->prefix && link_index != search->own_index &&
	       ip_prefix_overlaps(destination, search->candidate);
}

/* 1 if nothing on this host uses the subnet, 0 if something does. */
static int subnet_is_free(struct netlink *netlink, unsigned own_index,
			  const struct ip_prefix *candidate, struct err *err)
{
	struct subnet_search search = { .own_index = own_index, .candidate = candidate };
	int used = netlink_each_address(netlink, AF_INET, overlaps_address, &search, err);

	if (used == 0)
		used = netlink_each_route(netlink, AF_INET, overlaps_route, &search, err);
	return used < 0 ? used : !used;
}

static void mask_prefix(struct ip_prefix *prefix)
{
	uint32_t mask = prefix->prefix ? ~(uint32_t)(0xffffffffULL >> prefix->prefix) : 0;

	prefix->v4.s_addr &= htonl(mask);
}

static int choose_subnet(struct netlink *netlink, unsigned own_index, const char *wanted,
			 struct ip_prefix *ret_subnet, struct err *err)
{
	struct ip_prefix subnet;

	if (ip_prefix_parse(wanted ? wanted : DEFAULT_SUBNET, &subnet) < 0 ||
	    subnet.family != AF_INET || subnet.prefix < 8 || subnet.prefix > 29)
		return err_set(err, EINVAL,
			       "default_subnet '%s' is not an IPv4 network of 8 to 29 bits",
			       wanted ? wanted : DEFAULT_SUBNET);
	mask_prefix(&subnet);
	for (unsigned second = POOL_FIRST_SECOND;; second++) {
		int is_free = subnet_is_free(netlink, own_index, &subnet, err);
		if (is_free < 0)
			return is_free;
		if (is_free)
			break;
		if (second > 255)
			return err_set(err, EADDRINUSE,
				       "every subnet from 10.88.0.0/16 to 10.255.0.0/16 is in use; "
				       "set default_subnet in containers.conf");
		subnet.v4.s_addr = htonl(10U << 24 | second << 16);
		subnet.prefix = 16;
	}
	*ret_subnet = subnet;
	return 0;
}

struct address_search {
	unsigned link_index;
	struct ip_prefix *address;
};

static int take_bridge_address(void *arg, unsigned link_index, const struct ip_prefix *address)
{
	struct address_search *search = arg;

	if (link_index != search->link_index)
		return 0;
	*search->address = *address;
	return 1;
}

/* 1 and the bridge's address, 0 if it has none. */
static int bridge_address(struct netlink *netlink, unsigned link_index,
			  struct ip_prefix *ret_address, struct err *err)
{
	struct address_search search = { .link_index = link_index, .address = ret_address };

	return netlink_each_address(netlink, AF_INET, take_bridge_address, &search, err);
}

static void describe(struct bridge_network *network, unsigned link_index,
		     const struct ip_prefix *address)
{
	snprintf(network->name, sizeof(network->name), "%s", DEFAULT_NAME);
	snprintf(network->bridge, sizeof(network->bridge), "%s", DEFAULT_BRIDGE);
	network->link_index = link_index;
	network->gateway = address->v4;
	network->subnet = *address;
	mask_prefix(&network->subnet);
}

/* 1 if all of the network is in place. "Up" comes last when it is made, so it means the rest. */
static int find_ready(struct netlink *netlink, struct nftables *nftables,
		      struct bridge_network *network, struct err *err)
{
	struct netlink_link link;
	struct ip_prefix address;

	int result = netlink_find_link(netlink, DEFAULT_BRIDGE, &link, err);
	if (result < 0)
		return result == -ENODEV ? 0 : result;
	if (!(link.flags & IFF_UP))
		return 0;
	result = bridge_address(netlink, link.index, &address, err);
	if (result <= 0)
		return result;
	result = firewall_is_loaded(nftables, err);
	if (result <= 0)
		return result;
	describe(network, link.index, &address);
	return 1;
}

/* Each step finds what an earlier attempt, which may have died anywhere, has left. */
static int make_network(struct netlink *netlink, struct nftables *nftables,
			const char *wanted_subnet, struct bridge_network *network, struct err *err)
{
	struct netlink_link link;
	struct ip_prefix address;

	int result = netlink_find_link(netlink, DEFAULT_BRIDGE, &link, err);
	if (result == -ENODEV) {
		uint8_t mac[MAC_BYTES] = { 0x0a, 0xda, 0, 0, 0, 0 };
		for (size_t i = 2; i < MAC_BYTES; i++)
			mac[i] = (uint8_t)random_below(256);
		netlink_add_bridge(netlink, DEFAULT_BRIDGE, mac);
		if (netlink_commit(netlink, err) < 0)
			return err_wrap(err, "bridge '%s'", DEFAULT_BRIDGE);
		result = netlink_find_link(netlink, DEFAULT_BRIDGE, &link, err);
	}
	if (result < 0)
		return result;

	result = bridge_address(netlink, link.index, &address, err);
	if (result < 0)
		return result;
	if (result == 0) {
		if (choose_subnet(netlink, link.index, wanted_subnet, &address, err) < 0)
			return -err->code;
		address.v4.s_addr |= htonl(1);
		netlink_add_address(netlink, link.index, &address);
	}
	describe(network, link.index, &address);
	if (apply_settings(DEFAULT_BRIDGE, err) < 0 ||
	    firewall_load(nftables, DEFAULT_BRIDGE, &network->subnet, err) < 0)
		return -err->code;
	netlink_set_up(netlink, link.index, NULL, 0);
	if (netlink_commit(netlink, err) < 0)
		return err_wrap(err, "bridge '%s'", DEFAULT_BRIDGE);
	return 0;
}

int bridge_open_default(const char *wanted_subnet, const char *lock_path,
			struct bridge_network *ret_network, struct err *err)
{
	autonetlink struct netlink *netlink = NULL;
	autonftables struct nftables *nftables = NULL;
	struct bridge_network network = { 0 };

	if (netlink_open(&netlink, err) < 0 || nftables_open(&nftables, err) < 0)
		return -err->code;
	int ready = find_ready(netlink, nftables, &network, err);
	if (ready < 0)
		return ready;
	if (!ready) {
		autoclose int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (lock < 0)
			return err_errno(err, "open '%s'", lock_path);
		if (flock(lock, LOCK_EX) < 0)
			return err_errno(err, "lock '%s'", lock_path);
		/* Somebody else may have made it while we waited. */
		ready = find_ready(netlink, nftables, &network, err);
		if (ready < 0)
			return ready;
		if (!ready && make_network(netlink, nftables, wanted_subnet, &network, err) < 0)
			return err_wrap(err, "network '%s'", DEFAULT_NAME);
	}
	*ret_network = network;
	return 0;
}

int bridge_remove_default(struct err *err)
{
	autonetlink struct netlink *netlink = NULL;
	autonftables struct nftables *nftables = NULL;
	struct netlink_link link;

	if (netlink_open(&netlink, err) < 0 || nftables_open(&nftables, err) < 0)
		return -err->code;
	int result = netlink_find_link(netlink, DEFAULT_BRIDGE, &link, err);
	if (result == -ENODEV)
		return 0;
	if (result < 0)
		return result;
	result = netlink_count_ports(netlink, link.index, err);
	/* Exceptions that were put into another's table stay, and are not to be put there twice. */
	if (result != 0 || firewall_needs_exceptions(nftables))
		return result < 0 ? result : 0;
	netlink_delete_link(netlink, link.index);
	if (netlink_commit(netlink, err) < 0)
		return err_wrap(err, "bridge '%s'", DEFAULT_BRIDGE);
	result = firewall_is_loaded(nftables, err);
	return result > 0 ? firewall_unload(err) : result;
}

/* -- containers ---------------------------------------------------------------------------------
 */

/* *ret_index is the container's end, 0 when the kernel chose the index. */
static int make_veth(const struct bridge_network *network, const struct bridge_port *port,
		     unsigned *ret_index, struct err *err)
{
	autonetlink struct netlink *netlink = NULL;
	char name[IFNAMSIZ], random[9];
	struct netlink_veth veth = {
		.name = name,
		.bridge_index = network->link_index,
		.peer_name = port->interface,
		.peer_index = CONTAINER_INDEX,
		.peer_mac = port->mac,
		.peer_net_ns_fd = port->net_ns_fd,
	};

	if (netlink_open(&netlink, err) < 0)
		return -err->code;
	/* Who had the address before may have had another MAC address. */
	if (port->has_own_mac)
		netlink_note_neighbour(netlink, network->link_index, AF_INET, &port->address,
				       port->mac);
	/* The name is random, not the container's: when a container starts again at once, the old
	 * pair is still there until its namespace has been taken apart. */
	for (int try = 0; try < 8; try++) {
		random_hex(random, 4);
		snprintf(name, sizeof(name), "veth%s", random);
		netlink_add_veth(netlink, &veth);
		int result = netlink_commit(netlink, err);
		*ret_index = veth.peer_index;
		/* A kernel with tunnel modules loaded puts their devices into every new namespace.
		 */
		if (result == -EBUSY)
			veth.peer_index = 0;
		else if (result != -EEXIST)
			return result;
	}
	return -err->code;
}

int bridge_connect(const struct bridge_network *network, const struct bridge_port *port,
		   struct err *err)
{
	autonetlink struct netlink *inside = NULL;
	struct ip_prefix own = {
		.family = AF_INET,
		.v4 = port->address,
		.prefix = network->subnet.prefix,
	};

	unsigned index = 0;
	if (make_veth(network, port, &index, err) < 0)
		return err_wrap(err, "connect to network '%s'", network->name);
	if (netlink_open_in(port->net_ns_fd, &inside, err) < 0)
		return -err->code;
	if (!index) {
		struct netlink_link link;
		if (netlink_find_link(inside, port->interface, &link, err) < 0)
			return -err->code;
		index = link.index;
	}
	netlink_set_up(inside, LOOPBACK_INDEX, NULL, 0);
	netlink_set_up(inside, index, NULL, 0);
	netlink_add_address(inside, index, &own);
	netlink_add_default_route(inside, index, AF_INET, &network->gateway, false);
	if (netlink_commit(inside, err) < 0)
		return err_wrap(err, "connect to network '%s'", network->name);
	return 0;
}
