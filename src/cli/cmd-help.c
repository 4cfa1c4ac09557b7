/* davit help: the help of a command, as --help prints it. */
#include "cli/command.h"

#include <errno.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "cli/commands.h"
#include "cli/help.h"

static int help(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	const struct command *command;
	const struct command_group *group;
	int used;

	if (argc == 0) {
		help_top(stdout);
		return EXIT_OK;
	}
	command = command_find(argc, argv, &used);
	if (command && used == argc) {
		help_command(command, stdout);
		return EXIT_OK;
	}
	group = argc == 1 ? command_group_find(argv[0]) : NULL;
	if (group) {
		help_group(group, stdout);
		return EXIT_OK;
	}
	autofree char *words = strlist_join(&(struct strlist){ argv, (size_t)argc }, " ");
	return err_set(err, EINVAL, "no command `davit %s`; 'davit help' lists all", words);
}

const struct command command_help = {
	.names = "help",
	.summary = "Show the help of a command",
	.operands = "[COMMAND...]",
	.max_operands = -1,
	.complete = COMPLETE_COMMANDS,
	.run = help,
};
