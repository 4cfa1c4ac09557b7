/* What runtime.c and enter.c share. */
#pragma once

#include <stddef.h>

#include "oci/runtime-config.h"

struct child;
struct err;
struct runtime_child;

/* Namespaces to join; -1 where not. */
struct joins {
	int fds[OCI_NS_COUNT];
	size_t count;
};

void joins_close(struct joins *joins);

/* All descriptors -1. */
void runtime_child_forget(struct runtime_child *child);
int runtime_control_pair(int pair[2], struct err *err);

/* A process that joins the namespaces itself, the one of processes for its children only. It is born in the control group
 * `cgroup_fd` (-1: none) where the kernel lets it, which *ret_in_cgroup tells. */
int runtime_spawn_joining(struct child *start, const struct joins *joins, int cgroup_fd,
			  int other_end, struct runtime_child *child, bool *ret_in_cgroup,
			  struct err *err);
/* A helper joins the namespaces and makes a sibling of itself, so our child; `start->control_fd` is the child's end of
 * the pair, `other_end` ours. On success pid and pid_fd are set. */
int runtime_spawn_joined(struct child *start, const struct joins *joins, int cgroup_fd,
			 int other_end, struct runtime_child *child, struct err *err);
int runtime_send_go(const struct runtime_child *child);
