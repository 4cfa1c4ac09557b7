/* davit wait: waits for containers to end and prints their exit codes. */
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container.h"

struct wait_args {
	bool ignore, latest;
};

static const struct option_spec options[] = {
	{ "ignore", 0, OPTION_FLAG, offsetof(struct wait_args, ignore), NULL,
	  "A container that is missing is no error" },
	{ "latest", 'l', OPTION_FLAG, offsetof(struct wait_args, latest), NULL,
	  "The one that was made last" },
	OPTION_END,
};

static int wait_one(struct engine *engine, struct container *container, const char *word, void *arg,
		    struct err *err)
{
	int exit_code;

	int r = container_wait(engine, container, &exit_code, err);
	if (r < 0)
		return r;
	printf("%d\n", exit_code);
	return 0;
}

static int wait_for_containers(struct cli *cli, void *arguments, int argc, char **argv,
			       struct err *err)
{
	struct wait_args *args = arguments;
	const struct container_choice choice = { .ignore_missing = args->ignore,
						 .missing_text = "-1",
						 .latest = args->latest };

	return for_each_container(cli, &choice, argc, argv, wait_one, args, err);
}

const struct command command_wait = {
	.names = "wait|container wait",
	.summary = "Wait for containers to end and print their exit codes",
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct wait_args),
	.run = wait_for_containers,
};
