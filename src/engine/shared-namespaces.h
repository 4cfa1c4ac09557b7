/* Namespaces that a container does not have for itself: the host's, another container's, or one
 * behind a path.
 *
 * Other containers are named by ID in the record, and looked up again at each start: it is their
 * process at that moment whose namespaces are joined. */
#pragma once

#include <stdbool.h>

#include "oci/runtime-config.h"

struct container;
struct container_spec;
struct engine;
struct err;
struct strlist;
struct userns_map;

/* Where a namespace comes from. Neither host nor path: a new one. */
struct namespace_source {
	bool is_host;
	char *path; /* the one to join, as the runtime can open it */
};

struct shared_namespaces {
	struct namespace_source of[OCI_NS_COUNT];
	int fds[OCI_NS_COUNT]; /* what the paths lead to; -1 */
	int userns_fd;	       /* to be entered before they can be joined; -1: not needed */
	int shm_fd;	       /* the other container's /dev/shm, a detached mount; -1: none */
	bool has_no_shm;       /* it shall have no /dev/shm at all */
	char *network_run_dir; /* of the container with the network; NULL: not a container's */
	char *hostname; /* of the UTS namespace that is shared; NULL: not shared, not known */
};

#define SHARED_NAMESPACES_EMPTY                                                                    \
	((struct shared_namespaces){                                                               \
		.fds = { -1, -1, -1, -1, -1, -1, -1, -1 }, .userns_fd = -1, .shm_fd = -1 })

/* When a container is made: names of containers in its modes become IDs. -ENOENT if there is no such
 * container, -EPERM if it does not share. */
int shared_namespaces_resolve(struct engine *engine, struct container_spec *spec, struct err *err);

/* The IDs of the containers that it cannot run without. */
void shared_namespaces_needed(const struct container_spec *spec, struct strlist *ids);

/* At its start. `map` is what its own IDs will be: an ordinary user's container has to live in the
 * user namespace that the others live in, and that only works when the maps are the same. -ESRCH if
 * another container does not run. */
int shared_namespaces_open(struct engine *engine, const struct container_spec *spec,
			   const struct userns_map *map, struct shared_namespaces *ret_shared,
			   struct err *err);
void shared_namespaces_clear(struct shared_namespaces *shared);

/* The run directory of the container whose network it is on, owned by the caller; NULL if that is no
 * other container's. */
char *shared_namespaces_network_dir(struct engine *engine, const struct container_spec *spec);

/* The host name that its processes see, owned by the caller. */
char *shared_namespaces_hostname(struct engine *engine, const char *id,
				 const struct container_spec *spec);
