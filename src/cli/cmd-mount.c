/* davit mount, unmount: the root file systems of containers at paths of the host. */
#include "cli/command.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/strbuf.h"
#include "cli/container-operands.h"
#include "engine/container-mount.h"
#include "engine/container.h"
#include "engine/engine.h"

struct mount_args {
	bool all, latest, no_trunc;
	const char *format;
};

#define FIELD(f) offsetof(struct mount_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container" },
	{ "format", 0, OPTION_CHOICE, FIELD(format), "FORMAT", "How to list what is mounted",
	  .choices = "json" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "no-trunc", 0, OPTION_FLAG, FIELD(no_trunc), NULL, "List whole IDs" },
	OPTION_END,
};

static void list_one(const struct container *container, const char *path, bool no_trunc,
		     struct json_object *rows, struct strbuf *table)
{
	struct json_object *row = json_object_new_object();
	struct json_object *names = json_object_new_array();

	strbuf_addf(table, "%.*s\t%s\n", no_trunc ? 64 : 12, container->id, path);
	json_object_array_add(names, json_object_new_string(container->name));
	json_object_object_add(row, "id", json_object_new_string(container->id));
	json_object_object_add(row, "Names", names);
	json_object_object_add(row, "mountpoint", json_object_new_string(path));
	json_object_array_add(rows, row);
}

static int list(struct engine *engine, const struct mount_args *args, struct err *err)
{
	autojson struct json_object *rows = json_object_new_array();
	autostrbuf struct strbuf table = STRBUF_EMPTY;
	struct container **all;
	size_t count;

	int r = container_list(engine, 0, &all, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		autofree char *path = container_mount_path(engine, all[i]->id);
		if (container_is_mounted(engine, all[i]->id))
			list_one(all[i], path, args->no_trunc, rows, &table);
	}
	container_list_free(all, count);
	if (args->format)
		puts(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE |
								  JSON_C_TO_STRING_SPACED));
	else if (table.size)
		table_print(strbuf_text(&table), stdout);
	return EXIT_OK;
}

static int mount_one(struct engine *engine, struct container *container, const char *word,
		     void *arg, struct err *err)
{
	autofree char *path = NULL;

	(void)word;
	(void)arg;
	int r = container_mount(engine, container, &path, err);
	if (r == 0)
		puts(path);
	return r;
}

static int mount_all(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct mount_args *args = arguments;
	const struct container_choice choice = { .all = args->all, .latest = args->latest };
	struct engine *engine;

	if (argc || args->all || args->latest)
		return for_each_container(cli, &choice, argc, argv, mount_one, arguments, err);
	int r = cli_engine(cli, &engine, err);
	return r < 0 ? r : list(engine, args, err);
}

const struct command command_mount = {
	.names = "mount|container mount",
	.summary = "Mount the root file systems of containers",
	.description =
		"Prints the paths; without a container, what is mounted. An ordinary user does "
		"this in 'davit unshare', where the mounts end with it.",
	.examples = "ls $(davit mount web)/etc\ndavit unshare sh -c 'ls $(davit mount web)/etc'",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct mount_args),
	.run = mount_all,
};

struct unmount_args {
	bool all, force, latest;
};

#undef FIELD
#define FIELD(f) offsetof(struct unmount_args, f)
static const struct option_spec unmount_options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container that is mounted" },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Even while somebody uses the files" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	OPTION_END,
};

static int unmount_one(struct engine *engine, struct container *container, const char *word,
		       void *arg, struct err *err)
{
	const struct unmount_args *args = arg;

	if (args->all && !container_is_mounted(engine, container->id))
		return 0;
	int r = container_unmount(engine, container, args->force, err);
	if (r == 0)
		puts(args->all || args->latest ? container->id : word);
	return r;
}

static int unmount_all(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct unmount_args *args = arguments;
	const struct container_choice choice = { .all = args->all, .latest = args->latest };

	return for_each_container(cli, &choice, argc, argv, unmount_one, arguments, err);
}

const struct command command_unmount = {
	.names = "unmount|umount|container unmount|container umount",
	.summary = "Unmount what davit mount has mounted",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = unmount_options,
	.args_size = sizeof(struct unmount_args),
	.run = unmount_all,
};
