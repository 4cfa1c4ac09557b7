/* Address translation and packet filtering of bridge networks: our own nftables table, "inet
 * davit".
 *
 * The rules are the same for every container and never change; they look things up in maps, and a
 * container adds and removes map elements. So a start costs one netlink transaction, and traffic
 * costs the same with one container as with five hundred. Each element carries the container's ID
 * as its comment, which tells whose it is when its owner died without a word. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/netlink.h"
#include "network/ports.h"

struct err;
struct nftables;

/* 1 if our rules are in place, 0 if they must be loaded. */
int firewall_is_loaded(struct nftables *nftables, struct err *err);

/* Load the rules, and make `bridge` with `subnet` one of our networks. Elements of running
 * containers stay. Runs nft(8); -ENOENT when that is not installed. */
int firewall_load(struct nftables *nftables, const char *bridge, const struct ip_prefix *subnet,
		  struct err *err);
/* Whether firewall_load() has to put rules into another's table, where they stay. */
bool firewall_needs_exceptions(struct nftables *nftables);
/* Take the rules away, and all that is published with them. Runs nft. */
int firewall_unload(struct err *err);

/* Forward the host ports of `ports` to `address`. A port that another container's elements hold is
 * EADDRINUSE, unless `container_is_live` (may be NULL: all are) says that this container is gone:
 * then its elements are removed. */
int firewall_publish(struct nftables *nftables, const char *container_id, struct in_addr address,
		     const struct port_list *ports,
		     bool (*container_is_live)(void *arg, const char *container_id), void *arg,
		     struct err *err);

/* Remove every element of the containers for which `is_wanted` is true. */
int firewall_remove_if(struct nftables *nftables,
		       bool (*is_wanted)(void *arg, const char *container_id), void *arg,
		       struct err *err);
