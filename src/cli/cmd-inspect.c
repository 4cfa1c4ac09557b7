/* davit inspect: tells everything about containers, images and volumes, as JSON or by a template.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/image-row.h"
#include "cli/inspect.h"
#include "cli/output.h"

struct inspect_args {
	const char *format, *type;
};

#define FIELD(f) offsetof(struct inspect_args, f)
static const struct option_spec options[] = {
	OUTPUT_INSPECT_FORMAT_OPTION(FIELD(format)),
	{ "type", 't', OPTION_CHOICE, FIELD(type), "TYPE",
	  "What the name is of; without it each kind is tried",
	  .choices = "all|container|image|volume", .initial = "all" },
	OPTION_END,
};

static const struct {
	const char *type;
	int (*find)(struct engine *engine, const char *name, struct json_object **ret_json,
		    struct err *err);
} kinds[] = {
	{ "container", inspect_container },

	{ "image", inspect_image },
	{ "volume", inspect_volume },
};

static int inspect_one(struct engine *engine, const char *name, const char *type,
		       struct json_object **ret_json, struct err *err)
{
	bool any = strcmp(type, "all") == 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!any && strcmp(type, kinds[i].type) != 0)
			continue;
		int r = kinds[i].find(engine, name, ret_json, err);
		if (!any || r != -ENOENT)
			return r;
	}
	return err_set(err, ENOENT,
		       "no such object: \"%s\"; 'davit ps -a', 'davit images' and 'davit volume "
		       "ls' list what there is",
		       name);
}

int inspect_objects(struct cli *cli, const char *format, const char *type, int argc, char **argv,
		    struct err *err)
{
	autojson struct json_object *objects = json_object_new_array();
	struct engine *engine;
	int status = EXIT_OK;

	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++) {
		struct json_object *json = NULL;
		r = inspect_one(engine, argv[i], type, &json, err);
		if (r < 0)
			status = cli_report(err, EXIT_ENGINE);
		else
			json_object_array_add(objects, json);
	}
	/* What was found is printed; scripts that parse find "[]" when there was nothing. */
	r = output_objects(format, objects, err);
	return r < 0 ? r : status;
}

static int inspect(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct inspect_args *args = arguments;

	return inspect_objects(cli, args->format, args->type, argc, argv, err);
}

const struct command command_inspect = {
	.names = "inspect",
	.summary = "Tell everything about containers, images and volumes",
	.examples = "davit inspect web\ndavit inspect --format '{{.State.Pid}}' web",
	.operands = "NAME...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_OBJECTS,
	.options = options,
	.args_size = sizeof(struct inspect_args),
	.run = inspect,
};

static int inspect_containers(struct cli *cli, void *arguments, int argc, char **argv,
			      struct err *err)
{
	const struct inspect_args *args = arguments;

	return inspect_objects(cli, args->format, "container", argc, argv, err);
}

static const struct option_spec container_options[] = {
	OUTPUT_INSPECT_FORMAT_OPTION(FIELD(format)),
	OPTION_END,
};

const struct command command_container_inspect = {
	.names = "container inspect",
	.summary = "Tell everything about containers",
	.operands = "CONTAINER...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = container_options,
	.args_size = sizeof(struct inspect_args),
	.run = inspect_containers,
};
