/* davit stats: what running containers use, once or again and again.
 *
 * The share of processors is that since the sample before; the first one is that since the start. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "cli/output.h"
#include "engine/container-processes.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "kernel/cgroup.h"

struct stats_args {
	bool all, latest, no_reset, no_stream, no_trunc;
	int64_t interval_sec;
	const char *format;
};

#define FIELD(f) offsetof(struct stats_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Those that do not run too" },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "interval", 'i', OPTION_INT, FIELD(interval_sec), "SECONDS", "Time between two samples",
	  .initial = "5" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "no-reset", 0, OPTION_FLAG, FIELD(no_reset), NULL,
	  "Do not clear the screen between samples" },
	{ "no-stream", 0, OPTION_FLAG, FIELD(no_stream), NULL, "One sample, and end" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Whole IDs" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "ID", "ID" },
	{ "NAME", "Name" },
	{ "CPU %", "CPUPerc" },
	{ "MEM USAGE / LIMIT", "MemUsage" },
	{ "MEM %", "MemPerc" },
	{ "NET IO", "NetIO" },
	{ "BLOCK IO", "BlockIO" },
	{ "PIDS", "PIDs" },
	{ "CPU TIME", "CPU" },
	{ "AVG CPU %", "AvgCPU" },
	{ NULL, NULL },
};

/* What the sample before said of a container. */
struct sample {
	char *id;
	uint64_t cpu_usec;
	int64_t time_usec;
};

struct samples {
	struct sample *items;
	size_t count;
};

static int64_t now_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* The one of this container; a new one begins at zero. */
static struct sample *sample_of(struct samples *samples, const char *id)
{
	for (size_t i = 0; i < samples->count; i++)
		if (strcmp(samples->items[i].id, id) == 0)
			return &samples->items[i];
	samples->items = xreallocarray(samples->items, samples->count + 1, sizeof(*samples->items));
	samples->items[samples->count] = (struct sample){ .id = xstrdup(id) };
	return &samples->items[samples->count++];
}

static void samples_clear(struct samples *samples)
{
	for (size_t i = 0; i < samples->count; i++)
		free(samples->items[i].id);
	free(samples->items);
}

static char *percent(double part, double whole)
{
	return xasprintf("%.2f%%", whole > 0 ? part / whole * 100 : 0.0);
}

static char *pair_of(bool has_any, uint64_t first, uint64_t second)
{
	if (!has_any)
		return xstrdup("-- / --");
	autofree char *left = human_size((double)first, 4, ""),
		      *right = human_size((double)second, 4, "");
	return xasprintf("%s / %s", left, right);
}

/* "1m2.5s", as Go writes durations. */
static char *duration(uint64_t usec)
{
	uint64_t seconds = usec / 1000000, minutes = seconds / 60, hours = minutes / 60;

	if (usec < 1000000)
		return xasprintf("%.3gms", (double)usec / 1000);
	if (seconds < 60)
		return xasprintf("%.3fs", (double)usec / 1000000);
	if (!hours)
		return xasprintf("%" PRIu64 "m%.1fs", minutes,
				 (double)(usec - minutes * 60000000) / 1000000);
	return xasprintf("%" PRIu64 "h%" PRIu64 "m%" PRIu64 "s", hours, minutes % 60, seconds % 60);
}

/* The same under the names of tables and templates and those of JSON. */
static void add(struct json_object *row, bool as_json, const char *field, const char *json_field,
		const char *value)
{
	json_add_string(row, as_json ? json_field : field, value);
}

static uint64_t host_memory(void)
{
	struct sysinfo host;

	return sysinfo(&host) == 0 ? (uint64_t)host.totalram * host.mem_unit : 0;
}

static struct json_object *make_row(const struct container *container,
				    const struct cgroup_statistics *use, struct sample *before,
				    const struct stats_args *args, bool as_json)
{
	struct json_object *row = json_object_new_object();
	int64_t now = now_usec(CLOCK_REALTIME), started = container->started_nsec / 1000;
	bool runs = container->state == CONTAINER_RUNNING;
	uint64_t limit = use->memory_limit_bytes, host = host_memory();
	struct network_statistics network = { 0 };

	if (runs)
		container_network_statistics(container, &network);
	if (host && limit > host)
		limit = host;
	uint64_t base_cpu = before->time_usec ? before->cpu_usec : 0;
	int64_t base_time = before->time_usec ? before->time_usec : started;
	uint64_t cpu = use->cpu_usec > base_cpu ? use->cpu_usec - base_cpu : 0;
	autofree char *cpu_share = percent((double)cpu, (double)(now - base_time)),
		      *average = percent((double)use->cpu_usec, (double)(now - started)),
		      *memory_share = percent((double)use->memory_bytes, (double)limit);
	before->cpu_usec = use->cpu_usec;
	before->time_usec = now;

	autofree char *id = xasprintf("%.*s", args->no_trunc ? 64 : 12, container->id),
		      *memory = pair_of(runs, use->memory_bytes, limit),
		      *net = pair_of(network.has_any, network.received_bytes, network.sent_bytes),
		      *block = pair_of(runs, use->read_bytes, use->write_bytes),
		      *pids = xasprintf("%" PRIu64, use->pids), *time = duration(use->cpu_usec),
		      *up = duration(runs && now > started ? (uint64_t)(now - started) : 0);
	add(row, as_json, "ID", "id", id);
	add(row, as_json, "Name", "name", container->name);
	add(row, as_json, "CPU", "cpu_time", time);
	add(row, as_json, "CPUPerc", "cpu_percent", cpu_share);
	add(row, as_json, "AvgCPU", "avg_cpu", average);
	add(row, as_json, "MemUsage", "mem_usage", memory);
	add(row, as_json, "MemPerc", "mem_percent", memory_share);
	add(row, as_json, "NetIO", "net_io", net);
	add(row, as_json, "BlockIO", "block_io", block);
	add(row, as_json, "PIDs", "pids", pids);
	add(row, as_json, "UpTime", "up_time", up);
	if (!as_json) {
		autofree char *used = human_size_binary((double)use->memory_bytes),
			      *allowed = human_size_binary((double)limit),
			      *bytes = runs ? xasprintf("%s / %s", used, allowed)
					    : xstrdup("-- / --");
		json_add_string(row, "PIDS", pids);
		json_add_string(row, "ContainerID", container->id);
		json_add_string(row, "MemUsageBytes", bytes);
		json_add_int(row, "MemLimit", runs ? (int64_t)limit : 0);
		json_add_int(row, "NetInput", (int64_t)network.received_bytes);
		json_add_int(row, "NetOutput", (int64_t)network.sent_bytes);
		json_add_int(row, "BlockInput", (int64_t)use->read_bytes);
		json_add_int(row, "BlockOutput", (int64_t)use->write_bytes);
		json_add_int(row, "CPUNano", (int64_t)use->cpu_usec * 1000);
		json_add_int(row, "CPUSystemNano", (int64_t)use->cpu_system_usec * 1000);
		json_add_int(row, "SystemNano", now * 1000);
		json_add_int(row, "Duration", (int64_t)use->cpu_usec * 1000);
	}
	return row;
}

static int add_container(struct engine *engine, const struct container *container,
			 struct samples *samples, const struct stats_args *args,
			 struct json_object *rows, size_t *running, struct err *err)
{
	struct cgroup_statistics use = { .memory_limit_bytes = UINT64_MAX };

	if (container->state == CONTAINER_RUNNING) {
		int r = container_statistics(engine, container, &use, err);
		if (r == -ESRCH || r == -ENOENT || r == -ENODEV)
			return 0; /* it is just ending */
		if (r < 0)
			return r;
		(*running)++;
	}
	json_object_array_add(rows, make_row(container, &use, sample_of(samples, container->id),
					     args, output_wants_json(args->format)));
	return 0;
}

/* Those that were named, or all. */
static int add_all(struct engine *engine, int argc, char **argv, struct samples *samples,
		   const struct stats_args *args, struct json_object *rows, size_t *running,
		   struct err *err)
{
	struct container **list;
	size_t count;
	int r = 0;

	for (int i = 0; r == 0 && i < argc + args->latest; i++) {
		autocontainer struct container *container = NULL;
		r = find_container_or_latest(engine, args->latest ? NULL : argv[i],
					     CONTAINER_WITH_SPEC, &container, err);
		if (r == 0)
			r = add_container(engine, container, samples, args, rows, running, err);
	}
	if (r < 0 || argc || args->latest)
		return r;
	r = container_list(engine, CONTAINER_WITH_SPEC, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (args->all || list[i]->state == CONTAINER_RUNNING)
			r = add_container(engine, list[i], samples, args, rows, running, err);
	container_list_free(list, count);
	return r;
}

static int show(struct engine *engine, int argc, char **argv, struct samples *samples,
		const struct stats_args *args, size_t *running, struct err *err)
{
	autojson struct json_object *rows = json_object_new_array();
	const struct output_list how = { .columns = columns, .format = args->format };

	int r = add_all(engine, argc, argv, samples, args, rows, running, err);
	if (r < 0)
		return r;
	if (!args->no_stream && !args->no_reset && !output_wants_json(args->format) &&
	    isatty(STDOUT_FILENO))
		fputs("\033[2J\033[H", stdout);
	r = output_list(&how, rows, err);
	return r < 0 ? r : fflush(stdout) == EOF ? err_errno(err, "write the table") : 0;
}

static int stats(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct stats_args *args = arguments;
	struct samples samples = { 0 };
	struct engine *engine;

	if (args->interval_sec < 1 || args->interval_sec > 86400)
		return err_set(err, EINVAL, "--interval %lld is not from 1 to 86400 seconds",
			       (long long)args->interval_sec);
	if ((args->all || args->latest) && (argc || (args->all && args->latest)))
		return err_set(err, EINVAL,
			       "name containers, or give --all or --latest; not several of these");
	int r = cli_engine(cli, &engine, err);
	for (size_t running = 1; r == 0;) {
		running = 0;
		r = show(engine, argc, argv, &samples, args, &running, err);
		/* Who was named may end; "all" includes those that are started later. */
		if (args->no_stream || ((argc || args->latest) && !running))
			break;
		if (r == 0)
			(void)poll(NULL, 0, (int)args->interval_sec * 1000);
	}
	samples_clear(&samples);
	return r;
}

const struct command command_stats = {
	.names = "stats|container stats",
	.summary = "Show what containers use",
	.examples = "davit stats --no-stream\ndavit stats --format '{{.Name}} {{.CPUPerc}}' web",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct stats_args),
	.run = stats,
};
