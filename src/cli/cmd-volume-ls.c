/* davit volume ls: lists volumes. */
#include "cli/command.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/volume-filter.h"
#include "cli/volume-row.h"
#include "engine/engine.h"
#include "engine/volume.h"

struct volume_ls_args {
	const char *format;
	bool noheading, quiet;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct volume_ls_args, f)
static const struct option_spec options[] = {
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match: name, label, driver, dangling, until", VOLUME_FILTER_CHOICES },
	OUTPUT_FORMAT_OPTION(FIELD(format)),
	{ "noheading", 'n', OPTION_FLAG, FIELD(noheading), NULL, "No headings" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Only names" },
	OPTION_END,
};

static const struct output_column columns[] = {
	{ "DRIVER", "Driver" },
	{ "VOLUME NAME", "Name" },
	{ NULL, NULL },
};

static int volume_ls(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct volume_ls_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	bool for_template = args->format && !output_wants_json(args->format);
	struct volume **list;
	struct engine *engine;
	size_t count;

	int r = cli_engine(cli, &engine, err);
	if (r >= 0)
		r = volume_filters_check(engine, &args->filters, err);
	if (r >= 0)
		r = volume_sweep(engine, err);
	if (r >= 0)
		r = volume_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = volume_matches_filters(engine, list[i], &args->filters, err);
		if (r > 0)
			json_object_array_add(rows, volume_row(list[i], for_template));
	}
	volume_list_free(list, count);
	if (r < 0)
		return r;
	return output_list(&(struct output_list){ .columns = columns,
						  .quiet_field = "Name",
						  .format = args->format,
						  .quiet = args->quiet,
						  .noheading = args->noheading },
			   rows, err);
}

const struct command command_volume_ls = {
	.names = "volume ls|volume list",
	.summary = "List volumes",
	.examples = "davit volume ls --filter dangling=true\n"
		    "davit volume ls --format '{{.Name}} {{.Mountpoint}}'",
	.options = options,
	.args_size = sizeof(struct volume_ls_args),
	.run = volume_ls,
};
