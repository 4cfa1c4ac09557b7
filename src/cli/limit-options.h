/* Options for limits: those that update changes while a container runs, and those that only run and
 * create know. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"
#include "cli/options.h"

struct cli;
struct container_spec;
struct err;

struct limit_args {
	int64_t memory, memory_swap, memory_reservation, memory_swappiness;
	double cpus;
	int64_t cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, pids_limit;
	const char *cpuset_cpus, *cpuset_mems;
	int64_t blkio_weight;
	struct strlist blkio_weight_devices;
	struct strlist read_bps, write_bps, read_iops, write_iops;
	/* run and create only */
	bool oom_kill_disable;
	struct strlist cgroup_conf;
};

/* Rows whose offsets count from struct limit_args: those that can change, … */
extern const struct option_spec limit_update_specs[];
/* … and with them those that cannot. */
extern const struct option_spec limit_option_specs[];

/* Put what was given into the spec, checked; the rest of the spec stays. */
int limit_args_apply(const struct cli *cli, const struct limit_args *args,
		     struct container_spec *spec, struct err *err);
