/* davit image exists, davit image inspect, davit image prune, davit image tree */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/image-prune-filter.h"
#include "cli/image-row.h"
#include "cli/inspect.h"
#include "cli/output.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "oci/image-config.h"
#include "store/layer-record.h"

static int exists(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autoimage struct image *image = NULL;
	struct engine *engine;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = image_resolve(engine, argv[0], &image, err);
	if (r == -ENOENT)
		return EXIT_MISSING;
	return r < 0 ? r : EXIT_OK;
}

const struct command command_image_exists = {
	.names = "image exists",
	.summary = "Tell by the exit status whether an image is here",
	.description = "The status is 0 when it is, 1 when it is not.",
	.operands = "IMAGE",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_IMAGES,
	.run = exists,
};

struct inspect_args {
	const char *format;
};

static const struct option_spec inspect_options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct inspect_args, format), "FORMAT",
	  "Print as json, or by a Go template such as '{{.Config.Cmd}}'", .choices = "json" },
	OPTION_END,
};

static int inspect(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct inspect_args *args = arguments;
	const struct inspect_request request = { .format = args->format, .type = "image" };

	return inspect_objects(cli, &request, argc, argv, err);
}

const struct command command_image_inspect = {
	.names = "image inspect",
	.summary = "Tell everything about images",
	.operands = "IMAGE...",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = inspect_options,
	.args_size = sizeof(struct inspect_args),
	.run = inspect,
};

struct prune_args {
	bool all, external, force;
	struct strlist filters;
};

#define FIELD(f) offsetof(struct prune_args, f)
static const struct option_spec prune_options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL,
	  "Also those that have names, when no container uses them" },
	{ "external", 0, OPTION_FLAG, FIELD(external), NULL,
	  "Also blobs and layers that belong to no image, such as those of broken pulls" },
	{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE", "Only those that match",
	  IMAGE_PRUNE_FILTER_CHOICES },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Do not ask" },
	OPTION_END,
};

static int confirm(const struct prune_args *args, struct err *err)
{
	fprintf(stderr, "WARNING! This command removes all %s.\n",
		args->all ? "images without at least one container associated with them"
			  : "dangling images");
	return cli_confirm("Are you sure you want to continue?", err);
}

static int prune(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct prune_args *args = arguments;
	struct image_prune how = { .all = args->all, .leftovers = args->external };
	autostrlist struct strlist deleted = STRLIST_EMPTY;
	struct engine *engine;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = image_prune_add_filters(&how, &args->filters, err);
	if (r >= 0)
		r = args->force ? 1 : confirm(args, err);
	if (r > 0)
		r = image_prune(engine, &how, &deleted, err);
	strlist_clear(&how.labels);
	strlist_clear(&how.not_labels);
	for (size_t i = 0; i < deleted.count; i++)
		puts(deleted.items[i]);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_image_prune = {
	.names = "image prune",
	.summary = "Remove images that nothing needs",
	.options = prune_options,
	.args_size = sizeof(struct prune_args),
	.run = prune,
};

static int tree(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autoimage struct image *image = NULL;
	struct engine *engine;
	struct store *store;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_resolve(engine, argv[0], &image, err);
	if (r >= 0)
		r = image_load_names(store, image, err);
	if (r >= 0)
		r = image_load_layers(store, image, err);
	if (r < 0)
		return r;
	autofree char *names = strlist_join(&image->names, " ");
	autofree char *size = human_size((double)image->size_bytes, 4, "");
	printf("Image ID: %.12s\nTags:     [%s]\nSize:     %s\nImage Layers\n", image->id, names,
	       size);
	for (size_t i = 0; i < image->layer_count; i++) {
		int64_t bytes = layer_recorded_bytes(store, image->layers[i].diff_id);
		autofree char *layer_size = human_size((double)bytes, 4, "");
		bool is_last = i + 1 == image->layer_count;
		printf("%s ID: %.12s Size: %7s", is_last ? "└──" : "├──",
		       image->layers[i].diff_id + 7, layer_size);
		if (is_last && image->names.count)
			printf(" Top Layer of: [%s]", names);
		putchar('\n');
	}
	return EXIT_OK;
}

const struct command command_image_tree = {
	.names = "image tree",
	.summary = "Show the layers of an image and their sizes",
	.operands = "IMAGE",
	.min_operands = 1,
	.max_operands = 1,
	.complete = COMPLETE_IMAGES,
	.run = tree,
};
