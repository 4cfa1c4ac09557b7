/* Gives a container's network namespace its connections. This is all that the engine needs to know
 * about networks.
 *
 * The order, and who calls:
 *
 *	network_prepare()   the command, before it records the container: what must exist on the host
 *	                    does; says which subnet to lease an address from (bridge mode)
 *	ports_assign()      the command: host ports are chosen and known to be free
 *	network_lease()     the command, inside its database transaction: the next free address
 *	network_start()     the launcher, right after runtime_spawn(): runs while the child mounts
 *	network_wait()      the launcher, before runtime_exec(): the command may use the network
 *	network_stop()      whoever cleans up, with what network_start() recorded
 *	network_sweep()     any command that repairs after a crash
 *
 * Nothing here needs threads or signals. network_start() may fork helpers; they become children of
 * the calling process, and of davit-monitor when it execs that. They end by themselves when the
 * container does; the monitor only has to reap children it does not know. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "network/bridge.h"
#include "network/pasta.h"
#include "network/ports.h"

struct err;
struct json_object;

enum network_mode {
	NETWORK_NONE,	/* only loopback, up */
	NETWORK_HOST,	/* the host's own namespace: nothing to do */
	NETWORK_BRIDGE, /* root's default */
	NETWORK_PASTA,	/* everybody else's default */
	NETWORK_JOINED, /* a namespace that somebody else has made: nothing to do */
	NETWORK_MODE_COUNT,
};

const char *
network_mode_name(enum network_mode mode); /* "none", "host", "bridge", "pasta", "joined" */

/* "none", "host", "bridge", "private", "default", "podman", "pasta", "container:…", "ns:…"; NULL and
 * "" mean the default for this user. *ret_options is what follows "pasta:", borrowed, or NULL. -ENOENT for another
 * name. */
int network_mode_parse(const char *text, enum network_mode *ret_mode, const char **ret_options,
		       struct err *err);

struct network_settings {
	const char *run_root;	    /* RUNROOT, for locks; exists */
	const char *default_subnet; /* containers.conf; NULL: 10.88.0.0/16 */
};

/* What of the host is the same for each container in this mode. Plain value. */
struct network_host {
	enum network_mode mode;
	struct bridge_network bridge; /* NETWORK_BRIDGE */
	struct pasta_host pasta;      /* NETWORK_PASTA */
};

/* Fails with ENOENT where a program (nft, pasta) is missing; the text says which package. */
int network_prepare(enum network_mode mode, const struct network_settings *settings,
		    struct network_host *ret_host, struct err *err);

/* The address for the next container. `taken` are the addresses that containers of this network
 * have; `after` the one given out last, or 0.0.0.0. Does nothing in other modes than bridge. */
int network_lease(const struct network_host *host, const struct in_addr *taken, size_t taken_count,
		  struct in_addr after, struct in_addr *ret_address, struct err *err);

/* "02:00:5e:10:00:01", or with dashes. -EINVAL for anything else and for groups' addresses. */
int network_mac_parse(const char *text, uint8_t ret_mac[MAC_BYTES], struct err *err);
/* What an interface of a container may be called. -EINVAL */
int network_interface_check(const char *name, struct err *err);

/* Whether the address is one of this network; a lease may be older than the bridge. */
bool network_address_fits(const struct network_host *host, struct in_addr address);

struct network_request {
	const struct network_host *host;
	const char *container_id;
	const struct port_list *ports; /* assigned; NULL: none */
	struct in_addr address;	       /* NETWORK_BRIDGE: the lease */
	pid_t pid;		       /* the container's init, in its namespaces, alive */
	int pid_fd;		       /* the same; borrowed */
	int net_ns_fd;		       /* its network namespace; borrowed */
	const char *mac, *interface;   /* NETWORK_BRIDGE: asked for; NULL: the usual ones */
	const char *pasta_options;     /* of --network pasta:…, comma-separated; NULL */
	const char *run_dir;	       /* RUNROOT/containers/ID: pasta's complaints go there */
	const char *helper_path;       /* of the program davit-pasta */

	/* Tells whether the container behind a published port's map element still runs; it may be
	 * NULL, then every one does. Called in the launcher, only on a conflict. */
	bool (*container_is_live)(void *arg, const char *container_id);
	void *live_arg;
};

/* What a container's network is, for inspect and for taking it down. */
struct network_status {
	enum network_mode mode;
	char network[64];	  /* its name; "" without one */
	char interface[IFNAMSIZ]; /* inside; "" without one */
	char address[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN];
	char mac[18];
	unsigned prefix;
	bool has_ports;
	pid_t helper_pid;    /* davit-pasta, a child of whoever called network_start(); 0: none */
	int wait_fd, log_fd; /* internal, between start and wait; -1 */
};

int network_start(const struct network_request *request, struct network_status *ret_status,
		  struct err *err);
/* Returns when packets and published ports work. On failure (and on failure of network_start())
 * nothing is left that network_stop() would have to remove. */
int network_wait(struct network_status *status, struct err *err);

/* The status as JSON and back, to be kept as text. */
struct json_object *network_status_to_json(const struct network_status *status);
int network_status_from_json(struct json_object *object, struct network_status *ret_status,
			     struct err *err);

/* Take down what outlives the container's processes: published ports, pasta. Absence is success.
 * The veth pair is not touched, it goes with the namespace. When this returns, the host ports are
 * free. `run_dir` as in struct network_request. */
int network_stop(const struct network_status *status, const char *container_id, const char *run_dir,
		 struct err *err);

/* Remove what containers have left that are not in `live_ids`. As root only; does nothing
 * otherwise. */
int network_sweep(const char *const *live_ids, size_t live_count, struct err *err);

/* What the container's files say: its own address (NULL on the host's network) and the host's as
 * seen from inside (NULL: not to be reached), and the address of a DNS forwarder (NULL: none). For
 * hosts_build() and resolv_build(), which run before the network does; texts are written to
 * `buffer`. */
struct network_names {
	char own_address[INET6_ADDRSTRLEN], host_address[INET6_ADDRSTRLEN];
	char dns_forwarder[INET6_ADDRSTRLEN];
	bool has_ipv6;
};
void network_names(const struct network_host *host, struct in_addr address,
		   struct network_names *ret_names);
