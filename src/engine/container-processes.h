/* The processes of a container that runs, and what they use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_statistics;
struct container;
struct engine;
struct err;
struct strlist;

/* All of them, in ascending order, the container's first one among them; the array is the caller's.
 * By the control group where it has one; else those in its process namespace, or, where that is the
 * host's, the descendants of its first one. `container` was found with its spec. */
int container_processes(struct engine *engine, const struct container *container, pid_t **ret_pids,
			size_t *ret_count, struct err *err);

/* IDs of the commands of `davit exec` that run in it, in no order; appended. Each has a monitor for a parent, whose
 * command line has the ID, unless events are not recorded. */
void container_exec_ids(struct engine *engine, const struct container *container,
			struct strlist *ids);

/* What the group counts; what no group counts is added up over the processes that there are now. */
int container_statistics(struct engine *engine, const struct container *container,
			 struct cgroup_statistics *ret_statistics, struct err *err);

struct network_statistics {
	uint64_t received_bytes, sent_bytes;
	bool has_any; /* it has a network of its own */
};

/* All interfaces of its network but the loopback one. */
void container_network_statistics(const struct container *container,
				  struct network_statistics *ret_statistics);
