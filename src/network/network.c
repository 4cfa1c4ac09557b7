#include "network/network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/aside.h"
#include "kernel/netlink.h"
#include "kernel/nftables.h"
#include "network/firewall.h"
#include "network/pasta.h"

#define LOOPBACK_INDEX 1

static const char *const mode_names[] = {
	[NETWORK_NONE] = "none",   [NETWORK_HOST] = "host",	[NETWORK_BRIDGE] = "bridge",
	[NETWORK_PASTA] = "pasta", [NETWORK_JOINED] = "joined",
};
_Static_assert(ARRAY_SIZE(mode_names) == NETWORK_MODE_COUNT, "a name for each mode");

const char *network_mode_name(enum network_mode mode)
{
	return mode_names[mode];
}

int network_mode_parse(const char *text, enum network_mode *ret_mode, const char **ret_options,
		       struct err *err)
{
	bool is_root = geteuid() == 0;
	enum network_mode mode = is_root ? NETWORK_BRIDGE : NETWORK_PASTA;
	const char *options = NULL;

	if (!text || !*text || strcmp(text, "default") == 0 || strcmp(text, "private") == 0) {
		; /* this user's default */
	} else if (strcmp(text, "none") == 0) {
		mode = NETWORK_NONE;
	} else if (strcmp(text, "host") == 0) {
		mode = NETWORK_HOST;
	} else if (strncmp(text, "container:", 10) == 0 || strncmp(text, "ns:", 3) == 0) {
		mode = NETWORK_JOINED;
	} else if (strcmp(text, "pasta") == 0 || strncmp(text, "pasta:", 6) == 0) {
		mode = NETWORK_PASTA;
		options = text[5] ? text + 6 : NULL;
	} else if (strcmp(text, "bridge") == 0 || strcmp(text, "podman") == 0 ||
		   strcmp(text, "davit") == 0) {
		if (!is_root)
			return err_set(err, ENOTSUP,
				       "network '%s' needs root; leave --network out for pasta, or "
				       "use host or none",
				       text);
		mode = NETWORK_BRIDGE;
	} else {
		return err_set(err, ENOENT,
			       "no network '%s'; use bridge (root), pasta (users), host or none",
			       text);
	}
	*ret_mode = mode;
	*ret_options = options;
	return 0;
}

int network_prepare(enum network_mode mode, const struct network_settings *settings,
		    struct network_host *ret_host, struct err *err)
{
	struct network_host host = { .mode = mode };

	if (mode == NETWORK_BRIDGE) {
		autofree char *lock = xasprintf("%s/network.lock", settings->run_root);
		if (bridge_open_default(settings->default_subnet, lock, &host.bridge, err) < 0)
			return -err->code;
	} else if (mode == NETWORK_PASTA) {
		if (pasta_find(&host.pasta, err) < 0)
			return -err->code;
	}
	*ret_host = host;
	return 0;
}

int network_lease(const struct network_host *host, const struct in_addr *taken, size_t taken_count,
		  struct in_addr after, struct in_addr *ret_address, struct err *err)
{
	ret_address->s_addr = 0;
	if (host->mode != NETWORK_BRIDGE)
		return 0;
	if (bridge_choose_address(&host->bridge.subnet, host->bridge.gateway, taken, taken_count,
				  after, ret_address, err) < 0)
		return err_wrap(err, "network '%s'", host->bridge.name);
	return 0;
}

bool network_address_fits(const struct network_host *host, struct in_addr address)
{
	const struct ip_prefix one = { .family = AF_INET, .v4 = address, .prefix = 32 };

	return host->mode == NETWORK_BRIDGE && address.s_addr != host->bridge.gateway.s_addr &&
	       ip_prefix_overlaps(&one, &host->bridge.subnet);
}

/* -- start --------------------------------------------------------------------------------------
 */

int network_mac_parse(const char *text, uint8_t ret_mac[MAC_BYTES], struct err *err)
{
	uint8_t mac[MAC_BYTES] = { 0 };
	const char *at = text;
	bool is_good = true;

	for (int i = 0; is_good && i < MAC_BYTES; i++) {
		is_good = isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]) &&
			  (i == MAC_BYTES - 1 ? at[2] == '\0' : at[2] == ':' || at[2] == '-');
		if (is_good)
			mac[i] = (uint8_t)strtoul((char[]){ at[0], at[1], '\0' }, NULL, 16);
		at += 3;
	}
	if (!is_good)
		return err_set(err, EINVAL,
			       "address %s: invalid MAC address; write it as 02:00:5e:10:00:01",
			       text);
	if (mac[0] & 1)
		return err_set(err, EINVAL,
			       "address %s: invalid MAC address: a group's; make the first number "
			       "even",
			       text);
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int network_interface_check(const char *name, struct err *err)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/: \t\n%") ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lo") == 0)
		return err_set(err, EINVAL,
			       "'%s' cannot be the name of an interface; give up to %d letters, "
			       "digits, '-' or '_', such as eth0",
			       name, IFNAMSIZ - 1);
	return 0;
}

static int start_bridge(const struct network_request *request, struct network_status *status,
			struct err *err)
{
	const struct bridge_network *bridge = &request->host->bridge;
	autonftables struct nftables *nftables = NULL;
	struct bridge_port port = {
		.address = request->address,
		.interface = request->interface ?: "eth0",
		.net_ns_fd = request->net_ns_fd,
	};

	bridge_mac_for_address(request->address, port.mac);
	if (request->mac && network_mac_parse(request->mac, port.mac, err) < 0)
		return -err->code;
	port.has_own_mac = request->mac != NULL;
	if (bridge_connect(bridge, &port, err) < 0)
		return -err->code;
	if (request->ports && request->ports->count) {
		if (nftables_open(&nftables, err) < 0 ||
		    firewall_publish(nftables, request->container_id, request->address,
				     request->ports, request->container_is_live, request->live_arg,
				     err) < 0)
			return -err->code;
	}
	status->has_ports = request->ports && request->ports->count;
	snprintf(status->network, sizeof(status->network), "%s", bridge->name);
	snprintf(status->interface, sizeof(status->interface), "%s", port.interface);
	inet_ntop(AF_INET, &request->address, status->address, sizeof(status->address));
	inet_ntop(AF_INET, &bridge->gateway, status->gateway, sizeof(status->gateway));
	status->prefix = bridge->subnet.prefix;
	snprintf(status->mac, sizeof(status->mac), "%02x:%02x:%02x:%02x:%02x:%02x", port.mac[0],
		 port.mac[1], port.mac[2], port.mac[3], port.mac[4], port.mac[5]);
	return 0;
}

int network_start(const struct network_request *request, struct network_status *ret_status,
		  struct err *err)
{
	struct network_status status = { .mode = request->host->mode, .wait_fd = -1, .log_fd = -1 };
	int result = 0;

	switch (request->host->mode) {
	case NETWORK_BRIDGE:
		result = start_bridge(request, &status, err);
		break;
	case NETWORK_PASTA:
		result = pasta_start(request, &status, err);
		break;
	case NETWORK_NONE: /* the runtime has set loopback up */
	case NETWORK_HOST:
	case NETWORK_JOINED:
	case NETWORK_MODE_COUNT:
		break;
	}
	if (result < 0)
		return result;
	*ret_status = status;
	return 0;
}

int network_wait(struct network_status *status, struct err *err)
{
	return status->mode == NETWORK_PASTA ? pasta_wait(status, err) : 0;
}

/* -- stop ---------------------------------------------------------------------------------------
 */

static bool is_this_id(void *arg, const char *container_id)
{
	return strcmp(container_id, arg) == 0;
}

struct id_list {
	const char *const *items;
	size_t count;
};

static bool is_not_listed(void *arg, const char *container_id)
{
	const struct id_list *list = arg;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], container_id) == 0)
			return false;
	return true;
}

struct removal {
	bool (*is_wanted)(void *arg, const char *container_id);
	void *arg;
};

static int remove_elements(void *arg, struct err *err)
{
	const struct removal *removal = arg;
	autonftables struct nftables *nftables = NULL;

	if (nftables_open(&nftables, err) < 0)
		return -err->code;
	int result = firewall_remove_if(nftables, removal->is_wanted, removal->arg, err);
	nftables_leave_open(nftables);
	return result;
}

/* The elements are gone in 0.1 ms, but closing the socket then waits for an RCU grace period, 10 to
 * 20 ms: that is left to a process nobody waits for. */
static int remove_if(bool (*is_wanted)(void *arg, const char *container_id), void *arg,
		     struct err *err)
{
	struct removal removal = { .is_wanted = is_wanted, .arg = arg };

	return aside_run(ASIDE_LEAVE, remove_elements, &removal, err);
}

int network_stop(const struct network_status *status, const char *container_id, const char *run_dir,
		 struct err *err)
{
	if (status->mode == NETWORK_PASTA)
		pasta_stop(status, run_dir);
	return status->mode == NETWORK_BRIDGE && status->has_ports
		       ? remove_if(is_this_id, (char *)container_id, err)
		       : 0;
}

int network_sweep(const char *const *live_ids, size_t live_count, struct err *err)
{
	struct id_list live = { .items = live_ids, .count = live_count };

	return geteuid() == 0 ? remove_if(is_not_listed, &live, err) : 0;
}

/* -- what others are told ------------------------------------------------------------------------
 */

struct json_object *network_status_to_json(const struct network_status *status)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "mode", mode_names[status->mode]);
	if (*status->network)
		json_add_string(object, "network", status->network);
	if (*status->interface)
		json_add_string(object, "interface", status->interface);
	if (*status->address) {
		json_add_string(object, "address", status->address);
		json_add_int(object, "prefix", status->prefix);
		json_add_string(object, "gateway", status->gateway);
		json_add_string(object, "mac", status->mac);
	}
	json_add_bool(object, "has_ports", status->has_ports);
	if (status->helper_pid)
		json_add_int(object, "helper_pid", status->helper_pid);
	return object;
}

static void take_text(struct json_object *object, const char *key, char *text, size_t size)
{
	snprintf(text, size, "%s", json_get_string(object, key, ""));
}

int network_status_from_json(struct json_object *object, struct network_status *ret_status,
			     struct err *err)
{
	struct network_status status = { .wait_fd = -1, .log_fd = -1 };
	const char *mode = json_get_string(object, "mode", "");

	while (status.mode < NETWORK_MODE_COUNT && strcmp(mode_names[status.mode], mode) != 0)
		status.mode++;
	if (status.mode == NETWORK_MODE_COUNT)
		return err_set(err, EINVAL, "network status: unknown mode '%s'", mode);
	take_text(object, "network", status.network, sizeof(status.network));
	take_text(object, "interface", status.interface, sizeof(status.interface));
	take_text(object, "address", status.address, sizeof(status.address));
	take_text(object, "gateway", status.gateway, sizeof(status.gateway));
	take_text(object, "mac", status.mac, sizeof(status.mac));
	status.prefix = (unsigned)json_get_int(object, "prefix", 0);
	status.has_ports = json_get_bool(object, "has_ports", false);
	status.helper_pid = (pid_t)json_get_int(object, "helper_pid", 0);
	*ret_status = status;
	return 0;
}

void network_names(const struct network_host *host, struct in_addr address,
		   struct network_names *ret_names)
{
	struct network_names names = { 0 };

	switch (host->mode) {
	case NETWORK_NONE:
		snprintf(names.own_address, sizeof(names.own_address), "127.0.0.1");
		break;
	case NETWORK_HOST:
		snprintf(names.host_address, sizeof(names.host_address), "127.0.0.1");
		break;
	case NETWORK_BRIDGE:
		inet_ntop(AF_INET, &address, names.own_address, sizeof(names.own_address));
		inet_ntop(AF_INET, &host->bridge.gateway, names.host_address,
			  sizeof(names.host_address));
		break;
	case NETWORK_PASTA:
		pasta_names(&host->pasta, &names);
		break;
	case NETWORK_JOINED: /* its addresses are not known to us */
		names.has_ipv6 = true;
		break;
	case NETWORK_MODE_COUNT:
		break;
	}
	*ret_names = names;
}
