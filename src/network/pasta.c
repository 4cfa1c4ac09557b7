#include "network/pasta.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "kernel/aside.h"
#include "kernel/netlink.h"
#include "kernel/pidfd.h"
#include "network/network.h"

#define TUN_DEVICE "/dev/net/tun"

/* The container has an address of its own, unlike with podman, which copies the host's: so the host
 * can be reached at its address. The numbers are those of slirp4netns, which every user of rootless
 * containers has seen. */
#define OWN_ADDRESS	"10.0.2.100"
#define OWN_PREFIX	24
#define GATEWAY_ADDRESS "10.0.2.2"
/* "dav" in hexadecimal: a network of the kind that everybody may make up. */
#define OWN_ADDRESS6	 "fd64:6176::64"
#define OWN_PREFIX6	 64
#define GATEWAY_ADDRESS6 "fd64:6176::2"
/* pasta hands queries to this address to the host's own resolver, wherever that listens. The same
 * as podman's. */
#define DNS_FORWARDER "169.254.1.1"

#define OWN_MAC	    "0a:da:0a:00:02:64"
#define GATEWAY_MAC "0a:da:0a:00:02:02"

#define TAP_NAME       "eth0"
#define TAP_MTU	       65520 /* what pasta uses: the largest that suits IPv4 headers and vnet */
#define LOOPBACK_INDEX 1

#define LOG_NAME "pasta.log"
/* A pasta that has not let go of its ports by then is stuck in the kernel. */
#define STOP_MSEC  2000
#define READY_NAME "pasta.ready"
#define NETNS_NAME "pasta.netns"

/* -- the host's side ----------------------------------------------------------------------------
 */

struct outbound_search {
	unsigned link_index;
	struct in_addr address;
};

static int take_default_route(void *arg, unsigned link_index, const struct ip_prefix *destination,
			      const void *gateway)
{
	struct outbound_search *search = arg;

	if (destination->prefix)
		return 0;
	search->link_index = link_index;
	return 1;
}

static int take_first_address(void *arg, unsigned link_index, const struct ip_prefix *address)
{
	struct outbound_search *search = arg;

	if (search->link_index ? link_index != search->link_index : link_index == LOOPBACK_INDEX)
		return 0;
	search->address = address->v4;
	return 1;
}

/* The address of the interface with the default route, else any but the loopback's. A host without
 * addresses is no error: it has no network, and neither have containers. Of IPv6 only whether there
 * is a way out. */
static void find_host_links(struct pasta_host *host)
{
	autonetlink struct netlink *netlink = NULL;
	struct outbound_search search = { 0 };
	struct err ignored;

	if (netlink_open(&netlink, &ignored) < 0)
		return;
	(void)netlink_each_route(netlink, AF_INET, take_default_route, &search, &ignored);
	(void)netlink_each_address(netlink, AF_INET, take_first_address, &search, &ignored);
	host->host_address = search.address;

	search.link_index = 0;
	(void)netlink_each_route(netlink, AF_INET6, take_default_route, &search, &ignored);
	if (!search.link_index || !if_indextoname(search.link_index, host->ipv6_link))
		host->ipv6_link[0] = '\0';
}

int pasta_find(struct pasta_host *ret_host, struct err *err)
{
	static const char *const programs[] = { "/usr/local/bin/pasta", "/usr/bin/pasta",
						"/usr/libexec/podman/pasta" };
	struct pasta_host host = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(programs) && !host.program; i++)
		if (access(programs[i], X_OK) == 0)
			host.program = programs[i];
	if (!host.program)
		return err_set(err, ENOENT,
			       "an ordinary user's containers need the program pasta for their "
			       "network; install the package passt, or use --network host or none");
	if (access(TUN_DEVICE, R_OK | W_OK) < 0)
		return err_errno(err, "network 'pasta' needs " TUN_DEVICE
				      "; let root run 'modprobe tun; chmod 666 " TUN_DEVICE
				      "', or use --network host or none");
	find_host_links(&host);
	*ret_host = host;
	return 0;
}

void pasta_names(const struct pasta_host *host, struct network_names *names)
{
	snprintf(names->own_address, sizeof(names->own_address), "%s", OWN_ADDRESS);
	snprintf(names->dns_forwarder, sizeof(names->dns_forwarder), "%s", DNS_FORWARDER);
	if (host->host_address.s_addr)
		inet_ntop(AF_INET, &host->host_address, names->host_address,
			  sizeof(names->host_address));
	names->has_ipv6 = host->ipv6_link[0] != '\0';
}

/* -- the container's side -----------------------------------------------------------------------
 */

/* Running a function inside the container's user and network namespace. To enter a user namespace
 * is a one-way road, so a child does it. */
struct inside {
	int pid_fd;
	int (*body)(void *arg, struct err *err);
	void *arg;
};

static int enter_and_run(void *arg, struct err *err)
{
	const struct inside *inside = arg;

	/* EINVAL: root's container is in our own user namespace. */
	if (setns(inside->pid_fd, CLONE_NEWUSER | CLONE_NEWNET) < 0 &&
	    (errno != EINVAL || setns(inside->pid_fd, CLONE_NEWNET) < 0))
		return err_errno(err, "enter the container's network namespace");
	return inside->body(inside->arg, err);
}

static int run_inside(int pid_fd, int (*body)(void *arg, struct err *err), void *arg,
		      struct err *err)
{
	struct inside inside = { .pid_fd = pid_fd, .body = body, .arg = arg };

	return aside_run(ASIDE_SHARE_FILES, enter_and_run, &inside, err);
}

static void parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
	for (int i = 0; i < MAC_BYTES; i++)
		mac[i] = (uint8_t)strtoul(text + 3 * i, NULL, 16);
}

/* Keeps reports of multicast groups, which the kernel sends when it gets an IPv6 address, out of the
 * tap's queue: IPv6 packets that start with hop-by-hop options. Pasta has no use for them. */
static void drop_reports(int tap)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* the Ethernet type */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6), /* the IPv6 next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_HOPOPTS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };

	/* Without it pasta starts earlier than needed. */
	(void)ioctl(tap, TUNATTACHFILTER, &filter);
}

static void queue_network(struct netlink *netlink, unsigned link_index, const char *own_text,
			  uint8_t prefix, const char *gateway_text)
{
	struct ip_prefix own, gateway;
	uint8_t gateway_mac[MAC_BYTES];

	ip_prefix_parse(own_text, &own);
	own.prefix = prefix;
	ip_prefix_parse(gateway_text, &gateway);
	parse_mac(GATEWAY_MAC, gateway_mac);
	netlink_add_address(netlink, link_index, &own);
	netlink_add_default_route(netlink, link_index, own.family, &gateway.v6, false);
	netlink_add_neighbour(netlink, link_index, own.family, &gateway.v6, gateway_mac);
}

struct tap {
	bool has_ipv6;
	int fd; /* result */
};

/* Nothing is sent before somebody in the container sends: no link-local address, hence no
 * neighbour or router discovery, and a gateway whose address need not be asked for. So the first
 * packet in the queue means that the network is wanted. */
static int make_tap(void *arg, struct err *err)
{
	struct tap *tap = arg;
	autonetlink struct netlink *netlink = NULL;
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct netlink_link link;
	uint8_t own_mac[MAC_BYTES];

	autoclose int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open " TUN_DEVICE);
	snprintf(request.ifr_name, sizeof(request.ifr_name), TAP_NAME);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return err_errno(err, "make tap interface");
	drop_reports(fd);

	parse_mac(OWN_MAC, own_mac);
	if (netlink_open(&netlink, err) < 0 || netlink_find_link(netlink, TAP_NAME, &link, err) < 0)
		return -err->code;
	netlink_set_up(netlink, LOOPBACK_INDEX, NULL, 0);
	netlink_set_no_link_local(netlink, link.index);
	netlink_set_up(netlink, link.index, own_mac, TAP_MTU);
	queue_network(netlink, link.index, OWN_ADDRESS, OWN_PREFIX, GATEWAY_ADDRESS);
	if (netlink_commit(netlink, err) < 0)
		return -err->code;
	if (tap->has_ipv6) {
		struct err ignored; /* a sysctl of the container may say no to IPv6 */
		queue_network(netlink, link.index, OWN_ADDRESS6, OWN_PREFIX6, GATEWAY_ADDRESS6);
		(void)netlink_commit(netlink, &ignored);
	}
	tap->fd = take_fd(&fd);
	return 0;
}

/* -- pasta --------------------------------------------------------------------------------------
 */

/* [ADDRESS/]HOST[-HOST]:CONTAINER[-CONTAINER] behind -t or -u. */
static int add_forwards(const struct port_list *ports, bool has_ipv6, struct strlist *arguments,
			struct err *err)
{
	bool has[PORT_PROTOCOL_COUNT] = { false };

	for (size_t i = 0; ports && i < ports->count; i++) {
		const struct port_mapping *item = &ports->items[i];
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		if (item->protocol == PORT_SCTP)
			return err_set(err, EPROTONOSUPPORT,
				       "port %u/sctp: pasta forwards tcp and udp only; as root, "
				       "bridge networks forward sctp",
				       item->host_port);
		if (item->host_ip && strchr(item->host_ip, ':') && !has_ipv6)
			return err_set(
				err, EAFNOSUPPORT,
				"port [%s]:%u: pasta needs an IPv6 default route of the host "
				"for that; publish on an IPv4 address or on none",
				item->host_ip, item->host_port);
		has[item->protocol] = true;
		if (item->host_ip && strcmp(item->host_ip, "0.0.0.0") != 0)
			strbuf_addf(&text, "%s/", item->host_ip);
		strbuf_addf(&text, "%u", item->host_port);
		if (item->count > 1)
			strbuf_addf(&text, "-%u", item->host_port + item->count - 1);
		strbuf_addf(&text, ":%u", item->container_port);
		if (item->count > 1)
			strbuf_addf(&text, "-%u", item->container_port + item->count - 1);
		strlist_add(arguments, item->protocol == PORT_TCP ? "-t" : "-u");
		strlist_take(arguments, strbuf_take(&text));
	}
	if (!has[PORT_TCP]) {
		strlist_add(arguments, "-t");
		strlist_add(arguments, "none");
	}
	if (!has[PORT_UDP]) {
		strlist_add(arguments, "-u");
		strlist_add(arguments, "none");
	}
	return 0;
}

struct pasta_option {
	const char *name, *value;
};

static void add_options(struct strlist *arguments, const struct pasta_option *options, size_t count,
			const struct strlist *own)
{
	for (size_t i = 0; i < count; i++) {
		/* pasta takes most options once only, and the user's wish goes first. */
		if (strlist_contains(own, options[i].name))
			continue;
		strlist_add(arguments, options[i].name);
		if (options[i].value)
			strlist_add(arguments, options[i].value);
	}
}

/* Root's pasta stays root, for "nobody", which it would become, may not enter the namespace. It gives up
 * most of its rights before it opens that, so not by /proc/PID, which asks for rights over the
 * process: davit-pasta puts the namespace on a file, see there. */
static void add_namespace(const struct network_request *request, const struct strlist *own,
			  struct strlist *arguments)
{
	if (geteuid() != 0) {
		strlist_addf(arguments, "%d", request->pid);
		return;
	}
	if (!strlist_contains(own, "--runas")) {
		strlist_add(arguments, "--runas");
		strlist_add(arguments, "0");
	}
	strlist_add(arguments, "--netns-only");
	strlist_add(arguments, "--netns");
	strlist_take(arguments, path_join(request->run_dir, NETNS_NAME));
}

/* What the options are for:
 *  -F      our tap instead of one that pasta makes: no --config-net either
 *  -i lo   asks the host's routing for nothing, so it works on a host without a default route too;
 *          for IPv6 pasta insists on an interface with a link-local address
 *  -T, -U  no ports of the host's loopback inside, as podman decides; scanning for such is half of
 *          pasta's start, for ever repeated
 *  --no-map-gw  the gateway's address does not lead to the host's loopback; podman's word for the
 *          contrary is --map-gw, which pasta does not know
 *  -P      written when all ports are bound: how the launcher knows. A named pipe, for newer pastas
 *          close every descriptor they are not told of */
static int pasta_arguments(const struct network_request *request, int tap_fd,
			   const char *ready_path, struct strlist *arguments, struct err *err)
{
	const char *ipv6_link = request->host->pasta.ipv6_link;
	static const struct pasta_option common[] = {
		{ "-f", NULL },
		{ "-q", NULL },
		{ "-a", OWN_ADDRESS },
		{ "-n", "24" },
		{ "-g", GATEWAY_ADDRESS },
		{ "-M", GATEWAY_MAC },
		{ "--ns-mac-addr", OWN_MAC },
		{ "--dns-forward", DNS_FORWARDER },
		{ "-T", "none" },
		{ "-U", "none" },
	};
	static const struct pasta_option ipv4_only[] = {
		{ "-i", "lo" },
		{ "-4", NULL },
	};
	const struct pasta_option ipv6[] = {
		{ "-i", ipv6_link },
	};
	autostrlist struct strlist own = STRLIST_EMPTY;

	if (request->pasta_options)
		strlist_split(&own, request->pasta_options, ',');
	strlist_add(arguments, "pasta");
	add_options(arguments, common, ARRAY_SIZE(common), &own);
	if (*ipv6_link) {
		add_options(arguments, ipv6, ARRAY_SIZE(ipv6), &own);
		strlist_add(arguments, "-a");
		strlist_add(arguments, OWN_ADDRESS6);
		strlist_add(arguments, "-g");
		strlist_add(arguments, GATEWAY_ADDRESS6);
	} else {
		add_options(arguments, ipv4_only, ARRAY_SIZE(ipv4_only), &own);
	}
	if (!strlist_contains(&own, "--map-gw") && !strlist_contains(&own, "--no-map-gw"))
		strlist_add(arguments, "--no-map-gw");
	strlist_add(arguments, "-F");
	strlist_addf(arguments, "%d", tap_fd);
	if (ready_path) {
		strlist_add(arguments, "-P");
		strlist_add(arguments, ready_path);
	}
	if (add_forwards(request->ports, *ipv6_link, arguments, err) < 0)
		return -err->code;
	for (size_t i = 0; i < own.count; i++)
		if (own.items[i][0] && strcmp(own.items[i], "--map-gw") != 0)
			strlist_add(arguments, own.items[i]);
	add_namespace(request, &own, arguments);
	return 0;
}

/* Descriptors of the helper, see davit-pasta.c. */
enum helper_fd {
	HELPER_LOG = 2,
	HELPER_TAP = 3,
	HELPER_CONTAINER = 4,
	HELPER_READY = 5,
	HELPER_NETNS = 6,
};

/* posix_spawn() stands still like vfork(2) until the program runs, instead of copying our memory. */
static int spawn_helper(const char *path, char *const *arguments, const int *sources,
			size_t source_count, pid_t *ret_pid, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, pipe_only;
	int raised[5] = { -1, -1, -1, -1, -1 };

	assert(source_count <= ARRAY_SIZE(raised));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	for (size_t i = 0; i < source_count; i++) {
		if (sources[i] < 0)
			continue;
		/* Out of the way: a source may lie where another one goes. */
		raised[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 16);
		posix_spawn_file_actions_adddup2(&actions, raised[i], HELPER_LOG + (int)i);
	}
	/* A terminal's signals are for the container. pasta refuses to run when SIGPIPE is ignored,
	 * which some service managers do. */
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &pipe_only);

	int error = posix_spawn(ret_pid, path, &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; i < source_count; i++)
		fd_close(&raised[i]);
	if (error)
		return err_set(err, error, "start '%s': %s", path, strerror(error));
	return 0;
}

/* Both ends of a named pipe. davit-pasta holds one for both directions until pasta is dead: who
 * reads comes to an end then, see pasta_wait(), and so does who writes, see pasta_stop(). */
static int open_ready(const char *path, int *ret_read, int *ret_write, struct err *err)
{
	(void)unlink(path); /* of an earlier start of this container */
	if (mkfifo(path, 0600) < 0)
		return err_errno(err, "make pipe '%s'", path);
	autoclose int reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	autoclose int writing = open(path, O_RDWR | O_CLOEXEC);
	if (reading < 0 || writing < 0 || fcntl(reading, F_SETFL, 0) < 0)
		return err_errno(err, "open pipe '%s'", path);
	*ret_read = take_fd(&reading);
	*ret_write = take_fd(&writing);
	return 0;
}

int pasta_start(const struct network_request *request, struct network_status *status,
		struct err *err)
{
	autostrlist struct strlist arguments = STRLIST_EMPTY;
	bool has_ports = request->ports && request->ports->count;
	/* Of the user's own options pasta knows only when it starts whether they are good. */
	bool is_waited_for = has_ports || (request->pasta_options && *request->pasta_options);
	autofree char *log_path = path_join(request->run_dir, LOG_NAME);
	autofree char *ready_path = is_waited_for ? path_join(request->run_dir, READY_NAME) : NULL;
	autoclose int tap_fd = -1, ready_read = -1, ready_write = -1;

	struct tap tap = { .has_ipv6 = request->host->pasta.ipv6_link[0], .fd = -1 };
	autoclose int log =
		open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return err_errno(err, "open '%s'", log_path);
	if (is_waited_for && open_ready(ready_path, &ready_read, &ready_write, err) < 0)
		return -err->code;
	/* A file to put the namespace on, see add_namespace(). */
	autofree char *netns_path = path_join(request->run_dir, NETNS_NAME);
	bool is_root = geteuid() == 0;
	if (is_root && file_write(AT_FDCWD, netns_path, "", 0, 0600, 0, err) < 0)
		return -err->code;
	strlist_add(&arguments, "davit-pasta");
	strlist_add(&arguments, is_waited_for ? "now" : "later");
	strlist_add(&arguments, is_root ? netns_path : "-");
	strlist_add(&arguments, request->host->pasta.program);
	if (pasta_arguments(request, HELPER_TAP, ready_path, &arguments, err) < 0 ||
	    run_inside(request->pid_fd, make_tap, &tap, err) < 0)
		return -err->code;
	tap_fd = tap.fd;

	const int sources[] = { log, tap_fd, request->pid_fd, ready_write,
				is_root ? request->net_ns_fd : -1 };
	pid_t pid;
	if (spawn_helper(request->helper_path, arguments.items, sources, ARRAY_SIZE(sources), &pid,
			 err) < 0)
		return -err->code;

	snprintf(status->interface, sizeof(status->interface), TAP_NAME);
	snprintf(status->address, sizeof(status->address), OWN_ADDRESS);
	snprintf(status->gateway, sizeof(status->gateway), GATEWAY_ADDRESS);
	snprintf(status->mac, sizeof(status->mac), OWN_MAC);
	status->prefix = OWN_PREFIX;
	status->helper_pid = pid;
	status->has_ports = has_ports;
	status->wait_fd = take_fd(&ready_read);
	status->log_fd = take_fd(&log);
	return 0;
}

/* What pasta said first: the reason; what follows may be its help. Where there is no system logger it
 * also complains about that. */
static void first_words(int log_fd, struct strbuf *ret_text)
{
	static const char noise[] = "Failed to send ";
	autostrbuf struct strbuf log = STRBUF_EMPTY;
	char path[64];
	struct err ignored;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd); /* ours is for writing only */
	if (file_read(AT_FDCWD, path, &log, 65536, &ignored) < 0)
		return;
	for (const char *line = strbuf_text(&log); *line;) {
		size_t size = strcspn(line, "\n");
		if (size && strncmp(line, noise, sizeof(noise) - 1) != 0) {
			strbuf_add(ret_text, line, size);
			return;
		}
		line += size + (line[size] == '\n');
	}
}

int pasta_wait(struct network_status *status, struct err *err)
{
	char word[32];
	int result = 0;

	if (status->wait_fd >= 0) {
		ssize_t size = fd_read_full(status->wait_fd, word, 1);
		if (size < 1) {
			autostrbuf struct strbuf text = STRBUF_EMPTY;
			first_words(status->log_fd, &text);
			result = err_set(err, EIO, "start the network: %s",
					 text.size ? strbuf_text(&text) : "pasta ended at once");
			if (status->helper_pid > 1)
				(void)kill(status->helper_pid, SIGTERM); /* our child */
		}
	}
	fd_close(&status->wait_fd);
	fd_close(&status->log_fd);
	return result;
}

void pasta_stop(const struct network_status *status, const char *run_dir)
{
	char path[64];
	autostrbuf struct strbuf name = STRBUF_EMPTY;
	struct err ignored;

	/* It ends by itself, so by now the number may be somebody else's. The descriptor comes
	 * first: what is then found to be ours stays ours. Of a start that was killed in the middle
	 * the number is not known (0), and the end of the container has to do. */
	autoclose int pid_fd = status->helper_pid > 1 ? pidfd_open_process(status->helper_pid) : -1;
	snprintf(path, sizeof(path), "/proc/%d/comm", status->helper_pid);
	if (pid_fd >= 0 && file_read(AT_FDCWD, path, &name, 64, &ignored) == 0 &&
	    strcmp(strbuf_text(&name), "davit-pasta\n") == 0)
		(void)pidfd_signal(pid_fd, SIGTERM); /* it may just have ended */

	/* Who takes the container down may start it, or another one, on the same ports at once. To
	 * wait for the end of the process would take ten times as long, for with it the tap and
	 * pasta's namespaces go. */
	if (!status->has_ports)
		return;
	autofree char *ready_path = path_join(run_dir, READY_NAME);
	autoclose int alive = open(ready_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (alive >= 0) {
		struct pollfd ended = { .fd = alive };
		(void)poll(&ended, 1, STOP_MSEC);
	}
}
