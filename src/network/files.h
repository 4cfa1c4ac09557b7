/* The files that tell a container about its network: /etc/hosts, /etc/resolv.conf, /etc/hostname.
 * Contents are made from texts, so nothing here needs a network; the caller reads the host's files
 * and writes the results. */
#pragma once

#include <stdbool.h>

#include "base/strbuf.h"
#include "base/strlist.h"

struct err;

/* -- /etc/hosts ---------------------------------------------------------------------------------
 */

struct hosts_request {
	const char *base_text;	     /* the host's file, or another one; NULL: start empty */
	const struct strlist *extra; /* --add-host: "NAME[;NAME…]:IP" with IP or "host-gateway" */
	const char *host_address;    /* what host.containers.internal is; NULL: the host cannot be
					reached */
	const char *own_address;     /* NULL: no line for the container itself (host network) */
	const char *hostname, *container_name;
	const struct strlist *aliases; /* more names of the container; NULL: none */
};

/* Later lines do not repeat a name that an earlier one has, for the first answer is the one that
 * counts: --add-host, then the base, then the host, then the container. */
int hosts_build(const struct hosts_request *request, struct strbuf *text, struct err *err);

/* Whether this is a valid --add-host, without building anything. */
int hosts_check_extra(const char *extra, struct err *err);

/* Whether programs will understand it as the name of a host: letters, digits, "-" and "_", in parts that dots separate,
 * see hostname(7); "_" is in many names nevertheless. `what` begins the error: "host name". */
int hosts_check_name(const char *what, const char *name, struct err *err);

/* -- /etc/resolv.conf ---------------------------------------------------------------------------
 */

struct resolv_request {
	const char *host_text; /* the host's file; NULL: none */
	bool keep_loopback;    /* the container shares the host's network namespace */
	bool has_ipv6;	       /* otherwise IPv6 servers are left out */
	const char *forwarder; /* an address inside that leads to the host's own resolver; NULL */
	const struct strlist *servers, *searches, *options; /* --dns, --dns-search, --dns-option;
							       NULL or empty: the host's.
							       A search of "." means none */
};

/* Servers given replace the host's. Servers at loopback addresses are the host's own and lead
 * nowhere from inside, so they are left out; when nothing remains, public servers are named, as
 * podman and docker do. */
int resolv_build(const struct resolv_request *request, struct strbuf *text, struct err *err);

/* Whether the host's file names only loopback servers, and the file of systemd-resolved with the
 * real ones should be read instead: RESOLV_SYSTEMD_PATH. */
bool resolv_is_stub(const char *host_text);
#define RESOLV_PATH	    "/etc/resolv.conf"
#define RESOLV_SYSTEMD_PATH "/run/systemd/resolve/resolv.conf"

/* The host's resolv.conf as it concerns containers: of the two the one with real servers. An
 * absent file is an empty text. */
int resolv_read_host(struct strbuf *text, struct err *err);
