/* davit tag, davit untag: give and take names of images. */
#include "cli/command.h"

#include <errno.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image.h"

static int find(struct cli *cli, const char *word, struct store **ret_store,
		struct image **ret_image, struct err *err)
{
	struct engine *engine;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0)
		r = engine_store(engine, ret_store, err);
	if (r >= 0)
		r = image_resolve(engine, word, ret_image, err);
	if (r >= 0)
		r = image_load_names(*ret_store, *ret_image, err);
	return r;
}

static int tag(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autoimage struct image *image = NULL;
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct store *store;
	int r = find(cli, argv[0], &store, &image, err);

	for (int i = 1; r >= 0 && i < argc; i++) { /* all of them are names, or none is given */
		char *name;
		r = image_local_name(argv[i], &name, err);
		if (r >= 0)
			strlist_take(&names, name);
	}
	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		r = image_tag(store, image, names.items[i], err);
		if (r >= 0)
			event_image(cli->engine, EVENT_TAG, image->id, names.items[i]);
	}
	return r < 0 ? r : EXIT_OK;
}

static int untag(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	autoimage struct image *image = NULL;
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct store *store;
	int r = find(cli, argv[0], &store, &image, err);

	if (r >= 0 && argc == 1)
		strlist_extend(&names, &image->names);
	for (int i = 1; r >= 0 && i < argc; i++) {
		/* As the word finds it: short names too */
		autoimage struct image *named = NULL;
		struct engine *engine;
		char *name = NULL;
		struct err own = { 0 };
		r = cli_engine(cli, &engine, err);
		if (r >= 0 && image_resolve(engine, argv[i], &named, &own) >= 0 &&
		    named->found_name)
			name = xstrdup(named->found_name);
		else if (r >= 0)
			r = image_local_name(argv[i], &name, err);
		if (r >= 0)
			strlist_take(&names, name);
	}
	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		r = image_untag(store, image, names.items[i], err);
		if (r == -ENOENT)
			return err_set(err, ENOENT, "%s: tag not known", names.items[i]);
		if (r >= 0)
			event_image(cli->engine, EVENT_UNTAG, image->id, names.items[i]);
	}
	return r < 0 ? r : EXIT_OK;
}

const struct command command_tag = {
	.names = "tag|image tag",
	.summary = "Give an image more names",
	.operands = "IMAGE NAME...",
	.min_operands = 2,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.run = tag,
};

const struct command command_untag = {
	.names = "untag|image untag",
	.summary = "Take names away from an image",
	.description = "Without NAME all names are taken. The image stays, and has its ID.",
	.operands = "IMAGE [NAME...]",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.run = untag,
};
