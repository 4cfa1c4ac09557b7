/* davit: containers without a daemon. Everything is in cli.c, so that tests can call it. */
#include "cli/command.h"

int main(int argc, char **argv, char **environment)
{
	return cli_main(argc, argv, environment);
}
