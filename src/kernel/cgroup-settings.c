#include "kernel/cgroup-settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void cgroup_settings_clear(struct cgroup_settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		free(settings->items[i].file);
		free(settings->items[i].value);
	}
	free(settings->items);
	*settings = (struct cgroup_settings){ 0 };
}

static struct cgroup_setting *add(struct cgroup_settings *settings,
				  enum cgroup_controller controller, const char *limit,
				  const char *file, char *value)
{
	settings->items =
		xreallocarray(settings->items, settings->count + 1, sizeof(struct cgroup_setting));
	struct cgroup_setting *setting = &settings->items[settings->count++];
	*setting = (struct cgroup_setting){
		.controller = controller,
		.file = xstrdup(file),
		.value = value,
		.limit = limit,
	};
	return setting;
}

static char *number(int64_t value)
{
	return xasprintf("%" PRId64, value);
}

/* -1 is v2's "max". */
static char *number_or_max(int64_t value)
{
	return value < 0 ? xstrdup("max") : number(value);
}

static void add_pids(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	if (resources->pids_limit == 0)
		return;
	add(settings, CGROUP_PIDS, "pids limit", "pids.max", number_or_max(resources->pids_limit))
		->is_default = resources->pids_limit_is_default;
}

static void add_cpuset(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	if (resources->cpuset_cpus && *resources->cpuset_cpus)
		add(settings, CGROUP_CPUSET, "processor list", "cpuset.cpus",
		    xstrdup(resources->cpuset_cpus));
	if (resources->cpuset_mems && *resources->cpuset_mems)
		add(settings, CGROUP_CPUSET, "memory node list", "cpuset.mems",
		    xstrdup(resources->cpuset_mems));
}

static int check_resources(const struct cgroup_resources *resources, struct err *err)
{
	if (resources->memory_swap > 0 && resources->memory_limit <= 0 &&
	    !resources->memory_swap_is_default)
		return err_set(err, EINVAL,
			       "a swap limit is for memory and swap together; give a memory limit, "
			       "too");
	if (resources->memory_swap > 0 && resources->memory_swap < resources->memory_limit)
		return err_set(err, EINVAL,
			       "the swap limit of %" PRId64
			       " bytes, for memory and swap together, is below the memory limit "
			       "of %" PRId64,
			       resources->memory_swap, resources->memory_limit);
	return 0;
}

/* ---- v1 ---- */

static void add_memory_v1(struct cgroup_settings *settings,
			  const struct cgroup_resources *resources)
{
	/* A new group has no limits, and memory's may not be above that of both. */
	if (resources->memory_limit)
		add(settings, CGROUP_MEMORY, "memory limit", "memory.limit_in_bytes",
		    number(resources->memory_limit))
			->is_default = resources->memory_limit_is_default;
	if (resources->memory_swap)
		add(settings, CGROUP_MEMORY, "swap limit", "memory.memsw.limit_in_bytes",
		    number(resources->memory_swap))
			->is_wish = resources->memory_swap_is_default;
	if (resources->memory_reservation)
		add(settings, CGROUP_MEMORY, "memory reservation", "memory.soft_limit_in_bytes",
		    number(resources->memory_reservation));
	if (resources->memory_swappiness >= 0)
		add(settings, CGROUP_MEMORY, "swappiness", "memory.swappiness",
		    number(resources->memory_swappiness));
	if (resources->memory_kernel)
		add(settings, CGROUP_MEMORY, "kernel memory limit", "memory.kmem.limit_in_bytes",
		    number(resources->memory_kernel));
	if (resources->memory_kernel_tcp)
		add(settings, CGROUP_MEMORY, "kernel memory limit for TCP",
		    "memory.kmem.tcp.limit_in_bytes", number(resources->memory_kernel_tcp));
	if (resources->memory_disable_oom_killer)
		add(settings, CGROUP_MEMORY, "disabling the OOM killer", "memory.oom_control",
		    xstrdup("1"));
}

static void add_cpu_v1(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	if (resources->cpu_shares)
		add(settings, CGROUP_CPU, "CPU shares", "cpu.shares",
		    number((int64_t)resources->cpu_shares));
	if (resources->cpu_period)
		add(settings, CGROUP_CPU, "CPU period", "cpu.cfs_period_us",
		    number((int64_t)resources->cpu_period));
	if (resources->cpu_quota)
		add(settings, CGROUP_CPU, "CPU quota", "cpu.cfs_quota_us",
		    number(resources->cpu_quota));
	if (resources->cpu_burst)
		add(settings, CGROUP_CPU, "CPU burst", "cpu.cfs_burst_us",
		    number((int64_t)resources->cpu_burst));
	if (resources->has_cpu_idle)
		add(settings, CGROUP_CPU, "CPU idle", "cpu.idle", number(resources->cpu_idle));
	if (resources->cpu_rt_period)
		add(settings, CGROUP_CPU, "real-time CPU period", "cpu.rt_period_us",
		    number((int64_t)resources->cpu_rt_period));
	if (resources->cpu_rt_runtime)
		add(settings, CGROUP_CPU, "real-time CPU runtime", "cpu.rt_runtime_us",
		    number(resources->cpu_rt_runtime));
}

/* The schedulers differ in their files' names; that of BFQ is what kernels since 5.0 have. */
static void add_io_v1(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	static const char *const throttle_files[] = {
		"blkio.throttle.read_bps_device",
		"blkio.throttle.write_bps_device",
		"blkio.throttle.read_iops_device",
		"blkio.throttle.write_iops_device",
	};

	if (resources->blkio_weight)
		add(settings, CGROUP_IO, "block I/O weight", "blkio.bfq.weight",
		    number(resources->blkio_weight))
			->other_file = "blkio.weight";
	for (size_t i = 0; i < resources->weight_device_count; i++) {
		const struct cgroup_weight *weight = &resources->weight_devices[i];
		add(settings, CGROUP_IO, "block I/O weight of a device", "blkio.bfq.weight_device",
		    xasprintf("%" PRId64 ":%" PRId64 " %u", weight->major, weight->minor,
			      weight->weight))
			->other_file = "blkio.weight_device";
	}
	for (size_t kind = 0; kind < ARRAY_SIZE(throttle_files); kind++)
		for (size_t i = 0; i < resources->throttle_count[kind]; i++) {
			const struct cgroup_throttle *throttle = &resources->throttle[kind][i];
			add(settings, CGROUP_IO, "block I/O rate", throttle_files[kind],
			    xasprintf("%" PRId64 ":%" PRId64 " %" PRIu64, throttle->major,
				      throttle->minor, throttle->rate));
		}
}

static void add_hugetlb(struct cgroup_settings *settings, const struct cgroup_resources *resources,
			const char *suffix)
{
	for (size_t i = 0; i < resources->hugepage_limit_count; i++) {
		const struct cgroup_hugepage_limit *limit = &resources->hugepage_limits[i];
		autofree char *file = xasprintf("hugetlb.%s.%s", limit->page_size, suffix);
		add(settings, CGROUP_HUGETLB, "huge page limit", file,
		    xasprintf("%" PRIu64, limit->limit_bytes));
	}
}

/* "mlx5_0 hca_handle=3 hca_object=max" */
static void add_rdma(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	for (size_t i = 0; i < resources->rdma_count; i++) {
		const struct cgroup_rdma_limit *limit = &resources->rdma[i];
		autofree char *handles =
			number_or_max(limit->handles == UINT32_MAX ? -1 : (int64_t)limit->handles);
		autofree char *objects =
			number_or_max(limit->objects == UINT32_MAX ? -1 : (int64_t)limit->objects);
		add(settings, CGROUP_RDMA, "RDMA limit", "rdma.max",
		    xasprintf("%s hca_handle=%s hca_object=%s", limit->device, handles, objects));
	}
}

static void add_network_v1(struct cgroup_settings *settings,
			   const struct cgroup_resources *resources)
{
	if (resources->network_class)
		add(settings, CGROUP_NET_CLS, "network class", "net_cls.classid",
		    number(resources->network_class));
	for (size_t i = 0; i < resources->network_priority_count; i++)
		add(settings, CGROUP_NET_PRIO, "network priority", "net_prio.ifpriomap",
		    xasprintf("%s %s", resources->network_priorities[i].key,
			      resources->network_priorities[i].value));
}

int cgroup_settings_plan_v1(const struct cgroup_resources *resources,
			    struct cgroup_settings *ret_settings, struct err *err)
{
	struct cgroup_settings settings = { 0 };

	int r = check_resources(resources, err);
	if (r < 0)
		return r;
	if (resources->unified_count)
		return err_set(err, EOPNOTSUPP,
			       "'%s' is a setting of cgroup v2, and this host has cgroup v1; boot "
			       "with systemd.unified_cgroup_hierarchy=1",
			       resources->unified[0].key);
	add_pids(&settings, resources);
	add_memory_v1(&settings, resources);
	add_cpu_v1(&settings, resources);
	add_cpuset(&settings, resources);
	add_io_v1(&settings, resources);
	add_hugetlb(&settings, resources, "limit_in_bytes");
	add_rdma(&settings, resources);
	add_network_v1(&settings, resources);
	*ret_settings = settings;
	return 0;
}

/* ---- v2 ---- */

static int refuse_v1_only(const struct cgroup_resources *resources, struct err *err)
{
	const char *what = NULL;

	if (resources->memory_swappiness >= 0)
		what = "swappiness";
	else if (resources->memory_disable_oom_killer)
		what = "disabling the OOM killer";
	else if (resources->memory_kernel || resources->memory_kernel_tcp)
		what = "a limit of kernel memory";
	else if (resources->cpu_rt_period || resources->cpu_rt_runtime)
		what = "real-time CPU time";
	else if (resources->network_class || resources->network_priority_count)
		what = "a class or priority of network traffic";
	return what ? err_set(err, EOPNOTSUPP,
			      "%s cannot be set for a group of cgroup v2, which this host has; "
			      "leave "
			      "the option out",
			      what)
		    : 0;
}

static void add_memory_v2(struct cgroup_settings *settings,
			  const struct cgroup_resources *resources)
{
	if (resources->memory_limit)
		add(settings, CGROUP_MEMORY, "memory limit", "memory.max",
		    number_or_max(resources->memory_limit))
			->is_default = resources->memory_limit_is_default;
	/* Swap alone, here. */
	if (resources->memory_swap)
		add(settings, CGROUP_MEMORY, "swap limit", "memory.swap.max",
		    number_or_max(resources->memory_swap < 0
					  ? -1
					  : resources->memory_swap - resources->memory_limit))
			->is_wish = resources->memory_swap_is_default;
	if (resources->memory_reservation)
		add(settings, CGROUP_MEMORY, "memory reservation", "memory.low",
		    number_or_max(resources->memory_reservation));
}

/* Shares from 2 to 262144 become weights from 1 to 10000, as the container tools agree. */
static int64_t weight_of_shares(uint64_t shares)
{
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return (int64_t)(1 + ((shares - 2) * 9999) / 262142);
}

/* Block I/O weights from 10 to 1000 likewise. */
static int64_t weight_of_blkio(uint16_t weight)
{
	return weight <= 10 ? 1 : 1 + ((int64_t)weight - 10) * 9999 / 990;
}

static void add_cpu_v2(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	uint64_t period = resources->cpu_period ? resources->cpu_period : 100000;

	if (resources->cpu_shares)
		add(settings, CGROUP_CPU, "CPU shares", "cpu.weight",
		    number(weight_of_shares(resources->cpu_shares)));
	if (resources->cpu_quota > 0)
		add(settings, CGROUP_CPU, "CPU quota", "cpu.max",
		    xasprintf("%" PRId64 " %" PRIu64, resources->cpu_quota, period));
	else if (resources->cpu_quota < 0 || resources->cpu_period)
		add(settings, CGROUP_CPU, "CPU quota", "cpu.max",
		    xasprintf("max %" PRIu64, period));
	if (resources->cpu_burst)
		add(settings, CGROUP_CPU, "CPU burst", "cpu.max.burst",
		    number((int64_t)resources->cpu_burst));
	if (resources->has_cpu_idle)
		add(settings, CGROUP_CPU, "CPU idle", "cpu.idle", number(resources->cpu_idle));
}

static void add_io_v2(struct cgroup_settings *settings, const struct cgroup_resources *resources)
{
	static const char *const throttle_keys[] = { "rbps", "wbps", "riops", "wiops" };

	if (resources->blkio_weight)
		add(settings, CGROUP_IO, "block I/O weight", "io.weight",
		    number(weight_of_blkio(resources->blkio_weight)))
			->other_file = "io.bfq.weight";
	for (size_t i = 0; i < resources->weight_device_count; i++) {
		const struct cgroup_weight *weight = &resources->weight_devices[i];
		add(settings, CGROUP_IO, "block I/O weight of a device", "io.weight",
		    xasprintf("%" PRId64 ":%" PRId64 " %" PRId64, weight->major, weight->minor,
			      weight_of_blkio(weight->weight)))
			->other_file = "io.bfq.weight";
	}
	for (size_t kind = 0; kind < ARRAY_SIZE(throttle_keys); kind++)
		for (size_t i = 0; i < resources->throttle_count[kind]; i++) {
			const struct cgroup_throttle *throttle = &resources->throttle[kind][i];
			add(settings, CGROUP_IO, "block I/O rate", "io.max",
			    xasprintf("%" PRId64 ":%" PRId64 " %s=%" PRIu64, throttle->major,
				      throttle->minor, throttle_keys[kind], throttle->rate));
		}
}

enum cgroup_controller cgroup_controller_of_file(const char *file)
{
	static const char *const names[CGROUP_CONTROLLER_COUNT] = {
		[CGROUP_PIDS] = "pids.", [CGROUP_MEMORY] = "memory.",
		[CGROUP_CPU] = "cpu.",	 [CGROUP_CPUSET] = "cpuset.",
		[CGROUP_IO] = "io.",	 [CGROUP_HUGETLB] = "hugetlb.",
		[CGROUP_RDMA] = "rdma.",
	};

	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (names[i] && strncmp(file, names[i], strlen(names[i])) == 0)
			return (enum cgroup_controller)i;
	return CGROUP_CONTROLLER_COUNT;
}

static int add_unified(struct cgroup_settings *settings, const struct cgroup_resources *resources,
		       struct err *err)
{
	for (size_t i = 0; i < resources->unified_count; i++) {
		const struct key_value *raw = &resources->unified[i];
		/* A file of the group's own directory, and none that moves processes. */
		if (strchr(raw->key, '/') || !strchr(raw->key, '.') || raw->key[0] == '.' ||
		    strcmp(raw->key, "cgroup.procs") == 0 ||
		    strcmp(raw->key, "cgroup.threads") == 0)
			return err_set(err, EINVAL, "'%s' is not a setting of a control group",
				       raw->key);
		add(settings, cgroup_controller_of_file(raw->key), "cgroup setting", raw->key,
		    xstrdup(raw->value));
	}
	return 0;
}

int cgroup_settings_plan_v2(const struct cgroup_resources *resources,
			    struct cgroup_settings *ret_settings, struct err *err)
{
	struct cgroup_settings settings = { 0 };

	int r = check_resources(resources, err);
	if (r == 0)
		r = refuse_v1_only(resources, err);
	if (r < 0)
		return r;
	add_pids(&settings, resources);
	add_memory_v2(&settings, resources);
	add_cpu_v2(&settings, resources);
	add_cpuset(&settings, resources);
	add_io_v2(&settings, resources);
	add_hugetlb(&settings, resources, "max");
	add_rdma(&settings, resources);
	r = add_unified(&settings, resources, err);
	if (r < 0) {
		cgroup_settings_clear(&settings);
		return r;
	}
	*ret_settings = settings;
	return 0;
}

/* ---- devices ---- */

bool cgroup_devices_are_limited(const struct cgroup_resources *resources)
{
	bool limited = false;

	for (size_t i = 0; i < resources->device_count; i++) {
		const struct cgroup_device_rule *rule = &resources->devices[i];
		if (!rule->allow)
			limited = true;
		else if (rule->type == 'a')
			limited = false;
	}
	return limited;
}

void cgroup_device_rule_text(const struct cgroup_device_rule *rule, char text[64])
{
	char major[24] = "*", minor[24] = "*";

	if (rule->type == 'a') {
		snprintf(text, 64, "a");
		return;
	}
	if (rule->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, rule->major);
	if (rule->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, rule->minor);
	snprintf(text, 64, "%c %s:%s %.3s", rule->type, major, minor, rule->access);
}
