#include "engine/container-network.h"

#include <arpa/inet.h>
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
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/published-ports.h"
#include "engine/run-directory.h"
#include "engine/shared-hosts.h"
#include "engine/shared-namespaces.h"
#include "network/files.h"
#include "runtime/runtime.h"
#include "store/database.h"
#include "store/store.h"

#define STATUS_FILE	  "network"
#define STATUS_FILE_LIMIT 65536
#define HOSTS_FILE_LIMIT  (1 << 20)

static int own_lease(struct database *db, const char *id, struct in_addr *ret_address,
		     struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db, "SELECT address FROM leases WHERE container_id = ?", &query,
				 err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	r = statement_step(query, err);
	if (r > 0 && inet_pton(AF_INET, statement_text(query, 0), ret_address) != 1)
		r = 0;
	return r;
}

static int drop_lease(struct database *db, const char *id, struct err *err)
{
	autostatement struct statement *query = NULL;

	int r = database_prepare(db, "DELETE FROM leases WHERE container_id = ?", &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, id);
	return statement_run(query, err);
}

static int taken_addresses(struct database *db, const char *network, struct in_addr **ret_list,
			   size_t *ret_count, struct err *err)
{
	autostatement struct statement *query = NULL;
	autofree struct in_addr *list = NULL;
	size_t count = 0;

	int r = database_prepare(db, "SELECT address FROM leases WHERE network = ?", &query, err);
	if (r < 0)
		return r;
	statement_bind_text(query, 1, network);
	while ((r = statement_step(query, err)) > 0) {
		struct in_addr address;
		if (inet_pton(AF_INET, statement_text(query, 0), &address) != 1)
			continue;
		if ((count & (count + 1)) == 0)
			list = xreallocarray(take_ptr(&list), 2 * count + 1, sizeof(*list));
		list[count++] = address;
	}
	if (r < 0)
		return r;
	*ret_list = take_ptr(&list);
	*ret_count = count;
	return 0;
}

/* The address a container has had before, or the next free one. One transaction, so that no two get
 * the same. */
static int lease_address(struct container_network *network, struct engine *engine, struct err *err)
{
	autofree struct in_addr *taken = NULL;
	autostatement struct statement *insert = NULL;
	const char *name = network->host.bridge.name;
	struct in_addr first = { 0 };
	char text[INET_ADDRSTRLEN];
	struct database *db;
	size_t count = 0;

	int r = engine_database(engine, &db, err);
	if (r == 0)
		r = database_begin(db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = db;
	r = own_lease(db, network->id, &network->address, err);
	if (r < 0)
		return r;
	if (r > 0 && network_address_fits(&network->host, network->address))
		return 0;
	if (r > 0) /* the bridge has another subnet since then */
		r = drop_lease(db, network->id, err);
	if (r < 0)
		return r;
	r = taken_addresses(db, name, &taken, &count, err);
	if (r == 0)
		r = network_lease(&network->host, taken, count, first, &network->address, err);
	if (r == 0)
		r = database_prepare(
			db, "INSERT INTO leases(network, address, container_id) VALUES(?, ?, ?)",
			&insert, err);
	if (r < 0)
		return r;
	statement_bind_text(insert, 1, name);
	statement_bind_text(insert, 2, inet_ntop(AF_INET, &network->address, text, sizeof(text)));
	statement_bind_text(insert, 3, network->id);
	r = statement_run(insert, err);
	return r < 0 ? r : database_commit(db, err);
}

static int write_file(const char *directory, const char *name, const struct strbuf *text,
		      struct err *err)
{
	autofree char *path = path_join(directory, name);

	return file_write(AT_FDCWD, path, strbuf_text(text), text->size, 0644, FILE_WRITE_IN_PLACE,
			  err);
}

static int write_hosts(const struct container_network *network, struct engine *engine,
		       const struct container *container, const struct container_spec *spec,
		       const struct network_names *names, const char *hostname, struct err *err)
{
	autostrbuf struct strbuf base = STRBUF_EMPTY, text = STRBUF_EMPTY;
	const char *base_file = engine->settings.base_hosts_file;
	struct err ignored; /* a host without the file is as good as one with an empty file */

	if (!base_file || !*base_file)
		base_file = "/etc/hosts";
	if (strcmp(base_file, "none") != 0)
		(void)file_read(AT_FDCWD, base_file, &base, HOSTS_FILE_LIMIT, &ignored);
	struct hosts_request request = {
		.base_text = strbuf_text(&base),
		.extra = &spec->add_hosts,
		.host_address = *names->host_address ? names->host_address : NULL,
		.own_address = *names->own_address ? names->own_address : NULL,
		.hostname = hostname,
		.container_name = container->name,
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
		       const struct shared_namespaces *shared, const char *hostname,
		       struct err *err)
{
	const char *donor_dir = shared->network_run_dir;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct network_names names = { 0 };
	int r = 0;

	network_names(&network->host, network->address, &names);
	if (!spec->no_hosts) {
		if (donor_dir)
			r = shared_hosts_link(donor_dir, network->run_dir, hostname,
					      container->name, err);
		if (r == 0)
			r = write_hosts(network, engine, container, spec, &names, hostname, err);
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
			      const struct shared_namespaces *shared, const char *hostname,
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
	int r = network_mode_parse(spec->network_mode, &mode, &unused, err);
	if (r == 0)
		r = network_prepare(mode, &settings, &network->host, err);
	if (r == 0)
		r = published_ports_load(&spec->ports, &network->ports, err);
	if (r == 0 && network->ports.count)
		r = ports_assign(&network->ports, err);
	if (r == 0 && mode == NETWORK_BRIDGE)
		r = lease_address(network, engine, err);
	if (r == 0)
		r = write_files(network, engine, container, spec, shared, hostname, err);
	return r;
}

void container_network_clear(struct container_network *network)
{
	ports_clear(&network->ports);
	free(network->id);
	free(network->run_dir);
	free(network->pasta_options);
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
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
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
