/* davit image mount, davit image unmount: the files of images, at paths of the host. */
#include "cli/command.h"

#include <errno.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "engine/container-mount.h"
#include "engine/engine.h"
#include "engine/image-mount.h"
#include "engine/image.h"

struct mount_args {
	bool all;
	const char *format;
};

#define FIELD(f) offsetof(struct mount_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every image" },
	{ "format", 0, OPTION_CHOICE, FIELD(format), "FORMAT", "How to list what is mounted",
	  .choices = "json" },
	OPTION_END,
};

struct work {
	int (*act)(struct engine *engine, struct image *image, void *arg, struct err *err);
	void *arg;
	bool all;
};

static int for_each_image(struct engine *engine, const struct work *work, int argc, char **argv,
			  struct err *err)
{
	struct image_list list;
	struct store *store;
	int status = EXIT_OK;

	if (work->all == (argc > 0))
		return err_set(err, EINVAL, "name images, or give --all");
	for (int i = 0; i < argc; i++) {
		autoimage struct image *image = NULL;
		int r = image_resolve(engine, argv[i], &image, err);
		if (r == 0)
			r = work->act(engine, image, work->arg, err);
		if (r < 0)
			status = cli_report(err, EXIT_ENGINE);
	}
	if (!work->all)
		return status;
	int r = engine_store(engine, &store, err);
	if (r == 0)
		r = image_list(store, &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++)
		if (work->act(engine, list.items[i], work->arg, err) < 0)
			status = cli_report(err, EXIT_ENGINE);
	image_list_clear(&list);
	return status;
}

static int mount_one(struct engine *engine, struct image *image, void *arg, struct err *err)
{
	autofree char *path = NULL;

	(void)arg;
	int r = image_mount(engine, image, &path, err);
	if (r == 0)
		puts(path);
	return r;
}

struct listing {
	struct json_object *rows;
	struct strbuf table;
};

static int list_one(struct engine *engine, struct image *image, void *arg, struct err *err)
{
	struct listing *listing = arg;
	autofree char *path = container_mount_path(engine, image->id);

	(void)err;
	if (!container_is_mounted(engine, image->id))
		return 0;
	struct json_object *row = json_object_new_object(), *names = json_object_new_array();
	for (size_t i = 0; i < image->names.count; i++)
		json_object_array_add(names, json_object_new_string(image->names.items[i]));
	json_object_object_add(row, "id", json_object_new_string(image->id));
	json_object_object_add(row, "Repositories", names);
	json_object_object_add(row, "mountpoint", json_object_new_string(path));
	json_object_array_add(listing->rows, row);
	strbuf_addf(&listing->table, "%s\t%s\n",
		    image->names.count ? image->names.items[0] : image->id, path);
	return 0;
}

static int image_mount_all(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct mount_args *args = arguments;
	struct listing listing = { .table = STRBUF_EMPTY };
	bool lists = !argc && !args->all;
	const struct work work = {
		.act = lists ? list_one : mount_one,
		.arg = &listing,
		.all = lists || args->all,
	};
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	listing.rows = json_object_new_array();
	r = for_each_image(engine, &work, argc, argv, err);
	if (lists && r >= 0 && args->format)
		puts(json_object_to_json_string_ext(
			listing.rows, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE |
					      JSON_C_TO_STRING_SPACED));
	else if (listing.table.size)
		table_print(strbuf_text(&listing.table), stdout);
	json_object_put(listing.rows);
	strbuf_clear(&listing.table);
	return r;
}

const struct command command_image_mount = {
	.names = "image mount",
	.summary = "Mount images to look into them",
	.description = "Prints the paths; without an image, what is mounted. An ordinary user does "
		       "this in 'davit unshare', where the mounts end with it.",
	.operands = "[IMAGE...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = options,
	.args_size = sizeof(struct mount_args),
	.run = image_mount_all,
};

struct unmount_args {
	bool all, force;
};

#undef FIELD
#define FIELD(f) offsetof(struct unmount_args, f)
static const struct option_spec unmount_options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every image that is mounted" },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Even while somebody uses the files" },
	OPTION_END,
};

static int unmount_one(struct engine *engine, struct image *image, void *arg, struct err *err)
{
	const struct unmount_args *args = arg;

	if (args->all && !container_is_mounted(engine, image->id))
		return 0;
	int r = image_unmount(engine, image, args->force, err);
	if (r == 0)
		puts(image->id);
	return r;
}

static int image_unmount_all(struct cli *cli, void *arguments, int argc, char **argv,
			     struct err *err)
{
	const struct unmount_args *args = arguments;
	const struct work work = { .act = unmount_one, .arg = arguments, .all = args->all };
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	return r < 0 ? r : for_each_image(engine, &work, argc, argv, err);
}

const struct command command_image_unmount = {
	.names = "image unmount|image umount",
	.summary = "Unmount what davit image mount has mounted",
	.operands = "[IMAGE...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_IMAGES,
	.options = unmount_options,
	.args_size = sizeof(struct unmount_args),
	.run = image_unmount_all,
};
