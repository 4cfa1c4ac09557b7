/* davit container init: makes containers but for their command. */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"

struct init_args {
	bool all, latest;
};

#define FIELD(f) offsetof(struct init_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container that does not run" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	OPTION_END,
};

static int init_one(struct engine *engine, struct container *container, const char *word, void *arg,
		    struct err *err)
{
	const struct init_args *args = arg;
	struct start_result started = { .client_fd = -1 };

	int r = container_settle(engine, container, err);
	if (r == 0 && args->all && container_is_alive(container))
		return 0;
	if (r == 0)
		r = container_start(engine, container, START_HOLD, &started, &(int){ 0 }, err);
	if (r == -EALREADY)
		return err_set(err, EALREADY,
			       "container %s runs already; 'init' is for one that does not",
			       container->name);
	if (r < 0)
		return r;
	puts(word);
	return 0;
}

static int init(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct init_args *args = arguments;
	const struct container_choice choice = { .all = args->all,
						 .latest = args->latest,
						 .all_means = CHOICE_STOPPED };

	return for_each_container(cli, &choice, argc, argv, init_one, args, err);
}

const struct command command_container_init = {
	.names = "container init|init",
	.summary = "Make containers ready, all but their command",
	.description =
		"Files, network and first process are there, and 'davit start' runs the command.",
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct init_args),
	.run = init,
};
