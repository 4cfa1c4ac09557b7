/* davit diff, container diff, image diff: what changed in a root file system. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/changes.h"
#include "engine/container.h"
#include "engine/image.h"

struct diff_args {
	const char *format;
	bool latest;
};

#define FIELD(f) offsetof(struct diff_args, f)
static const struct option_spec options[] = {
	{ "format", 0, OPTION_CHOICE, FIELD(format), "FORMAT", "Print as json", .choices = "json" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	OPTION_END,
};
static const struct option_spec image_options[] = {
	{ "format", 0, OPTION_CHOICE, FIELD(format), "FORMAT", "Print as json", .choices = "json" },
	OPTION_END,
};

enum diff_kinds { DIFF_CONTAINERS = 1 << 0, DIFF_IMAGES = 1 << 1 };

/* The owned objects of one side. */
struct side {
	struct container *container;
	struct image *image;
};

static void side_clear(struct side *side)
{
	container_free(side->container);
	image_free(side->image);
}

static int find_side(struct engine *engine, const char *word, enum diff_kinds kinds,
		     struct side *side, struct err *err)
{
	int r = -ENOENT;

	if (kinds & DIFF_CONTAINERS)
		r = find_container_or_latest(engine, word, CONTAINER_WITH_SPEC, &side->container,
					     err);
	if (r != -ENOENT || !(kinds & DIFF_IMAGES) || !word)
		return r;
	r = image_resolve(engine, word, &side->image, err);
	if (r == -ENOENT && kinds & DIFF_CONTAINERS)
		return err_set(err, ENOENT, "no container or image '%s'", word);
	return r;
}

/* What a container has called a file must not move the terminal's cursor. */
static void print_line(const struct change *change)
{
	printf("%c ", change->kind);
	for (const char *at = change->path; *at; at++)
		putchar(iscntrl((unsigned char)*at) ? '?' : *at);
	putchar('\n');
}

static void print_json(const struct change_list *list)
{
	static const struct {
		enum change_kind kind;
		const char *key;
	} kinds[] = { { CHANGE_MODIFIED, "changed" },
		      { CHANGE_ADDED, "added" },
		      { CHANGE_DELETED, "deleted" } };
	autojson struct json_object *root = json_object_new_object();

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct json_object *paths = json_object_new_array();
		for (size_t i = 0; i < list->count; i++)
			if (list->items[i].kind == kinds[k].kind)
				json_object_array_add(paths,
						      json_object_new_string(list->items[i].path));
		if (json_object_array_length(paths))
			json_object_object_add(root, kinds[k].key, paths);
		else
			json_object_put(paths);
	}
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int diff_sides(struct cli *cli, const struct diff_args *args, enum diff_kinds kinds,
		      int argc, char **argv, struct side *side, struct side *base, struct err *err)
{
	autochanges struct change_list list = { 0 };
	struct engine *engine;

	if (args->latest && argc > 1)
		return err_set(err, EINVAL, "--latest is one of the two; name only the other");
	if (!args->latest && argc == 0)
		return err_set(err, EINVAL, "nothing named; give a name or an ID%s",
			       kinds & DIFF_CONTAINERS ? ", or --latest" : "");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find_side(engine, args->latest ? NULL : argv[0], kinds, side, err);
	const char *other = args->latest ? argv[0] : argc > 1 ? argv[1] : NULL;
	if (r >= 0 && other)
		r = find_side(engine, other, DIFF_CONTAINERS | DIFF_IMAGES, base, err);
	const struct change_side what = { side->container, side->image };
	const struct change_side with = { base->container, base->image };
	if (r >= 0)
		r = changes_find(engine, &what, &with, &list, err);
	if (r < 0)
		return r;
	if (args->format)
		print_json(&list);
	for (size_t i = 0; !args->format && i < list.count; i++)
		print_line(&list.items[i]);
	return EXIT_OK;
}

static int diff_kinds(struct cli *cli, const struct diff_args *args, enum diff_kinds kinds,
		      int argc, char **argv, struct err *err)
{
	struct side side = { 0 }, base = { 0 };

	int r = diff_sides(cli, args, kinds, argc, argv, &side, &base, err);
	side_clear(&side);
	side_clear(&base);
	return r;
}

static int diff(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return diff_kinds(cli, args, DIFF_CONTAINERS | DIFF_IMAGES, argc, argv, err);
}

static int container_diff(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return diff_kinds(cli, args, DIFF_CONTAINERS, argc, argv, err);
}

static int image_diff(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	return diff_kinds(cli, args, DIFF_IMAGES, argc, argv, err);
}

#define DESCRIPTION                                                                                \
	"Prints A (added), C (changed) or D (deleted) and a path for each difference. A "          \
	"container is compared with its image, an image with the layers below its uppermost "      \
	"one, unless something else is named to compare with."

const struct command command_diff = {
	.names = "diff",
	.summary = "Show what changed in a container or an image",
	.description = DESCRIPTION,
	.examples = "davit diff web\ndavit diff --format json web\ndavit diff debian:12 debian:11",
	.operands = "CONTAINER|IMAGE [CONTAINER|IMAGE]",
	.min_operands = 0,
	.max_operands = 2,
	.complete = COMPLETE_OBJECTS,
	.options = options,
	.args_size = sizeof(struct diff_args),
	.run = diff,
};

const struct command command_container_diff = {
	.names = "container diff",
	.summary = "Show what changed in a container",
	.description = DESCRIPTION,
	.operands = "CONTAINER [CONTAINER|IMAGE]",
	.min_operands = 0,
	.max_operands = 2,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct diff_args),
	.run = container_diff,
};

const struct command command_image_diff = {
	.names = "image diff",
	.summary = "Show what the uppermost layer of an image changes",
	.description = DESCRIPTION,
	.operands = "IMAGE [CONTAINER|IMAGE]",
	.min_operands = 1,
	.max_operands = 2,
	.complete = COMPLETE_IMAGES,
	.options = image_options,
	.args_size = sizeof(struct diff_args),
	.run = image_diff,
};
