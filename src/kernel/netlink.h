/* Links, addresses and routes of one network namespace, by rtnetlink(7).
 *
 * Changes are queued and sent together by netlink_commit(): one system call for a whole interface.
 * Links are never deleted here: that waits for RCU grace periods (13 ms and more); the death of
 * their network namespace removes them as well, without anyone waiting. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct netlink;

#define MAC_BYTES 6

/* An IPv4 or IPv6 address with the length of its network's prefix. */
struct ip_prefix {
	int family; /* AF_INET, AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint8_t prefix;
};

/* A socket in the network namespace of the calling thread. */
int netlink_open(struct netlink **ret_netlink, struct err *err);

/* A socket in the namespace behind `net_ns_fd`. The caller enters it for that moment, for which it
 * needs CAP_SYS_ADMIN in its own user namespace too, so this is root's way. */
int netlink_open_in(int net_ns_fd, struct netlink **ret_netlink, struct err *err);

/* A NETLINK_ROUTE socket that somebody else opened; taken over, also on failure. */
int netlink_adopt(int fd, struct netlink **ret_netlink, struct err *err);
void netlink_free(struct netlink *netlink);

/* -- questions ----------------------------------------------------------------------------------
 */

struct netlink_link {
	unsigned index;
	unsigned flags; /* IFF_… */
	uint8_t mac[MAC_BYTES];
	unsigned mtu;
};

/* -ENODEV if there is no such link. */
int netlink_find_link(struct netlink *netlink, const char *name, struct netlink_link *ret_link,
		      struct err *err);

/* How many links have that link, a bridge, as their master; or negative. */
int netlink_count_ports(struct netlink *netlink, unsigned link_index, struct err *err);

/* Call `each` for every address, with the index of its link. Stops at the first non-zero result and
 * returns it. */
int netlink_each_address(struct netlink *netlink, int family,
			 int (*each)(void *arg, unsigned link_index,
				     const struct ip_prefix *address),
			 void *arg, struct err *err);

/* Call `each` for every unicast route of the main table; prefix 0 is a default route. `gateway` is
 * NULL for a route to a network at hand. */
int netlink_each_route(struct netlink *netlink, int family,
		       int (*each)(void *arg, unsigned link_index,
				   const struct ip_prefix *destination, const void *gateway),
		       void *arg, struct err *err);

/* -- changes, queued ----------------------------------------------------------------------------
 */

/* The words name the object in errors: "%s: Operation not permitted". */
void netlink_add_bridge(struct netlink *netlink, const char *name, const uint8_t mac[MAC_BYTES]);
void netlink_delete_link(struct netlink *netlink, unsigned link_index);

struct netlink_veth {
	const char *name;      /* the end in this namespace, made up */
	unsigned bridge_index; /* which it becomes a port of */
	const char *peer_name; /* the other end, made up as well … */
	unsigned peer_index;   /* … with this index, 0: any */
	const uint8_t *peer_mac;
	int peer_net_ns_fd; /* … in this namespace */
	unsigned mtu;	    /* 0: the default */
};
/* The bridge port may send packets back where they came from (hairpin mode): where br_netfilter
 * acts, a container that reaches itself by a published port needs that. */
void netlink_add_veth(struct netlink *netlink, const struct netlink_veth *veth);

/* `mac` may be NULL and `mtu` 0 to leave them. */
void netlink_set_up(struct netlink *netlink, unsigned link_index, const uint8_t *mac, unsigned mtu);

/* Keep the kernel from inventing a link-local IPv6 address, and from the packets that go with it.
 */
void netlink_set_no_link_local(struct netlink *netlink, unsigned link_index);
void netlink_add_address(struct netlink *netlink, unsigned link_index,
			 const struct ip_prefix *address);
/* `gateway` is an in_addr or in6_addr. With `is_on_link` it need not be inside the link's own
 * network. */
void netlink_add_default_route(struct netlink *netlink, unsigned link_index, int family,
			       const void *gateway, bool is_on_link);
/* A neighbour whose MAC address never has to be asked for. */
void netlink_add_neighbour(struct netlink *netlink, unsigned link_index, int family,
			   const void *address, const uint8_t mac[MAC_BYTES]);

/* The same, as something heard: the kernel checks it sooner or later. */
void netlink_note_neighbour(struct netlink *netlink, unsigned link_index, int family,
			    const void *address, const uint8_t mac[MAC_BYTES]);

/* Send what is queued. All of it is tried; the first failure is reported. The queue is empty
 * afterwards. */
int netlink_commit(struct netlink *netlink, struct err *err);

static inline void netlink_free_auto(struct netlink **at)
{
	netlink_free(*at);
}
#define autonetlink __attribute__((cleanup(netlink_free_auto)))

/* "10.88.0.2/16" → value; without "/N" the prefix is that of one address. -EINVAL. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix);
/* Whether two networks share an address. */
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
