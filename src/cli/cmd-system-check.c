/* davit system check: looks for damage, and puts it right. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "engine/check.h"
#include "engine/engine.h"

struct check_args {
	bool force, quick, repair;
};

#define FIELD(f) offsetof(struct check_args, f)
static const struct option_spec options[] = {
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL,
	  "Repair, and remove images, containers and secrets that are past repair" },
	{ "quick", 'q', OPTION_FLAG, FIELD(quick), NULL, "Look at names and sizes only" },
	{ "repair", 'r', OPTION_FLAG, FIELD(repair), NULL,
	  "Put right what can be without removing images, containers, volumes or secrets" },
	OPTION_END,
};

static void tell(void *arg, const char *object, const char *damage, const char *outcome)
{
	printf("%s: %s%s%s\n", object, damage, outcome ? ": " : "", outcome ?: "");
}

static int check(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct check_args *args = arguments;
	struct check_result result;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = engine_check(engine,
				 (args->force ? CHECK_FORCE : 0) | (args->quick ? CHECK_QUICK : 0) |
					 (args->repair ? CHECK_REPAIR : 0),
				 tell, NULL, &result, err);
	if (r < 0)
		return r;
	size_t left = result.found - result.repaired;
	if (!left)
		return EXIT_OK;
	return err_set(err, EUCLEAN, "damage found in '%s': %zu %s; %s", engine->root, left,
		       left == 1 ? "object" : "objects",
		       args->force    ? "what is left needs a hand"
		       : args->repair ? "use --force to remove images, containers and secrets that "
					"are past repair"
				      : "use --repair to put right what can be");
}

const struct command command_system_check = {
	.names = "system check",
	.summary = "Look for damage in what davit keeps, and repair it",
	.description = "Compares images, layers, blobs, containers, snapshots, volumes and "
		       "secrets with what is recorded of them.",
	.options = options,
	.args_size = sizeof(struct check_args),
	.run = check,
};
