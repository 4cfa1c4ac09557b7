/* davit export: a container's root file system as a tar archive. */
#include <errno.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "cli/output-file.h"
#include "engine/container-export.h"
#include "engine/container.h"

struct export_args {
	bool latest;
	const char *output;
};

#define FIELD(f) offsetof(struct export_args, f)
static const struct option_spec options[] = {
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	{ "output", 'o', OPTION_STRING, FIELD(output), "FILE",
	  "File to write; standard output without it", .complete = COMPLETE_FILES },
	OPTION_END,
};

static int export(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct export_args *args = arguments;
	autocontainer struct container *container = NULL;
	struct output_file file;
	struct engine *engine;

	if (args->latest == (argc == 1))
		return err_set(err, EINVAL, "name one container, or give --latest");
	if (!args->output && isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "refusing to export to terminal. Use -o flag or redirect");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find_container_or_latest(engine, args->latest ? NULL : argv[0],
					     CONTAINER_WITH_SPEC, &container, err);
	if (r < 0)
		return r;
	r = output_file_open(&file, args->output, err);
	if (r < 0)
		return r;
	r = output_file_close(&file, container_export(engine, container, file.fd, err), err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_export = {
	.names = "export|container export",
	.summary = "Write a container's root file system as a tar archive",
	.description = "Volumes and what else is mounted in the container are left out. It may run "
		       "or not.",
	.examples = "davit export -o web.tar web\ndavit export web | tar t",
	.operands = "[CONTAINER]",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct export_args),
	.run = export,
};
