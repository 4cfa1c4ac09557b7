/* davit pause, unpause: containers stand still, and go on. */
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-pause.h"
#include "engine/container.h"

struct pause_args {
	bool all, latest;
	struct strlist cid_files, filters;
};

#define FIELD(f) offsetof(struct pause_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container that can be" },
	{ "cidfile", 0, OPTION_STRINGS, FIELD(cid_files), "FILE", "Read the ID from a file",
	  .complete = COMPLETE_FILES },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Those that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	OPTION_END,
};

/* With --all or --filter those that are as wanted already are not meant. */
static bool is_chosen(const struct pause_args *args, const struct container *container, bool paused)
{
	return (!args->all && !args->filters.count) ||
	       (container->state == CONTAINER_RUNNING && container->run.is_paused != paused);
}

static int pause_one(struct engine *engine, struct container *container, const char *word,
		     void *arg, struct err *err)
{
	if (!is_chosen(arg, container, true))
		return 0;
	int r = container_pause(engine, container, err);
	if (r == 0)
		puts(word);
	return r;
}

static int unpause_one(struct engine *engine, struct container *container, const char *word,
		       void *arg, struct err *err)
{
	if (!is_chosen(arg, container, false))
		return 0;
	int r = container_unpause(engine, container, err);
	if (r == 0)
		puts(word);
	return r;
}

static struct container_choice choice_of(const struct pause_args *args)
{
	return (struct container_choice){
		.all = args->all,
		.all_means = CHOICE_RUNNING,
		.latest = args->latest,
		.filters = args->filters,
		.cid_files = args->cid_files,
	};
}

static int pause_all(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct container_choice choice = choice_of(arguments);

	return for_each_container(cli, &choice, argc, argv, pause_one, arguments, err);
}

static int unpause_all(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct container_choice choice = choice_of(arguments);

	return for_each_container(cli, &choice, argc, argv, unpause_one, arguments, err);
}

const struct command command_pause = {
	.names = "pause|container pause",
	.summary = "Let all processes of containers stand still",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct pause_args),
	.run = pause_all,
};

const struct command command_unpause = {
	.names = "unpause|container unpause",
	.summary = "Let paused containers go on",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct pause_args),
	.run = unpause_all,
};
