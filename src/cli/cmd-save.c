/* davit save: writes images into an archive or a directory. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "engine/image-save.h"

struct save_args {
	bool multiple; /* whether it was said makes no difference */
	bool quiet;
	const char *format, *output;
};

#define FIELD(f) offsetof(struct save_args, f)
static const struct option_spec options[] = {
	{ "format", 0, OPTION_CHOICE, FIELD(format), "FORMAT", "What to write",
	  .choices = "docker-archive|oci-archive|oci-dir|docker-dir", .initial = "docker-archive" },
	{ "multi-image-archive", 'm', OPTION_FLAG, FIELD(multiple), NULL,
	  "Allow several images, as is always so; for scripts that say it" },
	{ "output", 'o', OPTION_STRING, FIELD(output), "FILE",
	  "File or directory to write; standard output without it", .complete = COMPLETE_FILES },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show no progress" },
	OPTION_END,
};

static int save(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct save_args *args = arguments;
	autostrlist struct strlist words = STRLIST_EMPTY;
	autoprogress struct progress *progress = NULL;
	enum save_format format;
	struct engine *engine;
	int r = save_format_parse(args->format, &format, err);

	if (r >= 0)
		r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	bool is_archive = format == SAVE_DOCKER_ARCHIVE || format == SAVE_OCI_ARCHIVE;
	if (!args->output && is_archive && isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "refusing to save to terminal. Use -o flag or redirect");
	for (int i = 0; i < argc; i++)
		strlist_add(&words, argv[i]);
	progress = args->quiet ? NULL : progress_new(STDERR_FILENO);
	r = image_save(engine, &words, format, args->output ? args->output : "-", progress, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_save = {
	.names = "save|image save",
	.summary = "Write images into an archive or a directory",
	.description = "Layers are saved as the blobs they came as, so all digests stay the same. "
		       "The docker-archive is an OCI layout as well.",
	.examples = "davit save -o nginx.tar nginx\ndavit save debian | ssh other davit load",
	.operands = "IMAGE...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct save_args),
	.run = save,
};
