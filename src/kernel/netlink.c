#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/mnl-load.h"

#define QUEUE_BYTES   8192
#define QUEUE_CHANGES 16
#define ANSWER_BYTES  32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;	 /* of the last message */
	uint32_t first_sequence; /* of the queue's first change */
	size_t queued_bytes, queued_changes;
	const char *what[QUEUE_CHANGES]; /* literals: what each change does, for errors */
	char queue[QUEUE_BYTES] __attribute__((aligned(8)));
	char answer[ANSWER_BYTES] __attribute__((aligned(8)));
};

static int adopt(struct mnl_socket *socket, struct netlink **ret_netlink)
{
	struct netlink *netlink = xcalloc(1, sizeof(*netlink));

	netlink->socket = socket;
	netlink->sequence = 1;
	*ret_netlink = netlink;
	return 0;
}

int netlink_open(struct netlink **ret_netlink, struct err *err)
{
	int r = mnl_load(err);
	if (r < 0)
		return r;
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return err_errno(err, "open netlink socket");
	return adopt(socket, ret_netlink);
}

int netlink_open_in(int net_ns_fd, struct netlink **ret_netlink, struct err *err)
{
	autoclose int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_errno(err, "open /proc/self/ns/net");
	int r = mnl_load(err);
	if (r < 0)
		return r;
	if (setns(net_ns_fd, CLONE_NEWNET) < 0)
		return err_errno(err, "enter the container's network namespace");
	int result = netlink_open(ret_netlink, err);
	if (setns(own, CLONE_NEWNET) < 0)
		abort(); /* whatever we did next would happen to the container's network */
	return result;
}

int netlink_adopt(int fd, struct netlink **ret_netlink, struct err *err)
{
	int r = mnl_load(err);
	if (r < 0) {
		close(fd);
		return r;
	}
	struct mnl_socket *socket = mnl_socket_fdopen(fd);
	if (!socket) {
		int saved = errno;
		close(fd);
		errno = saved;
		return err_errno(err, "use netlink socket");
	}
	return adopt(socket, ret_netlink);
}

void netlink_free(struct netlink *netlink)
{
	if (!netlink)
		return;
	mnl_socket_close(netlink->socket);
	free(netlink);
}

/* -- questions ----------------------------------------------------------------------------------
 */

static int ask(struct netlink *netlink, struct nlmsghdr *message, mnl_cb_t each, void *arg)
{
	message->nlmsg_seq = ++netlink->sequence;
	if (mnl_socket_sendto(netlink->socket, message, message->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t size = mnl_socket_recvfrom(netlink->socket, netlink->answer,
						   sizeof(netlink->answer));
		if (size < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		int more =
			mnl_cb_run(netlink->answer, (size_t)size, message->nlmsg_seq, 0, each, arg);
		if (more < 0)
			return -errno;
		if (more == MNL_CB_STOP)
			return 0;
	}
}

static int take_link(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct netlink_link *link = arg;
	const struct nlattr *attribute;

	link->index = (unsigned)info->ifi_index;
	link->flags = info->ifi_flags;
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		unsigned type = mnl_attr_get_type(attribute);
		if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(attribute) == MAC_BYTES)
			memcpy(link->mac, mnl_attr_get_payload(attribute), MAC_BYTES);
		else if (type == IFLA_MTU)
			link->mtu = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

int netlink_find_link(struct netlink *netlink, const char *name, struct netlink_link *ret_link,
		      struct err *err)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct netlink_link link = { 0 };

	/* With an acknowledgement: the answer to a question about one link has no end mark. */
	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	/* Statistics would be most of the answer. */
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int result = ask(netlink, message, take_link, &link);
	if (result < 0)
		return err_set(err, -result, "network interface '%s': %s", name, strerror(-result));
	*ret_link = link;
	return 0;
}

struct count_ports {
	unsigned master;
	int count;
};

static int take_port(const struct nlmsghdr *message, void *arg)
{
	struct count_ports *state = arg;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attribute) == IFLA_MASTER &&
		    mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) &&
		    mnl_attr_get_u32(attribute) == state->master)
			state->count++;
	}
	return MNL_CB_OK;
}

/* Older kernels do not filter by the master, so what comes is looked at. */
int netlink_count_ports(struct netlink *netlink, unsigned link_index, struct err *err)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct count_ports state = { .master = link_index };

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(message, IFLA_MASTER, link_index);
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	int result = ask(netlink, message, take_port, &state);
	if (result < 0)
		return err_set(err, -result, "list network interfaces: %s", strerror(-result));
	return state.count;
}

struct each_address {
	int (*each)(void *arg, unsigned link_index, const struct ip_prefix *address);
	void *arg;
	int family, result;
};

static size_t address_bytes(int family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static int take_address(const struct nlmsghdr *message, void *arg)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct each_address *state = arg;
	struct ip_prefix address = { .family = info->ifa_family, .prefix = info->ifa_prefixlen };
	const struct nlattr *attribute;
	bool has_local = false;

	if (state->result || info->ifa_family != state->family)
		return MNL_CB_OK; /* read on: the socket must be empty for the next question */
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		unsigned type = mnl_attr_get_type(attribute);
		/* On point-to-point links IFA_ADDRESS is the other side's. */
		if ((type == IFA_LOCAL || (type == IFA_ADDRESS && !has_local)) &&
		    mnl_attr_get_payload_len(attribute) == address_bytes(info->ifa_family)) {
			memcpy(&address.v6, mnl_attr_get_payload(attribute),
			       address_bytes(info->ifa_family));
			has_local = has_local || type == IFA_LOCAL;
		}
	}
	state->result = state->each(state->arg, info->ifa_index, &address);
	return MNL_CB_OK;
}

int netlink_each_address(struct netlink *netlink, int family,
			 int (*each)(void *arg, unsigned link_index,
				     const struct ip_prefix *address),
			 void *arg, struct err *err)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct each_address state = { .each = each, .arg = arg, .family = family };

	message->nlmsg_type = RTM_GETADDR;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifa_family = (unsigned char)family;
	int result = ask(netlink, message, take_address, &state);
	if (result < 0)
		return err_set(err, -result, "list addresses: %s", strerror(-result));
	return state.result;
}

struct each_route {
	int (*each)(void *arg, unsigned link_index, const struct ip_prefix *destination,
		    const void *gateway);
	void *arg;
	int family, result;
};

static int take_route(const struct nlmsghdr *message, void *arg)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct each_route *state = arg;
	struct ip_prefix destination = { .family = info->rtm_family, .prefix = info->rtm_dst_len };
	const struct nlattr *attribute;
	const void *gateway = NULL;
	unsigned link_index = 0;

	if (state->result || info->rtm_family != state->family || info->rtm_type != RTN_UNICAST ||
	    info->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		size_t size = mnl_attr_get_payload_len(attribute);
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			if (size == address_bytes(info->rtm_family))
				memcpy(&destination.v6, mnl_attr_get_payload(attribute), size);
			break;
		case RTA_GATEWAY:
			if (size == address_bytes(info->rtm_family))
				gateway = mnl_attr_get_payload(attribute);
			break;
		case RTA_OIF:
			link_index = mnl_attr_get_u32(attribute);
			break;
		}
	}
	state->result = state->each(state->arg, link_index, &destination, gateway);
	return MNL_CB_OK;
}

int netlink_each_route(struct netlink *netlink, int family,
		       int (*each)(void *arg, unsigned link_index,
				   const struct ip_prefix *destination, const void *gateway),
		       void *arg, struct err *err)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct each_route state = { .each = each, .arg = arg, .family = family };

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct rtmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->rtm_family = (unsigned char)family;
	int result = ask(netlink, message, take_route, &state);
	if (result < 0)
		return err_set(err, -result, "list routes: %s", strerror(-result));
	return state.result;
}

/* -- changes ------------------------------------------------------------------------------------
 */

static struct nlmsghdr *queue(struct netlink *netlink, uint16_t type, uint16_t flags,
			      const char *what)
{
	/* Every change is far below 512 bytes, and no caller queues more than a handful. */
	if (netlink->queued_changes == QUEUE_CHANGES || netlink->queued_bytes > QUEUE_BYTES - 512)
		abort();
	struct nlmsghdr *message = mnl_nlmsg_put_header(netlink->queue + netlink->queued_bytes);
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->nlmsg_seq = ++netlink->sequence;
	if (!netlink->queued_changes)
		netlink->first_sequence = message->nlmsg_seq;
	netlink->what[netlink->queued_changes++] = what;
	return message;
}

/* mnl builds in place, so the length is known only when the message is complete. */
static void queue_end(struct netlink *netlink, const struct nlmsghdr *message)
{
	netlink->queued_bytes += NLMSG_ALIGN(message->nlmsg_len);
}

void netlink_add_bridge(struct netlink *netlink, const char *name, const uint8_t mac[MAC_BYTES])
{
	struct nlmsghdr *message =
		queue(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "make bridge");

	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	/* A bridge without an address of its own takes that of some port and changes it as ports
	 * come and go: every such change breaks what containers know of their gateway. */
	mnl_attr_put(message, IFLA_ADDRESS, MAC_BYTES, mac);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(message, info);
	queue_end(netlink, message);
}

void netlink_delete_link(struct netlink *netlink, unsigned link_index)
{
	struct nlmsghdr *message = queue(netlink, RTM_DELLINK, 0, "delete link");

	struct ifinfomsg *own = mnl_nlmsg_put_extra_header(message, sizeof(*own));
	own->ifi_index = (int)link_index;
	queue_end(netlink, message);
}

void netlink_add_veth(struct netlink *netlink, const struct netlink_veth *veth)
{
	struct nlmsghdr *message =
		queue(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "make veth pair");

	struct ifinfomsg *own = mnl_nlmsg_put_extra_header(message, sizeof(*own));
	own->ifi_flags = own->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, veth->name);
	mnl_attr_put_u32(message, IFLA_MASTER, veth->bridge_index);
	if (veth->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
	struct nlattr *info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	struct ifinfomsg *other = mnl_nlmsg_put_extra_header(message, sizeof(*other));
	other->ifi_index = (int)veth->peer_index;
	/* It cannot be up yet: it is configured before it has a peer, and opening fails then. */
	mnl_attr_put_strz(message, IFLA_IFNAME, veth->peer_name);
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)veth->peer_net_ns_fd);
	if (veth->peer_mac)
		mnl_attr_put(message, IFLA_ADDRESS, MAC_BYTES, veth->peer_mac);
	if (veth->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, veth->mtu);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	queue_end(netlink, message);

	/* A second message: attributes of a bridge port are not looked at while one is made. */
	message = queue(netlink, RTM_NEWLINK, 0, "set bridge port to hairpin mode");
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(message, IFLA_IFNAME, veth->name);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(message, IFLA_BRPORT_MODE, 1);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	queue_end(netlink, message);
}

void netlink_set_up(struct netlink *netlink, unsigned link_index, const uint8_t *mac, unsigned mtu)
{
	struct nlmsghdr *message = queue(netlink, RTM_NEWLINK, 0, "set interface up");

	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = (int)link_index;
	info->ifi_flags = info->ifi_change = IFF_UP;
	if (mac)
		mnl_attr_put(message, IFLA_ADDRESS, MAC_BYTES, mac);
	if (mtu)
		mnl_attr_put_u32(message, IFLA_MTU, mtu);
	queue_end(netlink, message);
}

void netlink_set_no_link_local(struct netlink *netlink, unsigned link_index)
{
	struct nlmsghdr *message = queue(netlink, RTM_NEWLINK, 0, "turn off link-local addresses");

	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = (int)link_index;
	struct nlattr *families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(message, AF_INET6);
	mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, families);
	queue_end(netlink, message);
}

void netlink_add_address(struct netlink *netlink, unsigned link_index,
			 const struct ip_prefix *address)
{
	struct nlmsghdr *message =
		queue(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, "add address");

	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifa_family = (unsigned char)address->family;
	info->ifa_prefixlen = address->prefix;
	info->ifa_index = link_index;
	mnl_attr_put(message, IFA_LOCAL, address_bytes(address->family), &address->v6);
	mnl_attr_put(message, IFA_ADDRESS, address_bytes(address->family), &address->v6);
	if (address->family == AF_INET && address->prefix < 31) {
		struct in_addr broadcast = { .s_addr = address->v4.s_addr |
						       htonl(0xffffffffU >> address->prefix) };
		mnl_attr_put(message, IFA_BROADCAST, sizeof(broadcast), &broadcast);
	} else if (address->family == AF_INET6) {
		/* We gave it out, so nobody else has it; asking costs a second. */
		info->ifa_flags = IFA_F_NODAD;
	}
	queue_end(netlink, message);
}

void netlink_add_default_route(struct netlink *netlink, unsigned link_index, int family,
			       const void *gateway, bool is_on_link)
{
	struct nlmsghdr *message =
		queue(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add default route");

	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));
	route->rtm_family = (unsigned char)family;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_type = RTN_UNICAST;
	route->rtm_flags = is_on_link ? RTNH_F_ONLINK : 0;
	mnl_attr_put(message, RTA_GATEWAY, address_bytes(family), gateway);
	mnl_attr_put_u32(message, RTA_OIF, link_index);
	queue_end(netlink, message);
}

static void add_neighbour(struct netlink *netlink, unsigned link_index, int family,
			  const void *address, const uint8_t mac[MAC_BYTES], uint16_t state)
{
	struct nlmsghdr *message =
		queue(netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "add neighbour");

	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));
	neighbour->ndm_family = (unsigned char)family;
	neighbour->ndm_ifindex = (int)link_index;
	neighbour->ndm_state = state;
	mnl_attr_put(message, NDA_DST, address_bytes(family), address);
	mnl_attr_put(message, NDA_LLADDR, MAC_BYTES, mac);
	queue_end(netlink, message);
}

void netlink_add_neighbour(struct netlink *netlink, unsigned link_index, int family,
			   const void *address, const uint8_t mac[MAC_BYTES])
{
	add_neighbour(netlink, link_index, family, address, mac, NUD_PERMANENT);
}

void netlink_note_neighbour(struct netlink *netlink, unsigned link_index, int family,
			    const void *address, const uint8_t mac[MAC_BYTES])
{
	add_neighbour(netlink, link_index, family, address, mac, NUD_STALE);
}

int netlink_commit(struct netlink *netlink, struct err *err)
{
	size_t waiting = netlink->queued_changes;
	int result = 0;

	if (!waiting)
		return 0;
	ssize_t sent = mnl_socket_sendto(netlink->socket, netlink->queue, netlink->queued_bytes);
	netlink->queued_bytes = netlink->queued_changes = 0;
	if (sent < 0)
		return err_errno(err, "send netlink message");

	while (waiting > 0) {
		ssize_t size = mnl_socket_recvfrom(netlink->socket, netlink->answer,
						   sizeof(netlink->answer));
		if (size < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, "receive netlink message");
		}
		int rest = (int)size;
		for (struct nlmsghdr *message = (struct nlmsghdr *)netlink->answer;
		     mnl_nlmsg_ok(message, rest); message = mnl_nlmsg_next(message, &rest)) {
			if (message->nlmsg_type != NLMSG_ERROR ||
			    message->nlmsg_seq < netlink->first_sequence)
				continue;
			const struct nlmsgerr *ack = mnl_nlmsg_get_payload(message);
			waiting--;
			if (ack->error && !result)
				result = err_set(
					err, -ack->error, "%s: %s",
					netlink->what[message->nlmsg_seq - netlink->first_sequence],
					strerror(-ack->error));
		}
	}
	return result;
}

/* -- addresses ----------------------------------------------------------------------------------
 */

int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix)
{
	struct ip_prefix value = { 0 };
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	size_t size = slash ? (size_t)(slash - text) : strlen(text);

	if (size >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, size);
	address[size] = '\0';
	value.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(value.family, address, &value.v6) != 1)
		return -EINVAL;
	unsigned long limit = value.family == AF_INET ? 32 : 128, prefix = limit;
	if (slash) {
		char *end;
		prefix = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || prefix > limit)
			return -EINVAL;
	}
	value.prefix = (uint8_t)prefix;
	*ret_prefix = value;
	return 0;
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	const uint8_t *left = a->v6.s6_addr, *right = b->v6.s6_addr;
	unsigned bits = a->prefix < b->prefix ? a->prefix : b->prefix;

	if (a->family != b->family)
		return false;
	if (memcmp(left, right, bits / 8) != 0)
		return false;
	unsigned rest = bits % 8;
	return !rest || ((left[bits / 8] ^ right[bits / 8]) >> (8 - rest)) == 0;
}
