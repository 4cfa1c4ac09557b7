#include "network/firewall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/nftables.h"

#define TABLE "davit"

/* A chain that is there for its name: an older davit's rules lack it and are loaded anew. Raise
 * the number whenever a rule changes; when a map's type changes, rename the map. */
#define VERSION_CHAIN "rules-1"

/* What each part is for:
 *
 * guard       route_localnet lets packets to 127.0.0.0/8 leave by a bridge, which 127.0.0.1:PORT
 *             needs, but also lets them come in by it: without this a container could reach what
 *             listens on the host's loopback. Before conntrack, where answers still bear the
 *             bridge's address.
 * prerouting, output
 *             packets to one of the host's own addresses, from outside, from containers and from
 *             the host itself, are looked up in the maps: first by address and port, then by port.
 * postrouting containers' traffic to the world; traffic of the host's loopback address to
 *             containers; and traffic from one container to another (or itself) by a published
 *             port, whose answers must come back through here.
 * forward     from containers anywhere; to containers only answers and published ports. What other
 *             hosts route to a container's address directly is dropped, else a port published on
 *             127.0.0.1 could be had by every neighbour of this host.
 *
 * An accept here is one table's opinion: where another table (iptables with FORWARD DROP, as docker
 * leaves it, or firewalld) drops, the packet is dropped. firewall_load() handles the first. */
static const char rules[] =
	"add table inet davit\n"
	"add set inet davit bridges { type ifname; }\n"
	"add set inet davit subnets { type ipv4_addr; flags interval; }\n"
	"add map inet davit published { type inet_proto . inet_service : "
	"ipv4_addr . inet_service; }\n"
	"add map inet davit published-at { type ipv4_addr . inet_proto . inet_service : "
	"ipv4_addr . inet_service; }\n"
	"add chain inet davit " VERSION_CHAIN "\n"
	"add chain inet davit publish\n"
	"add chain inet davit guard { type filter hook prerouting priority -300; }\n"
	"add chain inet davit prerouting { type nat hook prerouting priority -100; }\n"
	"add chain inet davit output { type nat hook output priority -100; }\n"
	"add chain inet davit postrouting { type nat hook postrouting priority 100; }\n"
	"add chain inet davit forward { type filter hook forward priority 0; }\n"
	"flush table inet davit\n"
	"add rule inet davit guard iifname @bridges ip daddr 127.0.0.0/8 drop\n"
	"add rule inet davit publish meta l4proto { tcp, udp, sctp } "
	"dnat ip to ip daddr . meta l4proto . th dport map @published-at\n"
	"add rule inet davit publish meta l4proto { tcp, udp, sctp } "
	"dnat ip to meta l4proto . th dport map @published\n"
	"add rule inet davit prerouting meta nfproto ipv4 fib daddr type local jump publish\n"
	"add rule inet davit output meta nfproto ipv4 fib daddr type local jump publish\n"
	"add rule inet davit postrouting ip saddr @subnets ip daddr != @subnets "
	"ip daddr != 224.0.0.0/4 masquerade\n"
	"add rule inet davit postrouting ip saddr @subnets ct status dnat masquerade\n"
	"add rule inet davit postrouting oifname @bridges ip saddr 127.0.0.0/8 masquerade\n"
	"add rule inet davit forward oifname @bridges ct state established,related accept\n"
	"add rule inet davit forward oifname @bridges ct status dnat accept\n"
	"add rule inet davit forward iifname @bridges accept\n"
	"add rule inet davit forward oifname @bridges drop\n";

int firewall_is_loaded(struct nftables *nftables, struct err *err)
{
	return nftables_has_chain(nftables, NFPROTO_INET, TABLE, VERSION_CHAIN, err);
}

/* nft(8) with `script` as its input. Its complaints are the tail of the error. */
static int run_nft(const char *script, struct err *err)
{
	autostrbuf struct strbuf complaint = STRBUF_EMPTY;
	int input[2], output[2];

	if (pipe2(input, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	autoclose int input_read = input[0], input_write = input[1];
	if (pipe2(output, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	autoclose int output_read = output[0], output_write = output[1];

	pid_t pid = fork();
	if (pid < 0)
		return err_errno(err, "start nft");
	if (pid == 0) {
		/* The administrator's own first, then where distributions put it: root's PATH in a
		 * unit or a cron job may lack /sbin. */
		static const char *const paths[] = { "/usr/local/sbin/nft", "/usr/sbin/nft",
						     "/sbin/nft", "/usr/bin/nft" };
		char *const arguments[] = { "nft", "-f", "-", NULL };
		char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
					      NULL };
		if (dup2(input_read, 0) < 0 || dup2(output_write, 1) < 0 ||
		    dup2(output_write, 2) < 0)
			_exit(126);
		for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
			execve(paths[i], arguments, environment);
		_exit(127);
	}
	fd_close(&input_read);
	fd_close(&output_write);

	/* The script fits into a pipe's buffer, so nobody waits for anybody; should nft be gone
	 * already, the write fails instead of killing us. */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	sigaction(SIGPIPE, &ignore, &before);
	(void)fd_write_all(input_write, script, strlen(script)); /* nft's own words are better */
	sigaction(SIGPIPE, &before, NULL);
	fd_close(&input_write);
	(void)fd_read_all(output_read, &complaint, 65536);

	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(
			err, ENOENT,
			"bridge networks need the program nft; install the package nftables, "
			"or use --network host or none");
	char *line = complaint.data ? complaint.data : (char *)"no reason given";
	line[strcspn(line, "\n")] = '\0';
	return err_set(err, EIO,
		       "load nftables rules: nft: %s; --network host and none need no rules", line);
}

bool firewall_needs_exceptions(struct nftables *nftables)
{
	struct err ignored;

	return nftables_chain_policy(nftables, NFPROTO_IPV4, "filter", "FORWARD", &ignored) ==
	       NF_DROP;
}

/* Docker, among others, has iptables drop what is forwarded and not its own. What iptables-nft
 * makes is nftables too, so we can put our exceptions there; they are found again by their
 * comment. */
static void add_iptables_exceptions(struct nftables *nftables, const char *bridge,
				    struct strbuf *script)
{
	if (!firewall_needs_exceptions(nftables))
		return;
	log_info("iptables drops forwarded packets; adding exceptions for %s to its FORWARD chain",
		 bridge);
	strbuf_addf(
		script,
		"insert rule ip filter FORWARD iifname \"%s\" counter accept comment \"davit\"\n"
		"insert rule ip filter FORWARD oifname \"%s\" ct state established,related "
		"counter accept comment \"davit\"\n"
		"insert rule ip filter FORWARD oifname \"%s\" ct status dnat counter accept "
		"comment \"davit\"\n",
		bridge, bridge, bridge);
}

int firewall_load(struct nftables *nftables, const char *bridge, const struct ip_prefix *subnet,
		  struct err *err)
{
	autostrbuf struct strbuf script = STRBUF_EMPTY;
	char address[INET_ADDRSTRLEN];

	strbuf_adds(&script, rules);
	inet_ntop(AF_INET, &subnet->v4, address, sizeof(address));
	strbuf_addf(&script, "add element inet davit bridges { \"%s\" }\n", bridge);
	strbuf_addf(&script, "add element inet davit subnets { %s/%u }\n", address, subnet->prefix);
	add_iptables_exceptions(nftables, bridge, &script);
	return run_nft(strbuf_text(&script), err);
}

int firewall_unload(struct err *err)
{
	return run_nft("delete table inet davit\n", err);
}

/* -- elements -----------------------------------------------------------------------------------
 */

/* Every field of a concatenated key or value takes a multiple of 4 bytes. */
struct field_proto {
	uint8_t value, padding[3];
};
struct field_port {
	uint16_t value, padding; /* network byte order */
};
struct published_key {
	struct field_proto protocol;
	struct field_port port;
};
struct published_at_key {
	struct in_addr address;
	struct field_proto protocol;
	struct field_port port;
};
struct published_value {
	struct in_addr address;
	struct field_port port;
};

static const char *const maps[] = { "published", "published-at" };

static const uint8_t protocol_numbers[] = {
	[PORT_TCP] = IPPROTO_TCP,
	[PORT_UDP] = IPPROTO_UDP,
	[PORT_SCTP] = IPPROTO_SCTP,
};

static bool is_any_address(const char *host_ip)
{
	return !host_ip || strcmp(host_ip, "0.0.0.0") == 0;
}

static void publish_one(struct nftables *nftables, const char *container_id, struct in_addr address,
			const struct port_mapping *item, unsigned offset)
{
	struct published_value value = {
		.address = address,
		.port.value = htons((uint16_t)(item->container_port + offset)),
	};
	struct published_at_key key = {
		.protocol.value = protocol_numbers[item->protocol],
		.port.value = htons((uint16_t)(item->host_port + offset)),
	};
	struct nftables_element element = {
		.key = &key,
		.key_size = sizeof(key),
		.data = &value,
		.data_size = sizeof(value),
		.comment = container_id,
	};
	const char *map = "published-at";

	if (is_any_address(item->host_ip)) {
		map = "published";
		element.key = &key.protocol;
		element.key_size = sizeof(struct published_key);
	} else {
		inet_pton(AF_INET, item->host_ip, &key.address);
	}
	nftables_add_element(nftables, NFPROTO_INET, TABLE, map, &element);
}

/* Who holds the port that change number `change` wanted. */
struct holder_search {
	struct published_key key;
	char id[128];
};

static int find_holder(void *arg, const struct nftables_element *element)
{
	struct holder_search *search = arg;
	const char *key = element->key;

	if (element->key_size == sizeof(struct published_at_key))
		key += sizeof(struct in_addr);
	else if (element->key_size != sizeof(struct published_key))
		return 0;
	if (memcmp(key, &search->key, sizeof(search->key)) != 0 || !element->comment)
		return 0;
	size_t size = strnlen(element->comment, sizeof(search->id) - 1);
	memcpy(search->id, element->comment, size);
	search->id[size] = '\0';
	return 1;
}

static const struct port_mapping *mapping_of_change(const struct port_list *ports, size_t change,
						    unsigned *ret_offset)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (change < ports->items[i].count) {
			*ret_offset = (unsigned)change;
			return &ports->items[i];
		}
		change -= ports->items[i].count;
	}
	return NULL;
}

static bool is_this_id(void *arg, const char *container_id)
{
	return strcmp(container_id, arg) == 0;
}

/* Someone has the port in a map. Returns 0 when that was a dead container, which is swept, and it
 * can be tried again. */
static int resolve_conflict(struct nftables *nftables, const char *container_id,
			    const struct port_list *ports, size_t change,
			    bool (*container_is_live)(void *arg, const char *container_id),
			    void *arg, struct err *err)
{
	struct holder_search search = { 0 };
	struct err ignored;
	unsigned offset;
	const struct port_mapping *item = mapping_of_change(ports, change, &offset);

	if (!item)
		return -err->code;
	search.key.protocol.value = protocol_numbers[item->protocol];
	search.key.port.value = htons((uint16_t)(item->host_port + offset));
	for (size_t i = 0; i < ARRAY_SIZE(maps) && !search.id[0]; i++)
		(void)nftables_each_element(nftables, NFPROTO_INET, TABLE, maps[i], find_holder,
					    &search, &ignored); /* then it stays unknown */

	/* Our own: an earlier start of this container died half-way. */
	if (search.id[0] && (strcmp(search.id, container_id) == 0 ||
			     (container_is_live && !container_is_live(arg, search.id)))) {
		log_debug("removing published ports of container %s, which is gone", search.id);
		return firewall_remove_if(nftables, is_this_id, search.id, err);
	}
	return err_set(err, EADDRINUSE,
		       "port %s:%u/%s is already published by container %.12s; choose another host "
		       "port",
		       item->host_ip ? item->host_ip : "0.0.0.0", item->host_port + offset,
		       port_protocol_name(item->protocol), search.id[0] ? search.id : "(unknown)");
}

static int check_families(const struct port_list *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++) {
		const char *host_ip = ports->items[i].host_ip;
		if (host_ip && strchr(host_ip, ':'))
			return err_set(err, EAFNOSUPPORT,
				       "port [%s]:%u: this network has no IPv6; publish on an IPv4 "
				       "address or on none",
				       host_ip, ports->items[i].host_port);
	}
	return 0;
}

int firewall_publish(struct nftables *nftables, const char *container_id, struct in_addr address,
		     const struct port_list *ports,
		     bool (*container_is_live)(void *arg, const char *container_id), void *arg,
		     struct err *err)
{
	if (check_families(ports, err) < 0)
		return -err->code;

	/* Each round removes one dead container, or ends. */
	for (;;) {
		size_t failed = SIZE_MAX;
		for (size_t i = 0; i < ports->count; i++)
			for (unsigned n = 0; n < ports->items[i].count; n++)
				publish_one(nftables, container_id, address, &ports->items[i], n);
		int result = nftables_commit(nftables, &failed, err);
		if (result != -EEXIST && result != -EBUSY)
			return result;
		result = resolve_conflict(nftables, container_id, ports, failed, container_is_live,
					  arg, err);
		if (result < 0)
			return result;
	}
}

struct removal {
	bool (*is_wanted)(void *arg, const char *container_id);
	void *arg;
	struct strbuf keys; /* all of one size */
};

static int collect(void *arg, const struct nftables_element *element)
{
	struct removal *removal = arg;

	if (element->comment && removal->is_wanted(removal->arg, element->comment))
		strbuf_add(&removal->keys, element->key, element->key_size);
	return 0;
}

/* Look, then delete what was seen. Somebody who deletes the same in between makes our transaction
 * fail as a whole; then there is less to see the next time. */
static int remove_from_map(struct nftables *nftables, const char *map, size_t key_size,
			   struct removal *removal, struct err *err)
{
	for (;;) {
		strbuf_reset(&removal->keys);
		int result = nftables_each_element(nftables, NFPROTO_INET, TABLE, map, collect,
						   removal, err);
		if (result == -EINTR) /* changed while we read it */
			continue;
		if (result == -ENOENT) /* no table, no elements */
			return 0;
		if (result < 0)
			return result;
		for (size_t at = 0; at + key_size <= removal->keys.size; at += key_size) {
			struct nftables_element element = { .key = removal->keys.data + at,
							    .key_size = key_size };
			nftables_delete_element(nftables, NFPROTO_INET, TABLE, map, &element);
		}
		result = nftables_commit(nftables, NULL, err);
		if (result != -ENOENT)
			return result;
	}
}

int firewall_remove_if(struct nftables *nftables,
		       bool (*is_wanted)(void *arg, const char *container_id), void *arg,
		       struct err *err)
{
	static const size_t key_sizes[] = { sizeof(struct published_key),
					    sizeof(struct published_at_key) };
	struct removal removal = { .is_wanted = is_wanted, .arg = arg };
	int result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(maps) && result == 0; i++)
		result = remove_from_map(nftables, maps[i], key_sizes[i], &removal, err);
	strbuf_clear(&removal.keys);
	return result;
}
