/* davit load: takes images out of an archive or a directory. */
#include "cli/command.h"

#include <errno.h>
#include <unistd.h>

#include "base/progress.h"
#include "engine/engine.h"
#include "engine/pull.h"

struct load_args {
	const char *input;
	bool quiet;
};

#define FIELD(f) offsetof(struct load_args, f)
static const struct option_spec options[] = {
	{ "input", 'i', OPTION_STRING, FIELD(input), "FILE",
	  "Archive or directory; standard input without it", .complete = COMPLETE_FILES },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show no progress" },
	OPTION_END,
};

static int load(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct load_args *args = arguments;
	autostrlist struct strlist loaded = STRLIST_EMPTY;
	autoprogress struct progress *progress = NULL;
	struct engine *engine;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0 && !args->input && isatty(STDIN_FILENO))
		return err_set(err, EINVAL,
			       "cannot read from terminal, use command-line redirection or the "
			       "--input flag");
	if (r < 0)
		return r;
	progress = args->quiet ? NULL : progress_new(STDERR_FILENO);
	r = image_load_archive(engine, args->input ? args->input : "-", argc > 0 ? argv[0] : NULL,
			       progress, &loaded, err);
	for (size_t i = 0; i < loaded.count; i++)
		printf("Loaded image: %s\n", loaded.items[i]);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_load = {
	.names = "load|image load",
	.summary = "Take images out of an archive or a directory",
	.description = "What it is need not be said: archives of docker save and podman save, OCI "
		       "layouts in archives (both may be compressed) or directories, and skopeo's "
		       "directories.",
	.examples =
		"davit load -i image.tar\ncurl -s https://example.org/image.tar.gz | davit load",
	.operands = "[NAME]",
	.max_operands = 1,
	.options = options,
	.args_size = sizeof(struct load_args),
	.run = load,
};
