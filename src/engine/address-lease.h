/* Addresses of containers on bridges, as the database has given them out. */
#pragma once

struct container_network;
struct engine;
struct err;

/* Choose network->address: the one asked for (`wanted`, may be NULL), else the one that this
 * container has had before, else the next free one. -EADDRINUSE if a container that runs has the one
 * asked for; one that does not run gives it up. */
int address_lease(struct container_network *network, struct engine *engine, const char *wanted,
		  struct err *err);
