/* davit volume rm: removes volumes, and on demand the containers that have them. */
#include "cli/command.h"

#include <errno.h>

#include "engine/container-end.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/volume.h"

struct volume_rm_args {
	bool all, force;
	int64_t timeout_sec;
};

#define FIELD(f) offsetof(struct volume_rm_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every volume" },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL,
	  "Remove the containers that have it too; a missing one is no error" },
	{ "time", 't', OPTION_INT, FIELD(timeout_sec), "SECONDS",
	  "With --force: how long to wait before SIGKILL; the container's own is 10",
	  .initial = "-1", .traits = OPTION_FROM_ZERO },
	OPTION_END,
};

static int remove_users(struct engine *engine, const char *name, int64_t timeout_sec,
			struct err *err)
{
	autostrlist struct strlist users = STRLIST_EMPTY;
	int r = volume_users(engine, name, &users, err);

	for (size_t i = 0; r >= 0 && i < users.count; i++) {
		struct container *container = NULL;

		r = container_find(engine, users.items[i], CONTAINER_WITH_SPEC, &container, err);
		if (r >= 0)
			r = container_remove(engine, container, REMOVE_FORCE, timeout_sec, err);
		container_free(container);
		if (r == -ENOENT)
			r = 0; /* gone in the meantime, as we wish */
	}
	return r;
}

/* Returns an exit status. */
static int remove_one(struct engine *engine, const char *word, const struct volume_rm_args *args,
		      struct err *err)
{
	autovolume struct volume *volume = NULL;
	int r = volume_find(engine, word, &volume, err);

	if (r == -ENOENT && args->force)
		return EXIT_OK;
	if (r == -ENOENT)
		return cli_report(err, EXIT_MISSING);
	if (r >= 0 && args->force)
		r = remove_users(engine, volume->name, args->timeout_sec, err);
	if (r >= 0)
		r = volume_remove(engine, volume->name, err);
	if (r < 0)
		return cli_report(err, r == -EBUSY ? EXIT_IN_USE : EXIT_ENGINE);
	puts(volume->name);
	return EXIT_OK;
}

static int remove_all(struct engine *engine, const struct volume_rm_args *args, struct err *err)
{
	struct volume **list;
	int status = EXIT_OK;
	size_t count;
	int r = volume_list(engine, &list, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		int one = remove_one(engine, list[i]->name, args, err);

		status = status ? status : one;
	}
	volume_list_free(list, count);
	return status;
}

static int volume_rm(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct volume_rm_args *args = arguments;
	int status = EXIT_OK;
	struct engine *engine;

	if (args->all ? argc > 0 : argc == 0)
		return err_set(err, EINVAL, "name volumes, or give --all, one of both");
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (args->all)
		return remove_all(engine, args, err);
	for (int i = 0; i < argc; i++) {
		int one = remove_one(engine, argv[i], args, err);

		status = status ? status : one;
	}
	return status;
}

const struct command command_volume_rm = {
	.names = "volume rm|volume remove",
	.summary = "Remove volumes",
	.examples = "davit volume rm data\ndavit volume rm --all",
	.operands = "[VOLUME...]",
	.max_operands = -1,
	.complete = COMPLETE_VOLUMES,
	.options = options,
	.args_size = sizeof(struct volume_rm_args),
	.run = volume_rm,
};
