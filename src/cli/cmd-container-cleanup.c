/* davit container cleanup: what the monitor starts when nobody waits for its container. */
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container.h"

struct cleanup_args {
	bool all;
};

static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct cleanup_args, all), NULL,
	  "Every container that has ended" },
	OPTION_END,
};

static int cleanup_one(struct engine *engine, struct container *container, const char *word,
		       void *arg, struct err *err)
{
	return container_cleanup(engine, container->id, err);
}

static int cleanup(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct cleanup_args *args = arguments;
	/* One that was removed meanwhile is as clean as can be. */
	const struct container_choice choice = { .all = args->all,
						 .all_means = CHOICE_STOPPED,
						 .ignore_missing = true };

	return for_each_container(cli, &choice, argc, argv, cleanup_one, args, err);
}

const struct command command_container_cleanup = {
	.names = "container cleanup",
	.summary = "Put away what containers that ended have used",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct cleanup_args),
	.run = cleanup,
};
