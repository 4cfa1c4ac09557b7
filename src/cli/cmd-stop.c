/* davit stop: asks containers to end, and kills those that do not. */
#include "base/log.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-stop.h"
#include "engine/container.h"

struct stop_args {
	bool all, ignore, latest, until_boot;
	struct strlist cid_files, filters;
	int64_t timeout_sec;
	struct container_stops *stops;
};

#define FIELD(f) offsetof(struct stop_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Stop every running container" },
	{ "cidfile", 0, OPTION_STRINGS, FIELD(cid_files), "FILE", "Read the ID from a file",
	  .complete = COMPLETE_FILES },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Running ones that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "ignore", 'i', OPTION_FLAG, FIELD(ignore), NULL,
	  "A container that is missing is no error" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "time", 't', OPTION_INT, FIELD(timeout_sec), "SECONDS",
	  "How long to wait before SIGKILL; the container's own is 10", .initial = "-1",
	  .traits = OPTION_FROM_ZERO },
	{ "until-boot", 0, OPTION_FLAG, FIELD(until_boot), NULL,
	  "Not for good: those with the policy unless-stopped start at the next boot" },
	OPTION_END,
};

static struct stop_request request_of(const struct stop_args *args)
{
	return (struct stop_request){ args->timeout_sec, args->until_boot ? RESTART_END_UNTIL_BOOT
									  : RESTART_END_STOPPED };
}

static bool ask_one(struct engine *engine, struct container *container, void *arg)
{
	const struct stop_args *args = arg;
	const struct stop_request request = request_of(args);
	struct err ignored;

	return container_stops_ask(engine, args->stops, container, &request, &ignored) > 0;
}

static int stop_one(struct engine *engine, struct container *container, const char *word, void *arg,
		    struct err *err)
{
	const struct stop_args *args = arg;
	const struct stop_request request = request_of(args);

	int r = container_stops_finish(engine, args->stops, container, &request, err);
	if (r < 0)
		return r;
	if (r == STOP_KILLED)
		log_warn("container %s did not end on its stop signal; it was killed with SIGKILL",
			 container->name);
	puts(word);
	return 0;
}

static int stop(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct stop_args *args = arguments;
	const struct container_choice choice = {
		.all = args->all,
		.latest = args->latest,
		.filters = args->filters,
		.all_means = CHOICE_RUNNING,
		.cid_files = args->cid_files,
		.ignore_missing = args->ignore,
		.begin = ask_one,
	};
	autostops struct container_stops *stops = args->stops = container_stops_new();

	return for_each_container(cli, &choice, argc, argv, stop_one, args, err);
}

const struct command command_stop = {
	.names = "stop|container stop",
	.summary = "Stop containers",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct stop_args),
	.run = stop,
};
