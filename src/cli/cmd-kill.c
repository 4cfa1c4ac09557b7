/* davit kill: sends a signal to the main process of containers. */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/signals.h"

struct kill_args {
	bool all, latest;
	struct strlist cid_files;
	const char *signal;
	int number;
};

#define FIELD(f) offsetof(struct kill_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every running container" },
	{ "cidfile", 0, OPTION_STRINGS, FIELD(cid_files), "FILE", "Read the ID from a file",
	  .complete = COMPLETE_FILES },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "signal", 's', OPTION_STRING, FIELD(signal), "SIGNAL", "Name or number",
	  .initial = "KILL" },
	OPTION_END,
};

static int kill_one(struct engine *engine, struct container *container, const char *word, void *arg,
		    struct err *err)
{
	const struct kill_args *args = arg;

	int r = container_kill(engine, container, args->number, RESTART_END_STOPPED, err);
	if (r < 0)
		return r;
	puts(word);
	return 0;
}

static int kill_containers(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct kill_args *args = arguments;
	const struct container_choice choice = { .all = args->all,
						 .latest = args->latest,
						 .all_means = CHOICE_RUNNING,
						 .cid_files = args->cid_files };

	args->number = signal_from_name(args->signal);
	if (args->number < 0)
		return err_set(err, EINVAL, "unknown signal '%s'; see signal(7)", args->signal);
	return for_each_container(cli, &choice, argc, argv, kill_one, args, err);
}

const struct command command_kill = {
	.names = "kill|container kill",
	.summary = "Send a signal to containers",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct kill_args),
	.run = kill_containers,
};
