/* davit snapshots: lists the snapshots of containers. */
#include "cli/command.h"

#include <errno.h>

#include "base/duration.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "engine/container-snapshot.h"
#include "engine/container.h"

struct snapshots_args {
	const char *format;
	bool noheading, quiet, size;
};

#define FIELD(f) offsetof(struct snapshots_args, f)
static const struct option_spec options[] = {
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "noheading", 'n', OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only tags" },
	{ "size", 's', OPTION_FLAG, FIELD(size), NULL,
	  "Measure what was written up to each of them; takes its time" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "CONTAINER", "Container" }, { "TAG", "Tag" }, { "CREATED", "CreatedAt" },
	{ "CURRENT", "Current" },     { NULL, NULL },
};
static const struct output_column columns_with_size[] = {
	{ "CONTAINER", "Container" }, { "TAG", "Tag" },	  { "CREATED", "CreatedAt" },
	{ "CURRENT", "Current" },     { "SIZE", "Size" }, { NULL, NULL },
};

static struct json_object *row_of(const struct snapshot *snapshot, bool is_for_people)
{
	struct json_object *row = json_object_new_object();
	int64_t created_usec = snapshot->created_nsec / 1000;
	autofree char *created = is_for_people ? human_ago(created_usec, timestamp_now_usec())
					       : timestamp_format(created_usec);

	json_add_string(row, "Container", snapshot->container_name);
	json_add_string(row, "ContainerID", snapshot->container_id);
	json_add_string(row, "Tag", snapshot->tag);
	json_add_string(row, "CreatedAt", created);
	json_add_string(row, "Layer", snapshot->layer_id);
	if (!is_for_people) {
		json_add_bool(row, "Current", snapshot->is_current);
		if (snapshot->size_bytes >= 0)
			json_add_int(row, "Size", snapshot->size_bytes);
		return row;
	}
	autofree char *size = snapshot->size_bytes < 0
				      ? xstrdup("")
				      : human_size((double)snapshot->size_bytes, 3, "");
	json_add_string(row, "Current", snapshot->is_current ? "*" : "");
	json_add_string(row, "Size", size);
	return row;
}

static int snapshots(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct snapshots_args *args = arguments;
	autocontainer struct container *container = NULL;
	autosnapshots struct snapshot_list list = { .count = 0 };
	autojson struct json_object *rows = json_object_new_array();
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0 && argc > 0)
		r = container_find(engine, argv[0], 0, &container, err);
	if (r == 0)
		r = container_snapshots(engine, container, &list, err);
	if (r == 0 && args->size)
		r = container_snapshots_measure(engine, &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		json_object_array_add(rows,
				      row_of(&list.items[i], !output_wants_json(args->format)));
	return output_list(
		&(struct output_list){ .columns = args->size ? columns_with_size : columns,
				       .quiet_field = "Tag",
				       .format = args->format,
				       .quiet = args->quiet,
				       .noheading = args->noheading },
		rows, err);
}

const struct command command_snapshots = {
	.names = "snapshots|container snapshots",
	.summary = "List the snapshots of containers",
	.description = "Of one container, or of all. The one that the container has changed from "
		       "is marked as current.",
	.examples = "davit snapshots --size web\n"
		    "davit snapshots --format '{{.Container}}:{{.Tag}}'",
	.operands = "[CONTAINER]",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct snapshots_args),
	.run = snapshots,
};
