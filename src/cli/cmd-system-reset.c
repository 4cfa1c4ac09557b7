/* davit system reset: removes all containers, images and volumes. */
#include "cli/command.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/reset.h"

struct reset_args {
	bool force;
};

static const struct option_spec options[] = {
	{ "force", 'f', OPTION_FLAG, offsetof(struct reset_args, force), NULL, "Do not ask" },
	OPTION_END,
};

static int reset(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct reset_args *args = arguments;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (!args->force) {
		autofree char *question =
			xasprintf("WARNING! This stops and removes all containers and removes all "
				  "images and volumes in '%s'.\nAre you sure you want to continue?",
				  engine->root);

		r = cli_confirm(question, err);
		if (r <= 0)
			return r;
	}
	r = engine_reset(engine, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_system_reset = {
	.names = "system reset",
	.summary = "Remove all containers, images and volumes",
	.description = "What other users have, and what is under another --root, stays.",
	.options = options,
	.args_size = sizeof(struct reset_args),
	.run = reset,
};
