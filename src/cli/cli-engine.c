/* Where the command line meets the engine: made by the first command that needs it. */
#include "cli/command.h"
#include "engine/engine.h"

int cli_engine(struct cli *cli, struct engine **ret_engine, struct err *err)
{
	if (!cli->engine) {
		const struct engine_options options = {
			.root = cli->globals.root,
			.runroot = cli->globals.runroot,
			.cgroup_manager = cli->globals.cgroup_manager,
			.events_logger = cli->globals.events_backend,
		};
		int r = engine_open(&options, &cli->engine, err);
		if (r < 0)
			return r;
	}
	*ret_engine = cli->engine;
	return 0;
}

void cli_close_engine(struct cli *cli)
{
	engine_close(cli->engine);
	cli->engine = NULL;
}
