#include "cli/network-options.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/container-options.h"
#include "engine/container-dependencies.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/namespace-mode.h"
#include "engine/published-ports.h"
#include "engine/shared-namespaces.h"
#include "engine/time-offset.h"
#include "kernel/netlink.h"
#include "network/files.h"
#include "network/network.h"
#include "network/ports.h"
#include "oci/image-config.h"

/* ---- the network ---- */

static bool is_named(const char *asked, const char *mode)
{
	size_t size = strlen(mode);

	return strncmp(asked, mode, size) == 0 && (!asked[size] || asked[size] == ':');
}

/* The bridge has IPv4 addresses only. */
static int refuse_ip6(const char *text, struct err *err)
{
	struct ip_prefix ip;

	if (strchr(text, '/') || ip_prefix_parse(text, &ip) < 0 || ip.family != AF_INET6)
		return err_set(err, EINVAL,
			       "\"%s\" is not an IPv6 address; give one such as fd00::7", text);
	return err_set(err, EINVAL,
		       "requested static ip %s not in any subnet on network davit, which has IPv4 "
		       "only; leave it out, or use --network host",
		       text);
}

/* The options of a bridge network: "ip=ADDRESS", "mac=ADDRESS", "interface_name=NAME", "alias=NAME". */
static int read_bridge_option(const char *text, struct container_spec *spec, struct err *err)
{
	const struct {
		const char *key;
		char **field;
	} keys[] = {
		{ "ip=", &spec->static_ip },
		{ "mac=", &spec->static_mac },
		{ "interface_name=", &spec->interface_name },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t size = strlen(keys[i].key);
		if (strncmp(text, keys[i].key, size) != 0)
			continue;
		free(*keys[i].field);
		*keys[i].field = xstrdup(text + size);
		return 0;
	}
	if (strncmp(text, "alias=", 6) == 0) {
		strlist_add(&spec->network_aliases, text + 6);
		return 0;
	}
	if (strncmp(text, "ip6=", 4) == 0)
		return refuse_ip6(text + 4, err);
	return err_set(err, EINVAL,
		       "unknown bridge network option: '%s'; there are ip=ADDRESS, mac=ADDRESS, "
		       "interface_name=NAME and alias=NAME",
		       text);
}

static int read_bridge_options(const char *options, struct container_spec *spec, struct err *err)
{
	autostrlist struct strlist list = STRLIST_EMPTY;

	strlist_split(&list, options, ',');
	for (size_t i = 0; i < list.count; i++)
		if (read_bridge_option(list.items[i], spec, err) < 0)
			return -err->code;
	return 0;
}

/* What only a bridge can give. */
static int read_addresses(const struct container_args *args, struct container_spec *spec,
			  struct err *err)
{
	const char *option = args->ip			   ? "ip"
			     : args->ip6		   ? "ip6"
			     : args->mac_address	   ? "mac-address"
			     : args->network_aliases.count ? "network-alias"
							   : NULL;
	uint8_t mac[MAC_BYTES];
	struct ip_prefix ip;

	if (option && strcmp(spec->network_mode, "bridge") != 0)
		return err_set(err, EINVAL,
			       "--%s can only be set when the network mode is bridge, not with "
			       "--network %s",
			       option, spec->network_mode);
	if (args->ip6)
		return refuse_ip6(args->ip6, err);
	strlist_extend(&spec->network_aliases, &args->network_aliases);
	for (size_t i = 0; i < spec->network_aliases.count; i++)
		if (!*spec->network_aliases.items[i] ||
		    hosts_check_name("network alias", spec->network_aliases.items[i], err) < 0)
			return *spec->network_aliases.items[i]
				       ? -err->code
				       : err_set(err, EINVAL,
						 "a network alias is empty; give a name");
	if (args->ip) {
		free(spec->static_ip);
		spec->static_ip = xstrdup(args->ip);
	}
	if (args->mac_address) {
		free(spec->static_mac);
		spec->static_mac = xstrdup(args->mac_address);
	}
	if (spec->static_ip && (strchr(spec->static_ip, '/') ||
				ip_prefix_parse(spec->static_ip, &ip) < 0 || ip.family != AF_INET))
		return err_set(err, EINVAL,
			       "\"%s\" is not an IPv4 address; give one such as 10.88.0.7",
			       spec->static_ip);
	if (spec->static_mac && network_mac_parse(spec->static_mac, mac, err) < 0)
		return -err->code;
	return spec->interface_name ? network_interface_check(spec->interface_name, err) : 0;
}

static int choose_network(struct engine *engine, const struct container_args *args,
			  struct container_spec *spec, struct err *err)
{
	static const struct {
		const char *name, *mode;
	} modes[] = {
		{ "none", "none" },	{ "host", "host" },    { "pasta", "pasta" },
		{ "bridge", "bridge" }, { "davit", "bridge" }, { "podman", "bridge" },
	};
	const char *asked = args->networks.count ? args->networks.items[0] : engine->settings.netns;
	const char *options = NULL;
	struct namespace_mode mode;
	int r = 0;

	if (args->networks.count > 1)
		return err_set(
			err, EINVAL,
			"cannot set multiple networks: a container has one network; give one "
			"--network");

	if (!asked || !*asked || strcmp(asked, "private") == 0 || strcmp(asked, "default") == 0)
		asked = engine->is_rootless ? "pasta" : "bridge";
	if (namespace_mode_parse(OCI_NS_NETWORK, asked, &mode, err) < 0)
		return -err->code;
	if (mode.kind == NAMESPACE_CONTAINER || mode.kind == NAMESPACE_PATH) {
		spec->network_mode = xstrdup(asked);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (is_named(asked, modes[i].name)) {
			spec->network_mode = xstrdup(modes[i].mode);
			options = strchr(asked, ':');
		}
	if (!spec->network_mode)
		return err_set(err, ENOENT,
			       "network '%s' not found; there are bridge, pasta, host and none",
			       asked);
	bool is_bridge = strcmp(spec->network_mode, "bridge") == 0;
	bool is_pasta = strcmp(spec->network_mode, "pasta") == 0;
	if (options && is_bridge)
		r = read_bridge_options(options + 1, spec, err);
	else if (options && is_pasta)
		strlist_split(&spec->pasta_options, options + 1, ',');
	else if (options)
		r = err_set(err, EINVAL, "network '%s' takes no options; leave '%s' out",
			    spec->network_mode, options);
	else if (is_pasta)
		strlist_extend(&spec->pasta_options, &engine->settings.pasta_options);
	if (r < 0)
		return r;
	if (is_bridge && engine->is_rootless)
		return err_set(err, EPERM,
			       "--network bridge needs root; an ordinary user's network is pasta");
	return 0;
}

/* The files about a network are those of the container that it belongs to. */
static int check_joined(const struct container_args *args, const struct container_spec *spec,
			struct err *err)
{
	if (namespace_mode_of(spec, OCI_NS_NETWORK).kind != NAMESPACE_CONTAINER)
		return 0;
	if (args->add_hosts.count)
		return err_set(
			err, EINVAL,
			"cannot set extra host entries when the container is joined to "
			"another container's network namespace; give --add-host to that one");
	if (args->hosts_file && *args->hosts_file)
		return err_set(
			err, EINVAL,
			"--hosts-file cannot be set when the network is another container's, "
			"for so is /etc/hosts; give it to that one, or use --no-hosts");
	if (args->dns.count || args->dns_searches.count || args->dns_options.count)
		return err_set(err, EINVAL,
			       "conflicting options: dns and the network mode: container; give "
			       "--dns, --dns-search and --dns-option to the other container");
	return 0;
}

/* A path, "none" or "image"; "" means what containers.conf says. */
static int read_hosts_file(const struct container_args *args, struct container_spec *spec,
			   struct err *err)
{
	const char *file = args->hosts_file;

	if (!file || !*file)
		return 0;
	if (strcmp(file, "none") != 0 && strcmp(file, "image") != 0) {
		if (file[0] != '/')
			return err_set(
				err, EINVAL,
				"--hosts-file '%s' is no absolute path; give one, or none, or "
				"image",
				file);
		if (access(file, R_OK) < 0)
			return err_errno(err, "--hosts-file '%s'", file);
	}
	spec->hosts_file = xstrdup(file);
	return 0;
}

static int read_files(struct engine *engine, const struct container_args *args,
		      struct container_spec *spec, struct err *err)
{
	strlist_extend(&spec->add_hosts, &args->add_hosts);
	for (size_t i = 0; i < args->add_hosts.count; i++)
		if (hosts_check_extra(args->add_hosts.items[i], err) < 0)
			return -err->code;
	const struct strlist *servers =
		args->dns.count ? &args->dns : &engine->settings.dns_servers;
	spec->no_resolv = servers->count == 1 && strcmp(servers->items[0], "none") == 0;
	if (spec->no_resolv && (args->dns_searches.count || args->dns_options.count))
		return err_set(
			err, EINVAL,
			"--dns none leaves /etc/resolv.conf to the image, so --dns-search and "
			"--dns-option cannot be given with it");
	if (!spec->no_resolv)
		strlist_extend(&spec->dns_servers, servers);
	strlist_extend(&spec->dns_searches, args->dns_searches.count
						    ? &args->dns_searches
						    : &engine->settings.dns_searches);
	strlist_extend(&spec->dns_options, args->dns_options.count ? &args->dns_options
								   : &engine->settings.dns_options);
	if (args->no_hosts && args->add_hosts.count)
		return err_set(err, EINVAL,
			       "--no-hosts and --add-host contradict each other; give one of them");
	if (args->no_hosts && args->hosts_file)
		return err_set(
			err, EINVAL,
			"--no-hosts and --hosts-file contradict each other; give one of them");
	if (read_hosts_file(args, spec, err) < 0)
		return -err->code;
	spec->no_hostname = args->no_hostname;
	spec->no_hosts = args->no_hosts || (engine->settings.no_hosts && !args->add_hosts.count);
	if (args->hostname && hosts_check_name("host name", args->hostname, err) < 0)
		return -err->code;
	/* Scripts give an empty name where they mean none. */
	spec->hostname = args->hostname && *args->hostname ? xstrdup(args->hostname) : NULL;
	return 0;
}

int network_options_apply(struct engine *engine, const struct container_args *args,
			  struct container_spec *spec, struct err *err)
{
	int r = choose_network(engine, args, spec, err);
	if (r == 0)
		r = read_addresses(args, spec, err);
	if (r == 0)
		r = check_joined(args, spec, err);
	return r < 0 ? r : read_files(engine, args, spec, err);
}

int network_options_apply_ports(const struct container_args *args,
				const struct oci_image_config *image, struct container_spec *spec,
				struct err *err)
{
	autoports struct port_list ports = PORT_LIST_EMPTY, exposed = PORT_LIST_EMPTY;
	bool has_own_network = strcmp(spec->network_mode, "bridge") == 0 ||
			       strcmp(spec->network_mode, "pasta") == 0;
	int r = 0;
	for (size_t i = 0; r == 0 && i < args->publish.count; i++)
		r = ports_parse(args->publish.items[i], &ports, err);
	if (image)
		strlist_extend(&spec->expose, &image->exposed_ports);
	strlist_extend(&spec->expose, &args->expose);
	for (size_t i = 0; r == 0 && i < spec->expose.count; i++)
		r = ports_parse_exposed(spec->expose.items[i], &exposed, err);
	spec->publish_all = args->publish_all;
	if (r == 0 && args->publish_all)
		ports_publish_all(&ports, &exposed);
	if (r == 0 && ports.count && has_own_network)
		r = ports_assign(&ports, err);
	if (r < 0)
		return r;
	if (has_own_network)
		published_ports_store(&ports, &spec->ports);
	else if (ports.count)
		log_warn("published ports are left out: with --network %s this container has no "
			 "network of its own that they could lead to",
			 args->networks.count ? args->networks.items[0] : spec->network_mode);
	return 0;
}

/* ---- the other namespaces ---- */

static bool has_own_shm(const struct container_spec *spec)
{
	enum namespace_mode_kind kind = namespace_mode_of(spec, OCI_NS_IPC).kind;

	return kind == NAMESPACE_PRIVATE || kind == NAMESPACE_SHAREABLE || kind == NAMESPACE_PATH;
}

int namespace_options_apply(struct engine *engine, const struct container_args *args,
			    struct container_spec *spec, struct err *err)
{
	const struct settings *settings = &engine->settings;

	spec->pid_mode = xstrdup(args->pid_mode ?: settings->pidns);
	spec->ipc_mode = xstrdup(args->ipc_mode ?: settings->ipcns);
	spec->uts_mode = xstrdup(args->uts_mode ?: settings->utsns);
	spec->cgroupns_mode = xstrdup(args->cgroupns_mode ?: settings->cgroupns);
	strlist_extend(&spec->requires, &args->requires);
	int r = shared_namespaces_resolve(engine, spec, err);
	if (r == 0)
		r = container_resolve_requires(engine, spec, err);
	if (r < 0)
		return r;
	if (args->shm_size > 0 && !has_own_shm(spec))
		return err_set(err, EINVAL,
			       "cannot set shmsize with --ipc %s: its /dev/shm is not this "
			       "container's own; leave --shm-size out, or --ipc",
			       args->ipc_mode ?: spec->ipc_mode);
	if (args->time_offset) {
		struct oci_time_offset offsets[OCI_CLOCK_COUNT];
		r = time_offset_parse(args->time_offset, offsets, err);
		if (r < 0)
			return r;
		spec->time_offset = xstrdup(args->time_offset);
	}
	enum namespace_mode_kind uts = namespace_mode_of(spec, OCI_NS_UTS).kind;
	if (args->hostname && uts != NAMESPACE_PRIVATE)
		return err_set(err, EINVAL,
			       "cannot set hostname when sharing a UTS namespace: it would rename "
			       "%s; leave --hostname out, or --uts",
			       uts == NAMESPACE_HOST ? "the host" : "the other container");
	return 0;
}
