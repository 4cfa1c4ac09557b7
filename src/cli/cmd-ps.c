/* davit ps: lists containers. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "cli/container-row.h"
#include "cli/output.h"
#include "engine/container-repair.h"
#include "engine/container-filter.h"
#include "engine/container-size.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"

struct ps_args {
	bool all, external, quiet, no_trunc, noheading, latest, pods, size, sync, namespaces;
	int64_t last, watch_sec;
	const char *format, *sort;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct ps_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Those that do not run too" },
	{ "external", 0, OPTION_FLAG, FIELD(external), NULL,
	  "Those of other programs in the same storage too; there are never any in davit's" },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: id, name, label, label!, status, exited, ancestor, before, "
	  "since, until, command, volume, network, pod, health, restart-policy, "
	  "should-start-on-boot",
	  CONTAINER_FILTER_CHOICES },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "last", 'n', OPTION_INT, FIELD(last), "NUMBER", "The newest ones, running or not" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The newest one, running or not" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Whole IDs and commands" },
	{ "namespace", 0, OPTION_FLAG, FIELD(namespaces), NULL, "The same as --ns" },
	{ "noheading", 0, OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "ns", 0, OPTION_FLAG, FIELD(namespaces), NULL, "Show the namespaces of their processes" },
	{ "pod", 'p', OPTION_FLAG, FIELD(pods), NULL, "Show the pods that they belong to" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only IDs" },
	{ "size", 's', OPTION_FLAG, FIELD(size), NULL,
	  "Show how much they wrote, and the size of the image" },
	{ "sort", 0, OPTION_CHOICE, FIELD(sort), "KEY", "Order of the rows",
	  .choices = "created|command|id|image|names|runningfor|size|status" },
	{ "sync", 0, OPTION_FLAG, FIELD(sync), NULL,
	  "Ask the kernel what still runs; davit always does" },
	{ "watch", 'w', OPTION_INT, FIELD(watch_sec), "SECONDS", "List again and again" },
	OPTION_END,
};

#define COLUMN_LIMIT 11
static const struct output_column usual_columns[] = {
	{ "CONTAINER ID", "ID" },      { "IMAGE", "Image" },   { "COMMAND", "Command" },
	{ "CREATED", "CreatedHuman" }, { "STATUS", "Status" }, { "PORTS", "Ports" },
	{ "NAMES", "Names" },	       { NULL, NULL },
};
static const struct output_column pod_columns[] = {
	{ "POD ID", "Pod" },
	{ "PODNAME", "PodName" },
	{ NULL, NULL },
};
static const struct output_column size_columns[] = { { "SIZE", "Size" }, { NULL, NULL } };
static const struct output_column columns_of_namespaces[] = {
	{ "CONTAINER ID", "ID" },   { "NAMES", "Names" }, { "PID", "Pid" },
	{ "CGROUPNS", "CGROUPNS" }, { "IPC", "IPC" },	  { "MNT", "MNT" },
	{ "NET", "NET" },	    { "PIDNS", "PIDNS" }, { "USERNS", "USERNS" },
	{ "UTS", "UTS" },	    { NULL, NULL },
};
static const struct output_column headings[] = {
	{ "RUNNING FOR", "RunningFor" },
	{ "IMAGE ID", "ImageID" },
	{ "EXIT CODE", "ExitCode" },
	{ "POD ID", "Pod" },
	{ NULL, NULL },
};
static const struct output_sort sorts[] = {
	{ "created", "created_nsec", OUTPUT_ASCENDING },
	{ "command", "Command", 0 },
	{ "id", "ID", 0 },
	{ "image", "Image", 0 },
	{ "names", "Names", 0 },
	{ "runningfor", "created_nsec", 0 },
	{ "size", "size_bytes", OUTPUT_ASCENDING },
	{ "status", "Status", 0 },
	{ NULL, NULL, 0 },
};

static void choose_columns(const struct ps_args *args, struct output_column *ret_columns)
{
	const struct output_column *parts[] = {
		args->namespaces ? columns_of_namespaces : usual_columns,
		args->pods ? pod_columns : NULL,
		args->size ? size_columns : NULL,
	};
	size_t count = 0;

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (const struct output_column *at = parts[p]; at && at->heading; at++)
			ret_columns[count++] = *at;
	ret_columns[count] = (struct output_column){ NULL, NULL };
}

/* Which of the list are to be shown, in its order. */
static size_t choose(const struct ps_args *args, const struct container_filter *filter,
		     struct container **list, size_t count, struct container **ret_chosen)
{
	int64_t last = args->latest ? 1 : args->last;
	bool all = args->all || last > 0 || container_filter_has_state(filter);
	size_t chosen = 0;

	for (size_t i = last > 0 && (size_t)last < count ? count - (size_t)last : 0; i < count; i++)
		if ((all || list[i]->state == CONTAINER_RUNNING ||
		     container_is_restarting(list[i])) &&
		    container_filter_matches(filter, list[i]))
			ret_chosen[chosen++] = list[i];
	return chosen;
}

static bool mentions(const struct ps_args *args, const char *const *fields)
{
	for (; args->format && *fields; fields++)
		if (strstr(args->format, *fields))
			return true;
	return false;
}

/* What costs more than a look at the table is only looked up when it will be shown. */
static int make_rows(struct engine *engine, const struct ps_args *args, struct container **chosen,
		     size_t count, struct json_object *rows, struct err *err)
{
	static const char *const size_fields[] = { ".Size", NULL };
	static const char *const namespace_fields[] = {
		"NS", ".IPC", ".MNT", ".NET", ".UTS", NULL
	};
	bool as_json = output_wants_json(args->format);
	bool wants_size = args->size || mentions(args, size_fields) ||
			  (args->sort && strcmp(args->sort, "size") == 0);
	autofree struct container_size *sizes = xcalloc(count + 1, sizeof(*sizes));
	bool is_usual = !args->namespaces &&
			(!args->format || !*args->format || strcmp(args->format, "table") == 0);
	struct timespec now;

	if (wants_size) {
		int r = container_sizes(engine, chosen, count, sizes, err);
		if (r < 0)
			return r;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < count; i++) {
		autofree char *health = chosen[i]->state == CONTAINER_RUNNING
						? health_status(engine, chosen[i])
						: NULL;
		const struct container_row how = {
			.health = health,
			.no_trunc = args->no_trunc,
			.only_usual = is_usual,
			.namespaces = args->namespaces || mentions(args, namespace_fields),
			.now_usec = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000,
			.size = wants_size ? &sizes[i] : NULL,
		};
		json_object_array_add(rows, as_json ? container_row_for_programs(chosen[i], &how)
						    : container_row_for_people(chosen[i], &how));
	}
	return 0;
}

static int list_once(struct engine *engine, const struct ps_args *args,
		     const struct container_filter *filter, struct err *err)
{
	static const char *const spec_fields[] = { "Mounts", "Networks", "CIDFile", "ExposedPorts",
						   NULL };
	autojson struct json_object *rows = json_object_new_array();
	bool as_json = output_wants_json(args->format);
	bool wants_spec = as_json || args->filters.count || mentions(args, spec_fields);
	struct container **list;
	size_t count;

	int r = container_list(engine, wants_spec ? CONTAINER_WITH_SPEC : 0, &list, &count, err);
	if (r < 0)
		return r;
	/* So that what is shown is what there is. */
	count = container_repair_all(engine, list, count);
	autofree struct container **chosen = xcalloc(count + 1, sizeof(struct container *));
	size_t chosen_count = choose(args, filter, list, count, chosen);
	r = make_rows(engine, args, chosen, chosen_count, rows, err);
	if (args->all)
		container_sweep(engine, list, count);
	container_list_free(list, count);
	if (r < 0)
		return r;
	struct output_column columns[COLUMN_LIMIT + 1];
	choose_columns(args, columns);
	const struct output_list how = {
		.columns = columns,
		.headings = headings,
		.sorts = as_json ? NULL : sorts,
		.quiet_field = "ID",
		.format = args->format,
		.sort = args->sort,
		.quiet = args->quiet,
		.noheading = args->noheading,
	};
	return output_list(&how, rows, err);
}

#define LIST_HEAP_BYTES (768 * 1024) /* what some hundred containers take */

static int ps(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct ps_args *args = arguments;
	autocontainer_filter struct container_filter *filter = NULL;
	struct engine *engine;

	if (args->quiet && (args->size || args->namespaces))
		return err_set(err, EINVAL,
			       "--quiet prints only IDs, so %s cannot be given with it",
			       args->size ? "--size" : "--ns");
	if (args->namespaces && (args->size || args->pods))
		return err_set(err, EINVAL, "--%s and --ns are different tables; give one of them",
			       args->size ? "size" : "pod");
	if (cli_given(cli, "watch") && args->watch_sec < 1)
		return err_set(err, EINVAL, "--watch %lld: give at least one second",
			       (long long)args->watch_sec);
	mem_expect(LIST_HEAP_BYTES);
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_filter_parse(engine, &args->filters, &filter, err);
	if (r == 0)
		r = list_once(engine, args, filter, err);
	while (r == 0 && args->watch_sec) {
		fflush(stdout);
		/* Nothing tells of changes in other containers than one's own: look again now and then. */
		(void)poll(NULL, 0,
			   (int)(args->watch_sec > 86400 ? 86400 : args->watch_sec) * 1000);
		fputs("\033[2J\033[H", stdout); /* an empty screen, from its top */
		r = list_once(engine, args, filter, err);
	}
	return r;
}

const struct command command_ps = {
	.names = "ps|container ps|container ls|container list",
	.summary = "List containers",
	.examples =
		"davit ps -a\ndavit ps --filter status=exited --format '{{.Names}} {{.Status}}'",
	.min_operands = 0,
	.max_operands = 0,
	.options = options,
	.args_size = sizeof(struct ps_args),
	.run = ps,
};
