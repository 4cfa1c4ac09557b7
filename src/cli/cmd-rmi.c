/* davit rmi: removes names from images, and images when the last name goes. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/image.h"

struct rmi_args {
	bool all, force, ignore, no_prune;
};

#define FIELD(f) offsetof(struct rmi_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Remove all images" },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL,
	  "Remove images with several names, and the containers that use them" },
	{ "ignore", 'i', OPTION_FLAG, FIELD(ignore), NULL, "Pass over images that do not exist" },
	{ "no-prune", 0, OPTION_FLAG, FIELD(no_prune), NULL,
	  "Accepted for scripts; there are no unnamed parents to keep" },
	OPTION_END,
};

static int all_ids(struct engine *engine, struct strlist *words, struct err *err)
{
	autoimage_list struct image_list list = { 0 };
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = image_list(store, &list, err);
	for (size_t i = 0; r >= 0 && i < list.count; i++)
		strlist_add(words, list.items[i]->id);
	return r;
}

static int remove_container(struct engine *engine, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	int r = container_find(engine, id, CONTAINER_WITH_SPEC, &container, err);

	if (r == -ENOENT) /* gone since it was listed */
		return 0;
	if (r >= 0)
		r = container_remove(engine, container, REMOVE_FORCE | REMOVE_VOLUMES, 0, err);
	return r;
}

static int rmi(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct rmi_args *args = arguments;
	autostrlist struct strlist words = STRLIST_EMPTY, untagged = STRLIST_EMPTY,
				   deleted = STRLIST_EMPTY;
	struct image_removal removal = { .force = args->force,
					 .all = args->all,
					 .no_prune = args->no_prune,
					 .remove_container = remove_container };
	bool is_missing = false, is_used = false, has_failed = false;
	struct engine *engine;
	int r = cli_engine(cli, &engine, err);

	if (r >= 0 && args->all && argc > 0)
		return err_set(err, EINVAL, "give either --all or names of images");
	if (r >= 0 && !args->all && argc == 0)
		return err_set(err, EINVAL, "image name or ID must be specified");
	if (r >= 0 && args->all)
		r = all_ids(engine, &words, err);
	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++)
		strlist_add(&words, argv[i]);

	for (size_t i = 0; i < words.count; i++) {
		struct err own = { 0 };
		r = image_remove(engine, words.items[i], &removal, &untagged, &deleted, &own);
		if (r >= 0 || (r == -ENOENT && (args->ignore || args->force)))
			continue;
		(void)cli_report(&own, EXIT_ENGINE);
		is_missing |= r == -ENOENT;
		is_used |= r == -EBUSY;
		has_failed |= r != -ENOENT && r != -EBUSY;
	}
	for (size_t i = 0; i < untagged.count; i++)
		printf("Untagged: %s\n", untagged.items[i]);
	for (size_t i = 0; i < deleted.count; i++)
		printf("Deleted: %s\n", deleted.items[i]);
	r = image_empty_trash(engine, err);
	if (r < 0)
		return r;
	/* podman's: what is in use weighs most, a mere absence least. */
	return is_used	    ? EXIT_IN_USE
	       : has_failed ? EXIT_ENGINE
	       : is_missing ? EXIT_MISSING
			    : EXIT_OK;
}

const struct command command_rmi = {
	.names = "rmi|image rm|image remove",
	.summary = "Remove images",
	.description = "A name among several is only taken away; with the last one the image goes, "
		       "and with it the layers that no other image has.",
	.operands = "[IMAGE...]",
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct rmi_args),
	.run = rmi,
};
