/* davit ps: lists containers. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/template.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/container-end.h"
#include "engine/container-filter.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/mount-spec.h"
#include "engine/published-ports.h"
#include "network/ports.h"

struct ps_args {
	bool all, quiet, no_trunc, noheading, latest;
	int64_t last;
	const char *format, *sort;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct ps_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Those that do not run too" },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: id, name, label, status, exited, ancestor, before, since, "
	  "volume, network",
	  .choices = "id=|name=|label=|status=|exited=|ancestor=|before=|since=|volume=|network=" },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "last", 'n', OPTION_INT, FIELD(last), "NUMBER", "The newest ones, running or not" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The newest one, running or not" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "Whole IDs and commands" },
	{ "noheading", 0, OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only IDs" },
	{ "sort", 0, OPTION_CHOICE, FIELD(sort), "KEY", "Order of the rows",
	  .choices = "created|command|id|image|names|runningfor|status" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "CONTAINER ID", "ID" },      { "IMAGE", "Image" },   { "COMMAND", "Command" },
	{ "CREATED", "CreatedHuman" }, { "STATUS", "Status" }, { "PORTS", "Ports" },
	{ "NAMES", "Names" },	       { NULL, NULL },
};
static const struct output_column headings[] = {
	{ "CREATED", "RunningFor" },
	{ "IMAGE ID", "ImageID" },
	{ "EXIT CODE", "ExitCode" },
	{ NULL, NULL },
};
static const struct output_sort sorts[] = {
	{ "created", "created_nsec", OUTPUT_ASCENDING },
	{ "command", "Command", 0 },
	{ "id", "ID", 0 },
	{ "image", "Image", 0 },
	{ "names", "Names", 0 },
	{ "runningfor", "created_nsec", 0 },
	{ "status", "Status", 0 },
	{ NULL, NULL, 0 },
};

static char *status_text(const struct container *container, int64_t now_usec)
{
	if (container->state == CONTAINER_CREATED)
		return xstrdup("Created");
	if (container->state == CONTAINER_RUNNING) {
		autofree char *since = human_duration(now_usec - container->started_nsec / 1000);
		return xasprintf("Up %s", since);
	}
	autofree char *ago = human_ago(container->finished_nsec / 1000, now_usec);
	return xasprintf("%s (%d)%s%s",
			 container->state == CONTAINER_RESTARTING ? "Restarting" : "Exited",
			 container->exit_code, *ago ? " " : "", ago);
}

static void add_ports(struct json_object *row, const struct container *container, bool as_json)
{
	autoports struct port_list ports = PORT_LIST_EMPTY;
	autostrlist struct strlist lines = STRLIST_EMPTY;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* of a record that is damaged the rest is still shown */

	strlist_split(&lines, container->ports, '\n');
	(void)published_ports_load(&lines, &ports, &ignored);
	if (as_json) {
		json_object_object_add(row, "Ports", ports.count ? ports_to_json(&ports) : NULL);
		return;
	}
	ports_format(&ports, &text);
	json_add_string(row, "Ports", strbuf_text(&text));
}

static struct json_object *labels_of(const struct container *container)
{
	struct json_object *labels = NULL;
	struct err ignored;

	if (!container->labels ||
	    json_parse(container->labels, strlen(container->labels), &labels, &ignored) < 0)
		return json_object_new_object();
	return labels;
}

static char *labels_line(struct json_object *labels)
{
	struct strbuf line = STRBUF_EMPTY;

	json_object_object_foreach(labels, key, value) strbuf_addf(
		&line, "%s%s=%s", line.size ? "," : "", key, json_object_get_string(value));
	return strbuf_take(&line);
}

/* What only the spec knows: looked up when it is asked for. */
static void add_spec_fields(struct json_object *row, const struct container *container,
			    bool as_json)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autostrlist struct strlist mounts = STRLIST_EMPTY, networks = STRLIST_EMPTY;
	struct err ignored;

	if (!container->spec_text || container_spec_of(container, &spec, &ignored) < 0)
		return;
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		if (mount_spec_load(spec->mounts.items[i], &mount, &ignored) < 0)
			continue;
		strlist_add(&mounts, as_json ? mount.destination : mount.source ?: mount.destination);
		mount_spec_clear(&mount);
	}
	strlist_add(&networks, spec->network_mode);
	if (as_json) {
		json_add_strlist(row, "Mounts", &mounts);
		json_add_strlist(row, "Networks", &networks);
		return;
	}
	autofree char *mounts_text = strlist_join(&mounts, ","),
		      *networks_text = strlist_join(&networks, ",");
	json_add_string(row, "Mounts", mounts_text);
	json_add_string(row, "Networks", networks_text);
}

static char *local_time(int64_t nsec)
{
	char text[64];
	time_t seconds = nsec / 1000000000;
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &local);
	return xstrdup(text);
}

static struct json_object *row_for_people(const struct container *container,
					  const struct ps_args *args, int64_t now_usec)
{
	struct json_object *row = json_object_new_object();
	autofree char *status = status_text(container, now_usec),
		      *since = human_ago(container->created_nsec / 1000, now_usec);
	autofree char *created_at = local_time(container->created_nsec);
	autojson struct json_object *labels = labels_of(container);
	autofree char *line = labels_line(labels);
	int width = args->no_trunc ? 64 : 12;
	bool shorten = !args->no_trunc && strlen(container->command) > 20;
	autofree char *id = xasprintf("%.*s", width, container->id),
		      *image_id = xasprintf("%.*s", width, container->image_id ?: ""),
		      *command = xasprintf("%.*s%s", shorten ? 17 : INT32_MAX, container->command,
					   shorten ? "..." : "");

	json_add_string(row, "ID", id);
	json_add_string(row, "Image", container->image_name ?: "");
	json_add_string(row, "ImageID", image_id);
	json_add_string(row, "Command", command);
	json_add_string(row, "CreatedHuman", since);
	json_add_string(row, "RunningFor", since);
	json_add_string(row, "CreatedAt", created_at);
	json_add_string(row, "Created", since);
	json_add_string(row, "Status", status);
	json_add_string(row, "State", container_state_name(container->state));
	json_add_string(row, "Names", container->name);
	json_add_string(row, "Labels", line);
	json_object_object_add(row, "Label", json_object_get(labels));
	json_add_bool(row, "AutoRemove", container->auto_remove);
	json_add_bool(row, "Exited", container->state == CONTAINER_EXITED);
	json_add_int(row, "ExitCode", container->exit_code);
	json_add_int(row, "ExitedAt", container->finished_nsec / 1000000000);
	json_add_int(row, "StartedAt", container->started_nsec / 1000000000);
	json_add_int(row, "Pid", container->state == CONTAINER_RUNNING ? container->run.pid : 0);
	json_add_int(row, "Restarts", container->restart_count);
	json_add_int(row, "created_nsec", container->created_nsec);
	add_ports(row, container, false);
	add_spec_fields(row, container, false);
	return row;
}

static struct json_object *row_for_programs(const struct container *container, int64_t now_usec)
{
	struct json_object *row = json_object_new_object(), *names = json_object_new_array(),
			   *command = json_object_new_array();
	autocontainer_spec struct container_spec *spec = NULL;
	autofree char *status = status_text(container, now_usec),
		      *created_at = human_ago(container->created_nsec / 1000, now_usec);
	struct err ignored;

	if (container->spec_text && container_spec_of(container, &spec, &ignored) == 0) {
		const struct strlist *parts[] = { &spec->entrypoint, &spec->command };
		for (size_t p = 0; p < 2; p++)
			for (size_t i = 0; i < parts[p]->count; i++)
				json_object_array_add(command,
						      json_object_new_string(parts[p]->items[i]));
	}
	json_object_array_add(names, json_object_new_string(container->name));
	json_add_bool(row, "AutoRemove", container->auto_remove);
	json_object_object_add(row, "Command", command);
	json_add_string(row, "CreatedAt", created_at);
	json_add_bool(row, "Exited", container->state == CONTAINER_EXITED);
	json_add_int(row, "ExitedAt", container->finished_nsec / 1000000000);
	json_add_int(row, "ExitCode", container->exit_code);
	json_add_string(row, "Id", container->id);
	json_add_string(row, "Image", container->image_name ?: "");
	json_add_string(row, "ImageID", container->image_id ?: "");
	json_add_bool(row, "IsInfra", false);
	json_object_object_add(row, "Labels", labels_of(container));
	add_spec_fields(row, container, true);
	json_object_object_add(row, "Names", names);
	json_object_object_add(row, "Namespaces", json_object_new_object());
	json_add_int(row, "Pid", container->state == CONTAINER_RUNNING ? container->run.pid : 0);
	json_add_string(row, "Pod", "");
	json_add_string(row, "PodName", "");
	add_ports(row, container, true);
	json_object_object_add(row, "Size", NULL);
	json_add_int(row, "StartedAt", container->started_nsec / 1000000000);
	json_add_string(row, "State", container_state_name(container->state));
	json_add_string(row, "Status", status);
	json_add_int(row, "Created", container->created_nsec / 1000000000);
	return row;
}

static int ps(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct ps_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	autocontainer_filter struct container_filter *filter = NULL;
	bool as_json = output_wants_json(args->format);
	bool wants_spec = as_json || args->filters.count ||
			  (args->format &&
			   (strstr(args->format, "Mounts") || strstr(args->format, "Networks")));
	struct container **list;
	struct engine *engine;
	struct timespec now;
	size_t count;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_filter_parse(engine, &args->filters, &filter, err);
	if (r == 0)
		r = container_list(engine, wants_spec ? CONTAINER_WITH_SPEC : 0, &list, &count,
				   err);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_usec = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
	int64_t last = args->latest ? 1 : args->last;
	bool all = args->all || last > 0 || container_filter_has_state(filter);
	for (size_t i = last > 0 && (size_t)last < count ? count - (size_t)last : 0; i < count;
	     i++) {
		if (!all && list[i]->state != CONTAINER_RUNNING &&
		    list[i]->state != CONTAINER_RESTARTING)
			continue;
		if (!container_filter_matches(filter, list[i]))
			continue;
		json_object_array_add(rows, as_json ? row_for_programs(list[i], now_usec)
						    : row_for_people(list[i], args, now_usec));
	}
	for (size_t i = 0; i < count; i++)
		container_repair(engine, list[i]);
	if (args->all)
		container_sweep(engine, list, count);
	container_list_free(list, count);
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
