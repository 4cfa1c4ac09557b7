/* davit rename: gives a container another name. */
#include "cli/command.h"
#include "engine/container.h"

static int rename_container(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autocontainer struct container *container = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, argv[0], 0, &container, err);
	if (r == 0)
		r = container_rename(engine, container, argv[1], err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_rename = {
	.names = "rename|container rename",
	.summary = "Give a container another name",
	.description = "A container that runs goes on; its own files, such as /etc/hosts, keep the "
		       "name that it had when "
		       "it was started.",
	.operands = "CONTAINER NAME",
	.min_operands = 2,
	.max_operands = 2,
	.complete = COMPLETE_CONTAINERS,
	.run = rename_container,
};
