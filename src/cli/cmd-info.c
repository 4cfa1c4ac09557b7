/* davit info: what davit knows about the host, its storage and itself. */
#include "cli/command.h"

#include "base/json.h"
#include "cli/output.h"
#include "engine/host-info.h"

struct info_args {
	const char *format;
};

static const struct option_spec options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct info_args, format), "FORMAT",
	  "Print as json, or by a Go template such as '{{.Store.GraphRoot}}'", .choices = "json" },
	OPTION_END,
};

/* Templates written for podman use names of fields that differ from those of the document. */
static void add_other_names(struct json_object *root)
{
	struct json_object *host = json_get(root, "host");

	json_add_string(host, "CgroupsVersion", json_get_string(host, "cgroupVersion", ""));
}

static int info(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct info_args *args = arguments;
	autojson struct json_object *root = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r >= 0)
		r = host_info(engine, &root, err);
	if (r < 0)
		return r;
	if (args->format && !output_wants_json(args->format))
		add_other_names(root);
	return output_object(args->format, root, NULL, err);
}

const struct command command_info = {
	.names = "info|system info",
	.summary = "Show what davit knows about the host, its storage and itself",
	.options = options,
	.args_size = sizeof(struct info_args),
	.run = info,
};
