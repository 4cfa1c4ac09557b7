/* davit pull: fetches images and prints their IDs. */
#include "cli/command.h"

#include <errno.h>

#include "base/mem.h"
#include "base/progress.h"
#include "cli/pull-options.h"
#include "engine/pull.h"

struct pull_command_args {
	struct pull_args source;
	bool all_tags, quiet;
};

#define FIELD(f) offsetof(struct pull_command_args, f)
static const struct option_spec options[] = {
	{ "all-tags", 'a', OPTION_FLAG, FIELD(all_tags), NULL, "Fetch all tags of the repository" },
	{ "policy", 0, OPTION_STRING, FIELD(source.policy), "POLICY", "When to fetch the image",
	  .choices = "always|missing|newer|never", .initial = "always" },
	{ "quiet", 'q', OPTION_FLAG, FIELD(quiet), NULL, "Show no progress" },
	{ .kind = OPTION_INCLUDE, .offset = FIELD(source), .include = pull_source_specs },
	OPTION_END,
};

static int pull(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct pull_command_args *args = arguments;
	autofree char *creds = NULL;
	struct pull_options how;
	struct engine *engine;
	int status = EXIT_OK;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = pull_args_to_options(engine, &args->source, args->quiet, &how, &creds, err);
	if (r < 0)
		return r;
	how.all_tags = args->all_tags;
	for (int i = 0; i < argc; i++) {
		autostrlist struct strlist ids = STRLIST_EMPTY;
		struct err own = { 0 };
		r = image_pull(engine, argv[i], &how, &ids, &own);
		if (r < 0)
			status = cli_report(&own, EXIT_ENGINE);
		for (size_t j = 0; j < ids.count; j++)
			puts(ids.items[j]);
	}
	progress_free(how.progress);
	return status;
}

const struct command command_pull = {
	.names = "pull|image pull",
	.summary = "Fetch images from registries, archives or directories",
	.description =
		"An image is named as REGISTRY/PATH[:TAG|@DIGEST], by a short name that "
		"registries.conf(5) explains, or by a transport: docker://, docker-archive:, "
		"oci-archive:, oci:, dir:. What an interrupted pull has fetched is used by "
		"the next one.",
	.examples = "davit pull docker.io/library/nginx\ndavit pull oci-archive:image.tar",
	.operands = "IMAGE...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct pull_command_args),
	.run = pull,
};
