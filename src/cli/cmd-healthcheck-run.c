/* davit healthcheck run: checks the health of a container now. */
#include "cli/command.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health.h"

struct healthcheck_args {
	bool ignore_result;
};

static const struct option_spec options[] = {
	{ "ignore-result", 0, OPTION_FLAG, offsetof(struct healthcheck_args, ignore_result), NULL,
	  "Exit with 0 whatever the result is" },
	OPTION_END,
};

static int healthcheck_run(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct healthcheck_args *args = arguments;
	autocontainer struct container *container = NULL;
	struct engine *engine;
	int exit_code;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_check_health(engine, container, &exit_code, err);
	if (r < 0)
		return r;
	if (exit_code == 0)
		return EXIT_OK;
	puts("unhealthy");
	return args->ignore_result ? EXIT_OK : EXIT_MISSING;
}

const struct command command_healthcheck_run = {
	.names = "healthcheck run",
	.summary = "Check the health of a container now",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct healthcheck_args),
	.run = healthcheck_run,
};
