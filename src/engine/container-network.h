/* The network of one container: settings and records on this side, src/network on the other. */
#pragma once

#include "network/network.h"
#include "network/ports.h"

struct container;
struct container_spec;
struct engine;
struct err;
struct runtime_child;
struct shared_namespaces;
struct strlist;

struct container_network {
	const struct engine *engine;
	struct network_host host;
	struct port_list ports;
	struct in_addr address; /* bridge: the lease */
	struct network_status status;
	char *id, *run_dir, *pasta_options, *helper_path;
	char *mac, *interface; /* asked for, NULL: the default ones */
};

/* In the command: the host's part, the address, the ports, and the files hosts, resolv.conf and
 * hostname in run_dir. Who shares another container's network shares its hosts and resolv.conf too:
 * they are links to that one's files, and its hosts names both. */
int container_network_prepare(struct container_network *network, struct engine *engine,
			      const struct container *container, const struct container_spec *spec,
			      const struct shared_namespaces *shared,
			      const struct strlist *layer_dirs, const char *hostname,
			      const char *run_dir, struct err *err);
void container_network_clear(struct container_network *network);

/* In the launcher, see network/network.h. What was done is noted in run_dir before the container's
 * command starts. */
int container_network_start(struct container_network *network, const struct runtime_child *child,
			    struct err *err);
int container_network_wait(struct container_network *network, struct err *err);
/* After a failure behind container_network_wait(). */
void container_network_abandon(struct container_network *network);

/* Take down what run_dir says there is, or, where it says nothing because everybody was killed in the
 * middle of a start, what a container with this spec may have. */
int container_network_stop(const struct container_spec *spec, const char *run_dir, const char *id,
			   struct err *err);
/* What run_dir says; -ENOENT when there is nothing to say. */
int container_network_status(const char *run_dir, struct network_status *ret_status,
			     struct err *err);
