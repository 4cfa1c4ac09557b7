/* update and events: limits, and what a container uses of them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "oci-runtime/container.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"

#define MAX_RESOURCES_BYTES (1 << 20)

/* The container's group, which there has to be. */
static int open_group(const struct program *program, const char *id,
		      enum container_find_flags flags, struct container **ret_container,
		      struct cgroup **ret_cgroup, struct err *err)
{
	int r = container_find(program, id, flags, ret_container, err);

	if (r < 0)
		return r;
	r = container_status(*ret_container) == CONTAINER_STOPPED
		    ? err_set(err, ESRCH, "container '%s' is not running", id)
		    : container_open_cgroup(*ret_container, ret_cgroup, err);
	if (r == 0 && !*ret_cgroup)
		r = err_set(err, ENOTSUP, "container '%s' has no control group", id);
	if (r < 0)
		container_free(*ret_container);
	return r;
}

/* ---- update ---- */

struct update_args {
	const char *resources, *cpus, *mems;
	int64_t memory, memory_swap, memory_reservation, pids, quota, period, shares, weight;
};

#define FIELD(f) offsetof(struct update_args, f)
static const struct option_spec update_options[] = {
	{ "resources", 'r', OPTION_STRING, FIELD(resources), "FILE",
	  "What to change, as linux.resources has it; - is standard input" },
	{ "memory", 0, OPTION_BYTES, FIELD(memory), "BYTES", "Memory limit",
	  .traits = OPTION_MINUS_ONE },
	{ "memory-swap", 0, OPTION_BYTES, FIELD(memory_swap), "BYTES", "Limit of memory and swap",
	  .traits = OPTION_MINUS_ONE },
	{ "memory-reservation", 0, OPTION_BYTES, FIELD(memory_reservation), "BYTES",
	  "Memory to be left with", .traits = OPTION_MINUS_ONE },
	{ "pids-limit", 0, OPTION_INT, FIELD(pids), "N", "Limit of processes" },
	{ "cpu-quota", 0, OPTION_INT, FIELD(quota), "USEC", "Processor time in each period" },
	{ "cpu-period", 0, OPTION_INT, FIELD(period), "USEC", "Length of a period" },
	{ "cpu-share", 0, OPTION_INT, FIELD(shares), "N",
	  "Share of processor time, beside others" },
	{ "cpuset-cpus", 0, OPTION_STRING, FIELD(cpus), "LIST", "Processors" },
	{ "cpuset-mems", 0, OPTION_STRING, FIELD(mems), "LIST", "Memory nodes" },
	{ "blkio-weight", 0, OPTION_INT, FIELD(weight), "N",
	  "Share of input and output, 10 to 1000" },
	OPTION_END,
};

static int read_resources(const char *path, struct cgroup_resources *resources, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	int r;

	if (strcmp(path, "-") == 0) {
		r = fd_read_all(STDIN_FILENO, &text, MAX_RESOURCES_BYTES);
		if (r < 0)
			return err_set(err, -r, "read the resources from standard input: %s",
				       strerror(-r));
	} else {
		r = file_read(AT_FDCWD, path, &text, MAX_RESOURCES_BYTES, err);
		if (r < 0)
			return r;
	}
	return oci_resources_parse(strbuf_text(&text), text.size, resources, err);
}

static int take_options(const struct program *program, const struct update_args *args,
			struct cgroup_resources *resources, struct err *err)
{
	if (args->quota < -1 || args->period < 0 || args->shares < 0 || args->pids < -1 ||
	    args->weight < 0 || args->weight > 1000)
		return err_set(err, EINVAL, "update: a limit is out of its range");
	if (program_given(program, "memory"))
		resources->memory_limit = args->memory;
	if (program_given(program, "memory-swap"))
		resources->memory_swap = args->memory_swap;
	if (program_given(program, "memory-reservation"))
		resources->memory_reservation = args->memory_reservation;
	if (program_given(program, "pids-limit"))
		resources->pids_limit = args->pids;
	if (program_given(program, "cpu-quota"))
		resources->cpu_quota = args->quota;
	if (program_given(program, "cpu-period"))
		resources->cpu_period = (uint64_t)args->period;
	if (program_given(program, "cpu-share"))
		resources->cpu_shares = (uint64_t)args->shares;
	if (program_given(program, "blkio-weight"))
		resources->blkio_weight = (uint16_t)args->weight;
	if (args->cpus) {
		free(resources->cpuset_cpus);
		resources->cpuset_cpus = xstrdup(args->cpus);
	}
	if (args->mems) {
		free(resources->cpuset_mems);
		resources->cpuset_mems = xstrdup(args->mems);
	}
	return 0;
}

static int update(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct update_args *args = arguments;
	/* For its resources, empty and released with the rest. */
	struct oci_runtime_config *changes = oci_runtime_config_new();
	struct container *container;
	struct cgroup *cgroup;

	int r = args->resources ? read_resources(args->resources, &changes->resources, err) : 0;
	if (r == 0)
		r = take_options(program, args, &changes->resources, err);
	if (r == 0)
		r = open_group(program, argv[0], CONTAINER_LOCK, &container, &cgroup, err);
	if (r == 0) {
		r = cgroup_update(cgroup, &changes->resources, err);
		cgroup_free(cgroup);
		container_free(container);
	}
	oci_runtime_config_free(changes);
	return r;
}

const struct verb verb_update = {
	.name = "update",
	.summary = "Change the limits of a container",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.options = update_options,
	.args_size = sizeof(struct update_args),
	.run = update,
};

/* ---- events ---- */

struct events_args {
	bool stats;
	int64_t interval_usec;
};

static const struct option_spec events_options[] = {
	{ "stats", 0, OPTION_FLAG, offsetof(struct events_args, stats), NULL,
	  "Tell once what it uses, and end" },
	{ "interval", 0, OPTION_DURATION, offsetof(struct events_args, interval_usec), "TIME",
	  "How often to tell what it uses", .initial = "5s" },
	OPTION_END,
};

static void print_event(const char *type, const char *id, struct json_object *data)
{
	autojson struct json_object *event = json_object_new_object();

	json_add_string(event, "type", type);
	json_add_string(event, "id", id);
	if (data)
		json_object_object_add(event, "data", data);
	puts(json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

static void add(struct json_object *object, const char *key, uint64_t value)
{
	if (value != UINT64_MAX) /* no limit */
		json_object_object_add(object, key, json_object_new_uint64(value));
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = json_object_new_object();

	json_object_object_add(object, key, value);
	return value;
}

static struct json_object *statistics_to_json(const struct cgroup_statistics *statistics)
{
	struct json_object *data = json_object_new_object();

	if (statistics->has_cpu) {
		struct json_object *cpu = member(data, "cpu"), *usage = member(cpu, "usage");
		struct json_object *throttling = member(cpu, "throttling");
		add(usage, "total", statistics->cpu_usec * 1000);
		add(usage, "user", statistics->cpu_user_usec * 1000);
		add(usage, "kernel", statistics->cpu_system_usec * 1000);
		add(throttling, "throttledPeriods", statistics->throttled_periods);
		add(throttling, "throttledTime", statistics->throttled_usec * 1000);
	}
	if (statistics->has_memory) {
		struct json_object *usage = member(member(data, "memory"), "usage");
		add(usage, "usage", statistics->memory_bytes);
		add(usage, "limit", statistics->memory_limit_bytes);
	}
	if (statistics->has_pids) {
		struct json_object *pids = member(data, "pids");
		add(pids, "current", statistics->pids);
		add(pids, "limit", statistics->pids_limit);
	}
	if (statistics->has_io) {
		struct json_object *io = member(data, "blkio");
		add(io, "readBytes", statistics->read_bytes);
		add(io, "writeBytes", statistics->write_bytes);
	}
	return data;
}

static void tell_until_end(const struct container *container, const struct cgroup *cgroup,
			   int pid_fd, int64_t interval_usec)
{
	struct pollfd ended = { .fd = pid_fd, .events = POLLIN };
	struct cgroup_statistics statistics = { 0 };
	uint64_t oom_kills;

	cgroup_read_statistics(cgroup, &statistics);
	oom_kills = statistics.oom_kills;
	while (poll(&ended, 1, (int)(interval_usec / 1000)) == 0) {
		cgroup_read_statistics(cgroup, &statistics);
		if (statistics.oom_kills > oom_kills)
			print_event("oom", container->config->id, NULL);
		oom_kills = statistics.oom_kills;
		print_event("stats", container->config->id, statistics_to_json(&statistics));
	}
}

static int events(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct events_args *args = arguments;
	struct cgroup_statistics statistics = { 0 };
	struct container *container;
	struct cgroup *cgroup;
	autoclose int pid_fd = -1;

	if (args->interval_usec < 1000 || args->interval_usec > INT32_MAX)
		return err_set(err, EINVAL, "events: --interval is not from 1ms to 35m");
	int r = open_group(program, argv[0], 0, &container, &cgroup, err);
	if (r < 0)
		return r;
	if (args->stats) {
		cgroup_read_statistics(cgroup, &statistics);
		print_event("stats", argv[0], statistics_to_json(&statistics));
	} else {
		r = container_open_process(container, &pid_fd, err);
		if (r == 0)
			tell_until_end(container, cgroup, pid_fd, args->interval_usec);
	}
	cgroup_free(cgroup);
	container_free(container);
	return r;
}

const struct verb verb_events = {
	.name = "events",
	.summary = "Tell what a container uses, until it ends",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.options = events_options,
	.args_size = sizeof(struct events_args),
	.run = events,
};
