/* davit volume create: makes a named volume. */
#include "cli/command.h"
#include "cli/label-option.h"

#include <errno.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/volume-backing.h"
#include "engine/volume.h"

struct volume_create_args {
	const char *driver;
	bool ignore;
	struct strlist labels, options;
};

#define FIELD(f) offsetof(struct volume_create_args, f)
static const struct option_spec options[] = {
	{ "driver", 'd', OPTION_CHOICE, FIELD(driver), "DRIVER", "Who keeps it", .choices = "local",
	  .initial = "local" },
	{ "ignore", 0, OPTION_FLAG, FIELD(ignore), NULL, "One that is there already is no error" },
	{ "label", 'l', OPTION_STRINGS, FIELD(labels), "KEY=VALUE", "Label to give it" },
	{ "opt", 'o', OPTION_STRINGS, FIELD(options), "KEY=VALUE",
	  "What it is made of: type=, device=, o=, in the words of mount(8)" },
	OPTION_END,
};

static int volume_create_command(struct cli *cli, void *arguments, int argc, char **argv,
				 struct err *err)
{
	struct volume_create_args *args = arguments;
	autovolume struct volume *volume = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	r = volume_backing_check(&args->options, err);
	if (r == 0)
		r = labels_check(&args->labels, err);
	if (r < 0)
		return r;
	r = volume_create(engine, argv[0], &args->labels, &args->options, &volume, err);
	if (r == -EEXIST && args->ignore)
		r = volume_find(engine, argv[0], &volume, err);
	if (r < 0)
		return r;
	puts(volume->name);
	return EXIT_OK;
}

const struct command command_volume_create = {
	.names = "volume create",
	.summary = "Make a volume",
	.description = "Without a name it gets one of 64 hexadecimal digits, which is printed.",
	.examples = "davit volume create data\ndavit volume create --label project=shop data\n"
		    "davit volume create -o type=none -o device=/srv/data -o o=bind data",
	.operands = "[NAME]",
	.max_operands = 1,
	.options = options,
	.args_size = sizeof(struct volume_create_args),
	.run = volume_create_command,
};
