/* The network of ordinary users: a tap interface in the container's namespace, served by pasta(1),
 * which turns its packets into sockets of the user.
 *
 * pasta needs 50 to 100 ms until it serves packets, more than everything else of a start together.
 * So nobody waits for it: the tap is made, addressed and held open here, within a millisecond, and
 * what the container sends waits in the tap's queue. The program davit-pasta watches the tap and
 * starts pasta when the first packet lies there, and not at all for a container that never uses
 * its network. With published ports pasta is started at once, and waited for until it has bound
 * them, because the ports must be there when the command runs. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;
struct netlink;
struct network_names;
struct network_request;
struct network_status;

struct pasta_host {
	const char *program;	     /* a literal */
	struct in_addr host_address; /* by which containers reach this host; 0.0.0.0: none */
	char ipv6_link[IFNAMSIZ];    /* by which IPv6 leaves this host; "": not at all */
};

/* -ENOENT if pasta is not installed, -EACCES if this user may not make tap interfaces. */
int pasta_find(struct pasta_host *ret_host, struct err *err);

int pasta_start(const struct network_request *request, struct network_status *status,
		struct err *err);
int pasta_wait(struct network_status *status, struct err *err);
/* davit-pasta ends with the container anyway; this makes sure. */
void pasta_stop(const struct network_status *status, const char *run_dir);
void pasta_names(const struct pasta_host *host, struct network_names *names);
