/* davit rm: removes containers. */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-dependencies.h"
#include "engine/container-end.h"
#include "engine/container-stop.h"
#include "engine/container.h"

struct rm_args {
	bool all, depend, force, ignore, latest, volumes;
	struct strlist cid_files, filters;
	int64_t timeout_sec;
	struct container_stops *stops;
};

#define FIELD(f) offsetof(struct rm_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container" },
	{ "cidfile", 0, OPTION_STRINGS, FIELD(cid_files), "FILE", "Read the ID from a file",
	  .complete = COMPLETE_FILES },
	{ "depend", 0, OPTION_FLAG, FIELD(depend), NULL, "Those that need it too, before it" },
	{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Those that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL,
	  "Stop what runs; a missing one is no error" },
	{ "ignore", 'i', OPTION_FLAG, FIELD(ignore), NULL,
	  "A container that is missing is no error" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "time", 't', OPTION_INT, FIELD(timeout_sec), "SECONDS",
	  "With --force: how long to wait before SIGKILL; the container's own is 10",
	  .initial = "-1", .traits = OPTION_FROM_ZERO },
	{ "volumes", 'v', OPTION_FLAG, FIELD(volumes), NULL, "Remove its anonymous volumes too" },
	OPTION_END,
};

/* One that others need is not removed, and so not stopped, unless these go before it: it waits for its turn. */
static bool ask_one(struct engine *engine, struct container *container, void *arg)
{
	const struct rm_args *args = arg;
	const struct stop_request request = { args->timeout_sec, RESTART_END_STOPPED };
	struct err ignored;

	return args->force && container_refuse_dependents(engine, container, &ignored) == 0 &&
	       container_stops_ask(engine, args->stops, container, &request, &ignored) > 0;
}

static int remove_one(struct engine *engine, struct container *container, const char *word,
		      void *arg, struct err *err)
{
	const struct rm_args *args = arg;
	enum remove_flags flags = (args->force ? REMOVE_FORCE : 0) |
				  (args->volumes ? REMOVE_VOLUMES : 0) |
				  (args->depend ? REMOVE_DEPENDENTS : 0);

	int r = 0;
	if (container_stops_has(args->stops, container))
		r = container_stops_finish(engine, args->stops, container,
					   &(struct stop_request){ 0 }, err);
	if (r >= 0)
		r = container_remove(engine, container, flags, args->timeout_sec, err);
	if (r == -EBUSY)
		return cli_report(err, EXIT_IN_USE);
	if (r < 0)
		return r;
	puts(word);
	return 0;
}

static int rm(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct rm_args *args = arguments;
	const struct container_choice choice = {
		.all = args->all,
		.latest = args->latest,
		.newest_first = true,
		.filters = args->filters,
		.cid_files = args->cid_files,
		.ignore_missing = args->ignore || args->force,
		.missing_status = EXIT_MISSING,
		.begin = ask_one,
	};
	autostops struct container_stops *stops = args->stops = container_stops_new();

	return for_each_container(cli, &choice, argc, argv, remove_one, args, err);
}

const struct command command_rm = {
	.names = "rm|container rm",
	.summary = "Remove containers",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct rm_args),
	.run = rm,
};
