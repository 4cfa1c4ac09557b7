/* davit update: other limits for a container, also while it runs. */
#include <errno.h>

#include "cli/command.h"
#include "cli/limit-options.h"
#include "engine/container-update.h"
#include "engine/container.h"

struct update_args {
	bool latest;
	struct limit_args limits;
};

#define FIELD(f) offsetof(struct update_args, f)
static const struct option_spec options[] = {
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ .kind = OPTION_INCLUDE,
	  .name = "limit options",
	  .offset = FIELD(limits),
	  .include = limit_update_specs },
	OPTION_END,
};

struct change {
	const struct cli *cli;
	const struct limit_args *limits;
};

static int apply(struct container_spec *spec, void *arg, struct err *err)
{
	const struct change *change = arg;

	return limit_args_apply(change->cli, change->limits, spec, err);
}

static bool has_limits(const struct cli *cli)
{
	for (const struct option_spec *option = limit_update_specs; option->name; option++)
		if (cli_given(cli, option->name))
			return true;
	return false;
}

static int update(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct update_args *args = arguments;
	struct change change = { .cli = cli, .limits = &args->limits };
	autocontainer struct container *container = NULL;
	struct engine *engine;

	if (argc != (args->latest ? 0 : 1))
		return err_set(err, EINVAL, "name one container, or give --latest");
	if (!has_limits(cli))
		return err_set(err, EINVAL, "nothing to change; give a limit, such as --memory 1g");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = args->latest
			    ? container_find_latest(engine, CONTAINER_WITH_SPEC, &container, err)
			    : container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_update(engine, container, apply, &change, err);
	if (r < 0)
		return r;
	puts(container->id);
	return EXIT_OK;
}

const struct command command_update = {
	.names = "update|container update",
	.summary = "Change the limits of a container",
	.examples = "davit update --memory 1g --cpus 2 web",
	.operands = "CONTAINER",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct update_args),
	.run = update,
};
