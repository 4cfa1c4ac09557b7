/* davit volume inspect: shows all that is known about volumes. */
#include <errno.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/volume-row.h"
#include "engine/engine.h"
#include "engine/volume.h"

struct volume_inspect_args {
	bool all;
	const char *format;
};

#define FIELD(f) offsetof(struct volume_inspect_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every volume" },
	{ "format", 'f', OPTION_STRING, FIELD(format), "FORMAT",
	  "Print as json, or by a Go template such as '{{.Mountpoint}}'", .choices = "json" },
	OPTION_END,
};

static int add_all(struct engine *engine, bool for_template, struct json_object *rows,
		   struct err *err)
{
	struct volume **list;
	size_t count;
	int r = volume_list(engine, &list, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		json_object_array_add(rows, volume_row(list[i], for_template));
	volume_list_free(list, count);
	return 0;
}

static int volume_inspect(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct volume_inspect_args *args = arguments;
	autojson struct json_object *rows = json_object_new_array();
	bool for_template = args->format && !output_wants_json(args->format);
	int status = EXIT_OK;
	struct engine *engine;

	if (args->all ? argc > 0 : argc == 0)
		return err_set(err, EINVAL, "name volumes, or give --all, one of both");
	int r = output_check_format(args->format, err);
	if (r >= 0)
		r = cli_engine(cli, &engine, err);
	if (r >= 0 && args->all)
		r = add_all(engine, for_template, rows, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++) {
		autovolume struct volume *volume = NULL;

		if (volume_find(engine, argv[i], &volume, err) < 0)
			status = cli_report(err, EXIT_ENGINE);
		else
			json_object_array_add(rows, volume_row(volume, for_template));
	}
	r = output_objects(args->format, rows, err);
	return r < 0 ? r : status;
}

const struct command command_volume_inspect = {
	.names = "volume inspect",
	.summary = "Show all about volumes",
	.examples = "davit volume inspect --format '{{.Mountpoint}}' data",
	.operands = "[VOLUME...]",
	.max_operands = -1,
	.complete = COMPLETE_VOLUMES,
	.options = options,
	.args_size = sizeof(struct volume_inspect_args),
	.run = volume_inspect,
};
