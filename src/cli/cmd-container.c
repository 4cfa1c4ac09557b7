/* davit container exists, davit container prune */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/engine.h"

static int exists(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autocontainer struct container *container = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, argv[0], 0, &container, err);
	if (r == -ENOENT)
		return EXIT_MISSING;
	return r < 0 ? r : EXIT_OK;
}

const struct command command_container_exists = {
	.names = "container exists",
	.summary = "Tell by the exit status whether a container is here",
	.description = "The status is 0 when it is, 1 when it is not.",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.run = exists,
};

struct prune_args {
	bool force;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct prune_args, f)
static const struct option_spec prune_options[] = {
	{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Only those that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Do not ask" },
	OPTION_END,
};

static int prune_one(struct engine *engine, struct container *container, const char *word,
		     void *arg, struct err *err)
{
	int r = container_remove(engine, container, 0, -1, err);

	if (r == -EBUSY || r == -EEXIST)
		return 0; /* started since, or needed by another */
	if (r < 0)
		return r;
	puts(container->id);
	return 0;
}

static int prune(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct prune_args *args = arguments;
	const struct container_choice choice = {
		.all = true,
		.all_means = CHOICE_STOPPED,
		.newest_first = true,
		.filters = args->filters,
	};

	int r = container_choice_check(cli, &choice, err);
	if (r == 0 && !args->force) {
		fputs("WARNING! This will remove all non running containers.\n", stderr);
		r = cli_confirm("Are you sure you want to continue?", err);
		if (r == 0)
			return EXIT_OK;
	}
	if (r < 0)
		return r;
	return for_each_container(cli, &choice, 0, argv, prune_one, args, err);
}

const struct command command_container_prune = {
	.names = "container prune",
	.summary = "Remove all containers that do not run",
	.options = prune_options,
	.args_size = sizeof(struct prune_args),
	.run = prune,
};
