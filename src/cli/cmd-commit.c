/* davit commit: makes an image of a container. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cli/command.h"
#include "engine/commit.h"
#include "engine/container.h"
#include "engine/image.h"

struct commit_args {
	const char *author, *message, *format, *id_file;
	struct strlist changes;
	bool pause, quiet, squash, include_volumes;
};

#define FIELD(f) offsetof(struct commit_args, f)
static const struct option_spec options[] = {
	{ "author", 'a', OPTION_STRING, FIELD(author), "NAME", "Who made the image" },
	{ "change", 'c', OPTION_STRINGS, FIELD(changes), "INSTRUCTION",
	  "Change a setting of the image; repeatable",
	  .choices = "CMD |ENTRYPOINT |ENV |EXPOSE |HEALTHCHECK |LABEL |ONBUILD |STOPSIGNAL |USER |"
		     "VOLUME |WORKDIR " },
	{ "format", 'f', OPTION_CHOICE, FIELD(format), "FORMAT", "What kind of image",
	  .choices = "oci|docker", .initial = "oci" },
	{ "iidfile", 0, OPTION_STRING, FIELD(id_file), "FILE", "Write the image's ID to a file",
	  .complete = COMPLETE_FILES },
	{ "include-volumes", 0, OPTION_FLAG, FIELD(include_volumes), NULL,
	  "Let the places of its volumes be volumes of the image" },
	{ "message", 'm', OPTION_STRING, FIELD(message), "TEXT", "A comment for the history" },
	{ "pause", 'p', OPTION_FLAG, FIELD(pause), NULL,
	  "Let the container's processes stand still meanwhile" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show no progress" },
	{ "squash", 's', OPTION_FLAG, FIELD(squash), NULL,
	  "Make one layer of all files instead of one of the changes" },
	OPTION_END,
};

static int commit(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct commit_args *args = arguments;
	autocontainer struct container *container = NULL;
	autoprogress struct progress *progress = NULL;
	autofree char *name = NULL, *id = NULL;
	struct engine *engine;
	int r = 0;

	if (argc > 1)
		r = image_local_name(argv[1], &name, err);
	if (r >= 0)
		r = cli_engine(cli, &engine, err);
	if (r >= 0)
		r = container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r < 0)
		return r;
	progress = args->quiet ? NULL : progress_new(STDERR_FILENO);
	struct commit_options how = {
		.name = name,
		.author = args->author,
		.message = args->message,
		.changes = &args->changes,
		.is_docker = strcmp(args->format, "docker") == 0,
		.pause = args->pause,
		.squash = args->squash,
		.include_volumes = args->include_volumes,
		.progress = progress,
	};
	r = container_commit(engine, container, &how, &id, err);
	if (r >= 0 && args->id_file)
		r = file_write(AT_FDCWD, args->id_file, id, strlen(id), 0644, 0, err);
	if (r < 0)
		return r;
	puts(id);
	return EXIT_OK;
}

const struct command command_commit = {
	.names = "commit|container commit",
	.summary = "Make an image of a container",
	.description =
		"What the container has changed becomes a layer on those of its image, and its "
		"settings those of the new image, whose ID is printed. Volumes are left out.",
	.examples = "davit commit web web:configured\n"
		    "davit commit -c 'CMD [\"nginx\", \"-g\", \"daemon off;\"]' -c EXPOSE=8080 web "
		    "web:2",
	.operands = "CONTAINER [IMAGE]",
	.min_operands = 1,
	.max_operands = 2,
	.complete = COMPLETE_CONTAINERS,
	.complete_rest = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct commit_args),
	.run = commit,
};
