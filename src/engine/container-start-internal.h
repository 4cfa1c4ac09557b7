/* What the files of a start share: container-start.c, which has the order; container-start-prepare.c, the command's
 * part; container-launcher.c, the launcher's. Not for others. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strlist.h"
#include "engine/container-cgroup.h"
#include "engine/container-files.h"
#include "engine/container-map.h"
#include "engine/container-network.h"
#include "engine/identity.h"
#include "engine/launch.h"
#include "engine/shared-namespaces.h"
#include "runtime/runtime.h"

struct container;
struct container_spec;
struct engine;
struct err;
struct oci_runtime_config;
struct restart_connections;

/* All that the launcher needs, made before it starts. */
struct start {
	struct engine *engine;
	struct container *container;
	struct container_spec *spec;
	struct oci_runtime_config *config;
	struct identity identity;
	struct container_map map;
	struct container_files files;
	struct container_network network;
	struct container_cgroup cgroup;
	struct shared_namespaces shared;
	char *directory, *run_dir, *init_path, *hostname;
	struct runtime_namespaces made; /* owned, unlike what is in `shared` */
	int client_fds[2];		/* command's end, monitor's end */
	int journal_fd;
	struct strlist journal_fields;
	int64_t restart_count;
	uint32_t restart_delay_msec;
	const struct restart_connections *connections; /* of the run before, NULL: none */
	bool is_restart;			       /* to be told as one */
	bool is_held;	   /* its command is started later, see held-start.h */
	bool is_announced; /* its row says already that it is being started */
	struct launch_report report;
};

#define START_EMPTY                                                                                \
	((struct start){ .cgroup = CONTAINER_CGROUP_EMPTY,                                         \
			 .made = RUNTIME_NAMESPACES_NONE,                                          \
			 .shared = SHARED_NAMESPACES_EMPTY,                                        \
			 .journal_fd = -1,                                                         \
			 .client_fds = { -1, -1 } })

/* Everything that can be prepared: files, plan, filter, control group. The record is read, the directories are known, and the run directory
 * is made. *exit_code is changed where a failure has another one. */
int start_prepare(struct start *start, int *exit_code, struct err *err);

/* Of one that is made but for its command: the same plan, and nothing is made. */
int start_plan_again(struct start *start, int *exit_code, struct err *err);

/* In the launcher: make the container and become its monitor; what becomes of it is told in start->report. */
int start_launcher(void *start);
