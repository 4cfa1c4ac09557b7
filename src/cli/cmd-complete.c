/* davit __complete: answers the completion scripts of the shells. */
#include "cli/command.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "cli/complete.h"

static int run_complete(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autostrbuf struct strbuf out = STRBUF_EMPTY;

	log_set_level(LOG_LEVEL_ERROR); /* nobody sees a warning here but as a broken prompt */
	if (argc > 0)
		complete(cli, argc, argv, &out);
	fputs(strbuf_text(&out), stdout);
	return EXIT_OK;
}

const struct command command_complete = {
	.names = "__complete",
	.summary = "Answer a shell's completion script",
	.operands = "WORD...",
	.max_operands = -1,
	.traits = COMMAND_HIDDEN | COMMAND_RAW,
	.run = run_complete,
};
