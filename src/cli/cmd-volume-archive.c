/* davit volume export, davit volume import: volumes as tar archives. davit volume exists. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/command.h"
#include "cli/output-file.h"
#include "engine/engine.h"
#include "engine/volume-archive.h"
#include "engine/volume.h"

static int find(struct cli *cli, const char *name, struct engine **ret_engine,
		struct volume **ret_volume, struct err *err)
{
	int r = cli_engine(cli, ret_engine, err);

	return r < 0 ? r : volume_find(*ret_engine, name, ret_volume, err);
}

struct export_args {
	const char *output;
};

static const struct option_spec export_options[] = {
	{ "output", 'o', OPTION_STRING, offsetof(struct export_args, output), "FILE",
	  "File to write; standard output without it", .complete = COMPLETE_FILES },
	OPTION_END,
};

static int export(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct export_args *args = arguments;
	autovolume struct volume *volume = NULL;
	struct output_file file = OUTPUT_FILE_EMPTY;
	struct engine *engine;

	if (!args->output && isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "refusing to export to terminal. Use -o flag or redirect");
	int r = find(cli, argv[0], &engine, &volume, err);
	if (r == 0)
		r = output_file_open(&file, args->output, err);
	if (r < 0)
		return r;
	r = volume_export(engine, volume, file.fd, err);
	r = output_file_close(&file, r, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_volume_export = {
	.names = "volume export",
	.summary = "Write what is in a volume as a tar archive",
	.examples = "davit volume export -o data.tar data\n"
		    "davit volume export data | ssh other davit volume import data -",
	.operands = "VOLUME",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_VOLUMES,
	.options = export_options,
	.args_size = sizeof(struct export_args),
	.run = export,
};

static int import(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	autovolume struct volume *volume = NULL;
	struct engine *engine;

	int r = find(cli, argv[0], &engine, &volume, err);
	if (r < 0)
		return r;
	bool is_stdin = strcmp(argv[1], "-") == 0;
	if (is_stdin && isatty(STDIN_FILENO))
		return err_set(err, EINVAL,
			       "cannot read from terminal, use command-line redirection or a file");
	autoclose int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				    : open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "open '%s'", argv[1]);
	r = volume_import(engine, volume, fd, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_volume_import = {
	.names = "volume import",
	.summary = "Add what is in a tar archive to a volume",
	.description = "What the volume has stays, or is replaced by what has the same name. The "
		       "archive may be compressed with gzip or zstd; - is standard input.",
	.operands = "VOLUME FILE",
	.min_operands = 2,
	.max_operands = 2,
	.complete = COMPLETE_VOLUMES,
	.complete_rest = COMPLETE_FILES,
	.run = import,
};

static int exists(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	autovolume struct volume *volume = NULL;
	struct engine *engine;

	int r = find(cli, argv[0], &engine, &volume, err);
	return r == -ENOENT ? EXIT_MISSING : r < 0 ? r : EXIT_OK;
}

const struct command command_volume_exists = {
	.names = "volume exists",
	.summary = "Tell by the exit status whether a volume is here",
	.description = "The status is 0 when it is, 1 when it is not.",
	.operands = "VOLUME",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_VOLUMES,
	.run = exists,
};
