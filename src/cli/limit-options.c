#include "cli/limit-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "engine/container-spec.h"

#define FIELD(f)	 offsetof(struct limit_args, f)
#define MIN_MEMORY_BYTES (6 << 20)

/* clang-format off */
const struct option_spec limit_update_specs[] = {
	{ "blkio-weight", 0, OPTION_INT, FIELD(blkio_weight), "WEIGHT", "Share of block I/O against others, 10 to 1000" },
	{ "blkio-weight-device", 0, OPTION_STRINGS, FIELD(blkio_weight_devices), "DEVICE:WEIGHT", "The same on one device", .complete = COMPLETE_FILES },
	{ "cpu-period", 0, OPTION_INT, FIELD(cpu_period), "USEC", "Length of the period that --cpu-quota is of" },
	{ "cpu-quota", 0, OPTION_INT, FIELD(cpu_quota), "USEC", "Processor time in each period; -1: all of it" },
	{ "cpu-rt-period", 0, OPTION_INT, FIELD(cpu_rt_period), "USEC", "The same for real-time scheduling; cgroup v1" },
	{ "cpu-rt-runtime", 0, OPTION_INT, FIELD(cpu_rt_runtime), "USEC", "Real-time processor time in each period; cgroup v1" },
	{ "cpu-shares", 'c', OPTION_INT, FIELD(cpu_shares), "WEIGHT", "Share of processor time against others; the default is 1024" },
	{ "cpus", 0, OPTION_DECIMAL, FIELD(cpus), "NUMBER", "How many processors it may keep busy, e.g. 1.5" },
	{ "cpuset-cpus", 0, OPTION_STRING, FIELD(cpuset_cpus), "LIST", "Processors it may run on, e.g. 0-2,7" },
	{ "cpuset-mems", 0, OPTION_STRING, FIELD(cpuset_mems), "LIST", "Memory nodes it may use" },
	{ "device-read-bps", 0, OPTION_STRINGS, FIELD(read_bps), "DEVICE:SIZE", "Bytes a second that it may read from a block device", .complete = COMPLETE_FILES },
	{ "device-read-iops", 0, OPTION_STRINGS, FIELD(read_iops), "DEVICE:NUMBER", "Reads a second from a block device", .complete = COMPLETE_FILES },
	{ "device-write-bps", 0, OPTION_STRINGS, FIELD(write_bps), "DEVICE:SIZE", "Bytes a second that it may write to a block device", .complete = COMPLETE_FILES },
	{ "device-write-iops", 0, OPTION_STRINGS, FIELD(write_iops), "DEVICE:NUMBER", "Writes a second to a block device", .complete = COMPLETE_FILES },
	{ "memory", 'm', OPTION_BYTES, FIELD(memory), "SIZE", "Memory limit, e.g. 512m", OPTION_MINUS_ONE },
	{ "memory-reservation", 0, OPTION_BYTES, FIELD(memory_reservation), "SIZE", "Memory it is pushed back to when the host runs short", OPTION_MINUS_ONE },
	{ "memory-swap", 0, OPTION_BYTES, FIELD(memory_swap), "SIZE", "Limit of memory and swap together; -1: unlimited swap", OPTION_MINUS_ONE },
	{ "memory-swappiness", 0, OPTION_INT, FIELD(memory_swappiness), "NUMBER", "How readily its memory is swapped out, 0 to 100; cgroup v1" },
	{ "pids-limit", 0, OPTION_INT, FIELD(pids_limit), "NUMBER", "How many processes; 0 or -1: any number" },
	OPTION_END,
};

const struct option_spec limit_option_specs[] = {
	{ "cgroup-conf", 0, OPTION_STRINGS, FIELD(cgroup_conf), "FILE=VALUE", "Write a file of its cgroup, e.g. memory.high=1G; cgroup v2" },
	{ "oom-kill-disable", 0, OPTION_FLAG, FIELD(oom_kill_disable), NULL, "At the memory limit wait rather than kill; cgroup v1" },
	{ .kind = OPTION_INCLUDE, .name = "limit options", .offset = 0, .include = limit_update_specs },
	OPTION_END,
};
/* clang-format on */

/* Given and out of range? */
static int check_range(const struct cli *cli, const char *option, int64_t value, int64_t min,
		       int64_t max, struct err *err)
{
	if (!cli_given(cli, option) || (value >= min && value <= max))
		return 0;
	return err_set(err, ERANGE, "--%s %lld is not from %lld to %lld", option, (long long)value,
		       (long long)min, (long long)max);
}

static int check_ranges(const struct cli *cli, const struct limit_args *args, struct err *err)
{
	const struct {
		const char *option;
		int64_t value, min, max;
	} ranges[] = {
		{ "blkio-weight", args->blkio_weight, 10, 1000 },
		{ "cpu-period", args->cpu_period, 1000, 1000000 },
		{ "cpu-rt-period", args->cpu_rt_period, 1, INT64_MAX },
		{ "cpu-rt-runtime", args->cpu_rt_runtime, -1, INT64_MAX },
		{ "cpu-shares", args->cpu_shares, 2, 262144 },
		{ "memory-swappiness", args->memory_swappiness, 0, 100 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		int r = check_range(cli, ranges[i].option, ranges[i].value, ranges[i].min,
				    ranges[i].max, err);
		if (r < 0)
			return r;
	}
	if (cli_given(cli, "cpu-quota") && args->cpu_quota != -1 && args->cpu_quota < 1000)
		return err_set(err, ERANGE,
			       "--cpu-quota %lld is not -1, nor at least 1000 microseconds",
			       (long long)args->cpu_quota);
	return 0;
}

static int apply_memory(const struct cli *cli, const struct limit_args *args,
			struct container_spec *spec, struct err *err)
{
	if (args->memory > 0 && args->memory < MIN_MEMORY_BYTES)
		return err_set(err, EINVAL,
			       "a memory limit of %lld bytes is too small to start anything; give "
			       "at least 6m",
			       (long long)args->memory);
	if (cli_given(cli, "memory"))
		spec->memory = args->memory;
	if (cli_given(cli, "memory-swap"))
		spec->memory_swap = args->memory_swap;
	if (spec->memory_swap > 0 && spec->memory > spec->memory_swap)
		return err_set(err, EINVAL,
			       "--memory-swap counts memory and swap together, so it cannot be "
			       "below --memory");
	if (spec->memory_swap && !spec->memory)
		return err_set(err, EINVAL, "--memory-swap needs --memory too");
	if (cli_given(cli, "memory-reservation"))
		spec->memory_reservation = args->memory_reservation;
	if (spec->memory > 0 && spec->memory_reservation > spec->memory)
		return err_set(
			err, EINVAL,
			"--memory-reservation is what memory is pushed back to, so it cannot "
			"be above --memory");
	if (cli_given(cli, "memory-swappiness")) {
		spec->has_memory_swappiness = true;
		spec->memory_swappiness = args->memory_swappiness;
	}
	spec->oom_kill_disable = spec->oom_kill_disable || args->oom_kill_disable;
	if (args->oom_kill_disable && spec->memory <= 0)
		return err_set(err, EINVAL,
			       "--oom-kill-disable is for a memory limit; give --memory too");
	return 0;
}

static int apply_cpu(const struct cli *cli, const struct limit_args *args,
		     struct container_spec *spec, struct err *err)
{
	if (cli_given(cli, "cpus")) {
		if (cli_given(cli, "cpu-period") || cli_given(cli, "cpu-quota"))
			return err_set(err, EINVAL,
				       "--cpus stands for --cpu-period and --cpu-quota; give the "
				       "one or the others");
		if (args->cpus <= 0)
			return err_set(err, EINVAL, "--cpus %g is too little; give at least 0.01",
				       args->cpus);
		if (args->cpus > sysconf(_SC_NPROCESSORS_CONF) * 1.0)
			return err_set(err, EINVAL,
				       "--cpus %g: this host has %ld processors; give no more",
				       args->cpus, sysconf(_SC_NPROCESSORS_CONF));
		spec->cpu_period = 100000;
		spec->cpu_quota = (int64_t)(args->cpus * 100000 + 0.5); /* llround() is in libm */
		if (spec->cpu_quota < 1000)
			return err_set(err, EINVAL, "--cpus %.3f is too little; give at least 0.01",
				       args->cpus);
	}
	if (cli_given(cli, "cpu-period"))
		spec->cpu_period = args->cpu_period;
	if (cli_given(cli, "cpu-quota"))
		spec->cpu_quota = args->cpu_quota;
	if (cli_given(cli, "cpu-rt-period"))
		spec->cpu_rt_period = args->cpu_rt_period;
	if (cli_given(cli, "cpu-rt-runtime"))
		spec->cpu_rt_runtime = args->cpu_rt_runtime;
	if (cli_given(cli, "cpu-shares"))
		spec->cpu_shares = args->cpu_shares;
	if (args->cpuset_cpus) {
		free(spec->cpuset_cpus);
		spec->cpuset_cpus = xstrdup(args->cpuset_cpus);
	}
	if (args->cpuset_mems) {
		free(spec->cpuset_mems);
		spec->cpuset_mems = xstrdup(args->cpuset_mems);
	}
	return 0;
}

/* Lists that are given replace those that were. */
static void apply_list(const struct strlist *given, struct strlist *list)
{
	if (given->count) {
		strlist_clear(list);
		strlist_extend(list, given);
	}
}

int limit_args_apply(const struct cli *cli, const struct limit_args *args,
		     struct container_spec *spec, struct err *err)
{
	int r = check_ranges(cli, args, err);
	if (r == 0)
		r = apply_memory(cli, args, spec, err);
	if (r == 0)
		r = apply_cpu(cli, args, spec, err);
	if (r < 0)
		return r;
	if (cli_given(cli, "pids-limit"))
		spec->pids_limit = args->pids_limit > 0 ? args->pids_limit : -1;
	if (cli_given(cli, "blkio-weight"))
		spec->blkio_weight = args->blkio_weight;
	apply_list(&args->blkio_weight_devices, &spec->blkio_weight_devices);
	apply_list(&args->read_bps, &spec->device_read_bps);
	apply_list(&args->write_bps, &spec->device_write_bps);
	apply_list(&args->read_iops, &spec->device_read_iops);
	apply_list(&args->write_iops, &spec->device_write_iops);
	apply_list(&args->cgroup_conf, &spec->cgroup_conf);
	return 0;
}
