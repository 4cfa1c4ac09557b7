/* davit restart: stops containers that run, and starts them again. */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-start.h"
#include "engine/container-stop.h"
#include "engine/container.h"

struct restart_args {
	bool all, running, latest;
	struct strlist cid_files, filters;
	int64_t timeout_sec;
	struct container_stops *stops;
};

#define FIELD(f) offsetof(struct restart_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container, running or not" },
	{ "cidfile", 0, OPTION_STRINGS, FIELD(cid_files), "FILE", "Read the ID from a file",
	  .complete = COMPLETE_FILES },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Those that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "running", 0, OPTION_FLAG, FIELD(running), NULL, "Every container that runs" },
	{ "time", 't', OPTION_INT, FIELD(timeout_sec), "SECONDS",
	  "How long to wait before SIGKILL; the container's own is 10", .initial = "-1",
	  .traits = OPTION_FROM_ZERO },
	OPTION_END,
};

static struct stop_request request_of(const struct restart_args *args)
{
	return (struct stop_request){ args->timeout_sec, RESTART_END_STOPPED };
}

static bool ask_one(struct engine *engine, struct container *container, void *arg)
{
	const struct restart_args *args = arg;
	const struct stop_request request = request_of(args);
	struct err ignored;

	return !container->auto_remove &&
	       container_stops_ask(engine, args->stops, container, &request, &ignored) > 0;
}

static int restart_one(struct engine *engine, struct container *container, const char *word,
		       void *arg, struct err *err)
{
	const struct restart_args *args = arg;
	const struct stop_request request = request_of(args);
	struct start_result started = { .client_fd = -1 };
	int exit_code;

	if (container->auto_remove)
		return err_set(
			err, EINVAL,
			"container %s was made with --rm, so it is removed when it ends; make it "
			"anew without --rm to restart it",
			container->name);
	int r = container_stops_finish(engine, args->stops, container, &request, err);
	if (r < 0)
		return r;
	r = container_start(engine, container, START_IS_RESTART, &started, &exit_code, err);
	if (r == -EALREADY)
		r = 0; /* somebody else has started it in between */
	if (r < 0) {
		cli_report(err, EXIT_ENGINE);
		return exit_code;
	}
	puts(word);
	return 0;
}

static int restart(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct restart_args *args = arguments;
	const struct container_choice choice = {
		.all = args->all || args->running,
		.latest = args->latest,
		.filters = args->filters,
		.all_means = args->running ? CHOICE_RUNNING : CHOICE_ANY,
		.cid_files = args->cid_files,
		.begin = ask_one,
	};
	autostops struct container_stops *stops = args->stops = container_stops_new();

	return for_each_container(cli, &choice, argc, argv, restart_one, args, err);
}

const struct command command_restart = {
	.names = "restart|container restart",
	.summary = "Stop containers and start them again",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct restart_args),
	.run = restart,
};
