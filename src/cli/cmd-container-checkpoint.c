/* davit container checkpoint, davit container restore: not possible here, and they say so.
 *
 * The memory and the open files of processes can only be saved by CRIU, which Debian 12 does not have, and which knows
 * containers of the runtimes that it was taught. What davit does have is told instead, whatever the options were. */
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int refuse(struct cli *cli, const char *what, const char *remedy, int argc, char **argv,
		  struct err *err)
{
	if (asks_for_help(argc, argv)) {
		help_command(cli->command, stdout);
		return EXIT_OK;
	}
	return err_set(err, ENOTSUP,
		       "%s: davit saves files, not processes: that needs CRIU, which "
		       "is not in Debian 12; %s",
		       what, remedy);
}

static int checkpoint(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return refuse(cli, "container checkpoint",
		      "keep its files with 'davit snapshot' or 'davit commit'", argc, argv, err);
}

static int restore(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return refuse(cli, "container restore",
		      "bring its files back with 'davit revert', or copy it with 'davit clone'",
		      argc, argv, err);
}

#define EXPLANATION                                                                                \
	"Processes cannot be saved, only files. 'davit snapshot' keeps those of a container, "     \
	"'davit revert' brings them back, and 'davit commit' makes an image of them."

const struct command command_container_checkpoint = {
	.names = "container checkpoint",
	.summary = "Not possible here: tells what to do instead",
	.description = EXPLANATION,
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.traits = COMMAND_RAW,
	.run = checkpoint,
};

const struct command command_container_restore = {
	.names = "container restore",
	.summary = "Not possible here: tells what to do instead",
	.description = EXPLANATION,
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.traits = COMMAND_RAW,
	.run = restore,
};
