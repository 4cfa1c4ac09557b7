#include "engine/plan-limits.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strlist.h"
#include "engine/container-spec.h"
#include "engine/settings.h"
#include "kernel/cgroup.h"

static void plan_defaults(const struct settings *settings, uint64_t host_memory_bytes,
			  struct cgroup_resources *limits)
{
	if (limits->pids_limit == 0 && settings->pids_limit > 0) {
		limits->pids_limit = settings->pids_limit;
		limits->pids_limit_is_default = true;
	}
	if (limits->memory_limit == 0 && settings->memory_limit != 0 && host_memory_bytes) {
		/* Nine tenths: a container that runs away is stopped while there is still room to
		 * log in and look. */
		limits->memory_limit = settings->memory_limit > 0
					       ? settings->memory_limit
					       : (int64_t)(host_memory_bytes / 10 * 9);
		limits->memory_limit_is_default = true;
	}
}

static void plan_memory(const struct container_spec *spec, struct cgroup_resources *limits)
{
	limits->memory_swap = spec->memory_swap;
	if (spec->memory > 0 && limits->memory_swap == 0 && spec->memory <= INT64_MAX / 2) {
		/* A process that is over its memory limit would otherwise fill the host's swap. */
		limits->memory_swap = spec->memory * 2;
		limits->memory_swap_is_default = true;
	}
	limits->memory_reservation = spec->memory_reservation;
	limits->memory_swappiness = spec->has_memory_swappiness ? spec->memory_swappiness : -1;
	limits->memory_disable_oom_killer = spec->oom_kill_disable;
}

static void plan_cpu(const struct container_spec *spec, struct cgroup_resources *limits)
{
	limits->cpu_shares = (uint64_t)spec->cpu_shares;
	limits->cpu_quota = spec->cpu_quota;
	limits->cpu_period = (uint64_t)spec->cpu_period;
	limits->cpu_rt_runtime = spec->cpu_rt_runtime;
	limits->cpu_rt_period = (uint64_t)spec->cpu_rt_period;
	limits->cpuset_cpus = xstrdup(spec->cpuset_cpus);
	limits->cpuset_mems = xstrdup(spec->cpuset_mems);
}

/* ---- block devices ---- */

/* "DEVICE:VALUE" → its number and the text of the value. */
static int split_device(const char *option, const char *text, int64_t *major_number,
			int64_t *minor_number, const char **ret_value, struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct stat st;

	if (!colon || colon == text || !colon[1])
		return err_set(err, EINVAL, "invalid --%s '%s'; write it as DEVICE:VALUE", option,
			       text);
	autofree char *path = xstrndup(text, (size_t)(colon - text));
	if (stat(path, &st) < 0)
		return err_errno(err, "--%s: device '%s'", option, path);
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ENOTBLK,
			       "--%s: '%s' is no block device; name one such as /dev/sda", option,
			       path);
	*major_number = major(st.st_rdev);
	*minor_number = minor(st.st_rdev);
	*ret_value = colon + 1;
	return 0;
}

static int plan_weights(const struct strlist *list, struct cgroup_resources *limits,
			struct err *err)
{
	static const char option[] = "blkio-weight-device";

	for (size_t i = 0; i < list->count; i++) {
		struct cgroup_weight weight;
		const char *text;
		int64_t value;
		int r = split_device(option, list->items[i], &weight.major, &weight.minor, &text,
				     err);
		if (r < 0)
			return r;
		if (number_parse(text, 10, 1000, &value) < 0)
			return err_set(err, ERANGE,
				       "--%s '%s': a weight is a number from 10 to 1000", option,
				       list->items[i]);
		weight.weight = (uint16_t)value;
		limits->weight_devices =
			xreallocarray(limits->weight_devices, limits->weight_device_count + 1,
				      sizeof(*limits->weight_devices));
		limits->weight_devices[limits->weight_device_count++] = weight;
	}
	return 0;
}

static int plan_rates(const char *option, const struct strlist *list, bool is_bytes, size_t kind,
		      struct cgroup_resources *limits, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct cgroup_throttle throttle;
		const char *text;
		int64_t value;
		int r = split_device(option, list->items[i], &throttle.major, &throttle.minor,
				     &text, err);
		if (r < 0)
			return r;
		r = is_bytes ? human_parse_bytes(text, &value, err)
			     : number_parse(text, 1, INT64_MAX, &value);
		if (r < 0 || value <= 0)
			return err_set(err, EINVAL, "--%s '%s': a rate is a %s above 0", option,
				       list->items[i],
				       is_bytes ? "size such as 1m, in a second," : "number");
		throttle.rate = (uint64_t)value;
		limits->throttle[kind] = xreallocarray(
			limits->throttle[kind], limits->throttle_count[kind] + 1, sizeof(throttle));
		limits->throttle[kind][limits->throttle_count[kind]++] = throttle;
	}
	return 0;
}

static int plan_block_io(const struct container_spec *spec, struct cgroup_resources *limits,
			 struct err *err)
{
	/* In the order of struct cgroup_resources. */
	const struct {
		const char *option;
		const struct strlist *list;
		bool is_bytes;
	} rates[] = {
		{ "device-read-bps", &spec->device_read_bps, true },
		{ "device-write-bps", &spec->device_write_bps, true },
		{ "device-read-iops", &spec->device_read_iops, false },
		{ "device-write-iops", &spec->device_write_iops, false },
	};
	int r = plan_weights(&spec->blkio_weight_devices, limits, err);

	limits->blkio_weight = (uint16_t)spec->blkio_weight;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rates); i++)
		r = plan_rates(rates[i].option, rates[i].list, rates[i].is_bytes, i, limits, err);
	return r;
}

static int plan_raw(const struct strlist *list, struct cgroup_resources *limits, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i], *equals = strchr(text, '=');
		if (!equals || equals == text)
			return err_set(err, EINVAL,
				       "invalid --cgroup-conf '%s'; write it as FILE=VALUE", text);
		limits->unified = xreallocarray(limits->unified, limits->unified_count + 1,
						sizeof(*limits->unified));
		limits->unified[limits->unified_count++] = (struct key_value){
			.key = xstrndup(text, (size_t)(equals - text)),
			.value = xstrdup(equals + 1),
		};
	}
	return 0;
}

int plan_limits(const struct container_spec *spec, const struct settings *settings,
		uint64_t host_memory_bytes, struct cgroup_resources *limits, struct err *err)
{
	limits->pids_limit = spec->pids_limit;
	limits->memory_limit = spec->memory;
	if (settings)
		plan_defaults(settings, host_memory_bytes, limits);
	plan_memory(spec, limits);
	plan_cpu(spec, limits);
	int r = plan_block_io(spec, limits, err);
	return r < 0 ? r : plan_raw(&spec->cgroup_conf, limits, err);
}
