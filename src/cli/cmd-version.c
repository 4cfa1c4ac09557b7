/* davit version: what this program is and what it was made for. */
#include "cli/command.h"

#include <sys/utsname.h>

#include "config.h"

static int version(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	struct utsname host;

	(void)uname(&host); /* fails only for a bad pointer */
	printf("Client:       davit\nVersion:      %s\nOS/Arch:      linux/%s\n", DAVIT_VERSION,
	       host.machine);
	return EXIT_OK;
}

const struct command command_version = {
	.names = "version|system version",
	.summary = "Show the version",
	.run = version,
};
