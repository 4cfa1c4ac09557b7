#include "engine/container-network.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/container-spec.h"
#include "engine/address-lease.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/published-ports.h"
#include "engine/run-directory.h"
#include "engine/shared-hosts.h"
#include "engine/shared-namespaces.h"
#include "network/files.h"
#include "runtime/runtime.h"
#include "store/store.h"

#define STATUS_FILE	  "network"
#define STATUS_FILE_LIMIT 65536
#define HOSTS_FILE_LIMIT  (1 << 20)

static int write_file(const char *directory, const char *name, const struct strbuf *text,
		      struct err *err)
{
	autofree char *path = path_join(directory, name);

	return file_write(AT_FDCWD, path, strbuf_text(text), text->size, 0644, FILE_WRITE_IN_PLACE,
			  err);
}

/* What /etc/hosts begins with: the host's file, another one, the image's, or nothing. An absent file is
 * as good as an empty one. */
static void read_base_hosts(const struct engine *engine, const struct container_spec *spec,
			    const struct strlist *layer_dirs, struct strbuf *text)
{
	const char *file = spec->hosts_file ?: engine->settings.base_hosts_file;
	struct err ignored;

	if (!file || !*file)
		file = "/etc/hosts";
	if (strcmp(file, "none") == 0)
		return;
	if (strcmp(file, "image") == 0) {
		autoclose int fd = layers_open_file(layer_dirs, "/etc/hosts");
		if (fd >= 0)
			(void)fd_read_all(fd, text, HOSTS_FILE_LIMIT);
		return;
	}
	(void)file_read(AT_FDCWD, file, text, HOSTS_FILE_LIMIT, &ignored);
}

static int write_hosts(const struct container_network *network, struct engine *engine,
		       const struct container *container, const struct container_spec *spec,
		       const struct strlist *layer_dirs, const struct network_names *names,
		       const char *hostname, struct err *err)
{
	autostrbuf struct strbuf base = STRBUF_EMPTY, text = STRBUF_EMPTY;

	read_base_hosts(engine, spec, layer_dirs, &base);
	struct hosts_request request = {
		.base_text = strbuf_text(&base),
		.extra = &spec->add_hosts,
		.host_address = *names->host_address ? names->host_address : NULL,
		.own_address = *names->own_address ? names->own_address : NULL,
		.hostname = hostname,
		.container_name = container->name,
		.aliases = &spec->network_aliases,
	};
	int r = hosts_build(&request, &text, err);
	return r < 0 ? r : write_file(network->run_dir, "hosts", &text, err);
}

static int write_resolv(const struct container_network *network, const struct container_spec *spec,
			const struct network_names *names, struct err *err)
{
	autostrbuf struct strbuf host = STRBUF_EMPTY, text = STRBUF_EMPTY;

	int r = resolv_read_host(&host, err);
	if (r < 0)
		return r;
	struct resolv_request request = {
		.host_text = strbuf_text(&host),
		.keep_loopback = network->host.mode == NETWORK_HOST,
		.has_ipv6 = names->has_ipv6,
		.forwarder = *names->dns_forwarder ? names->dns_forwarder : NULL,
		.servers = &spec->dns_servers,
		.searches = &spec->dns_searches,
		.options = &spec->dns_options,
	};
	r = resolv_build(&request, &text, err);
	return r < 0 ? r : write_file(network->run_dir, "resolv.conf", &text, err);
}

static int write_files(const struct container_network *network, struct engine *engine,
		       const struct container *container, const struct container_spec *spec,
		       const struct shared_namespaces *shared, const struct strlist *layer_dirs,
		       const char *hostname, struct err *err)
{
	const char *donor_dir = shared->network_run_dir;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct network_names names = { 0 };
	int r = 0;

	network_names(&network->host, network->address, &names);
	if (!spec->no_hosts) {
		if (donor_dir)
			r = shared_hosts_link(engine, donor_dir, network->run_dir, hostname,
					      container->name, err);
		if (r == 0)
			r = write_hosts(network, engine, container, spec, layer_dirs, &names,
					hostname, err);
	}
	if (r >= 0 && !spec->no_resolv) {
		r = donor_dir ? shared_resolv_link(donor_dir, network->run_dir, err) : 0;
		if (r == 0)
			r = write_resolv(network, spec, &names, err);
	}
	strbuf_addf(&text, "%s\n", hostname);
	return r < 0 ? r : write_file(network->run_dir, "hostname", &text, err);
}

int container_network_prepare(struct container_network *network, struct engine *engine,
			      const struct container *container, const struct container_spec *spec,
			      const struct shared_namespaces *shared,
			      const struct strlist *layer_dirs, const char *hostname,
			      const char *run_dir, struct err *err)
{
	const struct network_settings settings = {
		.run_root = engine->runroot,
		.default_subnet = engine->settings.default_subnet,
	};
	enum network_mode mode;
	const char *unused;

	network->engine = engine;
	network->id = xstrdup(container->id);
	network->run_dir = xstrdup(run_dir);
	network->pasta_options =
		spec->pasta_options.count ? strlist_join(&spec->pasta_options, ",") : NULL;
	network->helper_path = engine_helper_path(engine, "davit-pasta");
	network->status.wait_fd = -1;
	network->mac = xstrdup(spec->static_mac);
	network->interface = xstrdup(spec->interface_name);
	int r = network_mode_parse(spec->network_mode, &mode, &unused, err);
	if (r == 0)
		r = network_prepare(mode, &settings, &network->host, err);
	if (r == 0)
		r = published_ports_load(&spec->ports, &network->ports, err);
	if (r == 0 && network->ports.count)
		r = ports_assign(&network->ports, err);
	if (r == 0 && mode == NETWORK_BRIDGE)
		r = address_lease(network, engine, spec->static_ip, err);
	if (r == 0)
		r = write_files(network, engine, container, spec, shared, layer_dirs, hostname,
				err);
	return r;
}

void container_network_clear(struct container_network *network)
{
	ports_clear(&network->ports);
	free(network->id);
	free(network->run_dir);
	free(network->pasta_options);
	free(network->mac);
	free(network->interface);
	free(network->helper_path);
}

/* Whether a container may still need the ports that the firewall has for it. It does not when it was started here and is
 * over, or its start was killed; of others, which may be from another root, nothing is known. */
static bool may_be_live(void *arg, const char *id)
{
	const struct container_network *network = arg;
	autofree char *path = container_run_directory(network->engine, id);
	autoclose int still_fd = -1;
	struct run_status status;

	if (!container_keep_still(network->engine, id, &still_fd))
		return true;
	if (run_directory_status(path, &status) < 0 || status.is_running)
		return true;
	return !status.was_started && still_fd < 0;
}

int container_network_start(struct container_network *network, const struct runtime_child *child,
			    struct err *err)
{
	const struct network_request request = {
		.host = &network->host,
		.container_id = network->id,
		.ports = &network->ports,
		.address = network->address,
		.pid = child->pid,
		.pid_fd = child->pid_fd,
		.net_ns_fd = child->net_ns_fd,
		.pasta_options = network->pasta_options,
		.mac = network->mac,
		.interface = network->interface,
		.run_dir = network->run_dir,
		.helper_path = network->helper_path,
		.container_is_live = may_be_live,
		.live_arg = network,
	};

	int r = network_start(&request, &network->status, err);
	if (r < 0 || network->host.mode == NETWORK_NONE || network->host.mode == NETWORK_HOST ||
	    network->host.mode == NETWORK_JOINED)
		return r;
	autojson struct json_object *json = network_status_to_json(&network->status);
	autofree char *path = path_join(network->run_dir, STATUS_FILE);
	const char *text = json_text(json);
	r = file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
	if (r < 0)
		container_network_abandon(network);
	return r;
}

int container_network_wait(struct container_network *network, struct err *err)
{
	return network_wait(&network->status, err);
}

void container_network_abandon(struct container_network *network)
{
	struct err ignored; /* something failed before, and that is told */

	(void)network_stop(&network->status, network->id, network->run_dir, &ignored);
}

int container_network_status(const char *run_dir, struct network_status *ret_status,
			     struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autojson struct json_object *json = NULL;
	autofree char *path = path_join(run_dir, STATUS_FILE);

	int r = file_read(AT_FDCWD, path, &text, STATUS_FILE_LIMIT, err);
	if (r == 0)
		r = json_parse(strbuf_text(&text), text.size, &json, err);
	if (r == 0)
		r = network_status_from_json(json, ret_status, err);
	return r;
}

/* Nothing is noted: either there is nothing, or the launcher was killed before it could note what it
 * had done. The spec says what that may have been. */
static void guess_status(const struct container_spec *spec, struct network_status *ret_status)
{
	struct network_status status = {
		.mode = NETWORK_NONE,
		.has_ports = spec->ports.count > 0,
		.wait_fd = -1,
		.log_fd = -1,
	};
	const char *unused;
	struct err ignored; /* a network that is not ours to take down */

	(void)network_mode_parse(spec->network_mode, &status.mode, &unused, &ignored);
	*ret_status = status;
}

int container_network_stop(const struct container_spec *spec, const char *run_dir, const char *id,
			   struct err *err)
{
	struct network_status status;

	int r = container_network_status(run_dir, &status, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT)
		guess_status(spec, &status);
	return network_stop(&status, id, run_dir, err);
}
