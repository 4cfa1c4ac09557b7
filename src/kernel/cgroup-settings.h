/* Which files of a control group get which values: limits as a plan, before anything is touched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kernel/cgroup.h"

struct err;

enum cgroup_controller {
	CGROUP_PIDS,
	CGROUP_MEMORY,
	CGROUP_DEVICES,
	CGROUP_CPU,
	CGROUP_CPUSET,
	CGROUP_IO, /* "blkio" in v1 */
	CGROUP_HUGETLB,
	CGROUP_RDMA,
	CGROUP_NET_CLS,	 /* v1 only, */
	CGROUP_NET_PRIO, /* as these are: v2 leaves both to packet filters */
	CGROUP_FREEZER,
	CGROUP_CONTROLLER_COUNT,
};

struct cgroup_setting {
	enum cgroup_controller controller;
	char *file;
	char *value;
	const char *limit; /* what the user calls it, for errors: "memory limit" */
	/* The same by another name, where `file` is not there; NULL: none. */
	const char *other_file;
	bool is_default; /* left out where it cannot be applied */
	bool is_wish;	 /* a default whose absence is not even worth a word */
};

struct cgroup_settings {
	struct cgroup_setting *items;
	size_t count;
};

void cgroup_settings_clear(struct cgroup_settings *settings);

/* In the order in which they have to be written. What a version of control groups has no word for
 * is an error. */
int cgroup_settings_plan_v1(const struct cgroup_resources *resources,
			    struct cgroup_settings *ret_settings, struct err *err);
int cgroup_settings_plan_v2(const struct cgroup_resources *resources,
			    struct cgroup_settings *ret_settings, struct err *err);

/* The controller of a v2 file, "memory.high" → CGROUP_MEMORY; CGROUP_CONTROLLER_COUNT for the
 * files that every group has. */
enum cgroup_controller cgroup_controller_of_file(const char *file);

/* Whether the device rules leave any device out. */
bool cgroup_devices_are_limited(const struct cgroup_resources *resources);

/* "c 1:3 rwm", as v1 takes it. */
void cgroup_device_rule_text(const struct cgroup_device_rule *rule, char text[64]);
