/* davit snapshot, davit revert: states of a container, and back to them. */
#include <errno.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "cli/while-stopped.h"
#include "engine/container-snapshot.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/mount-spec.h"

struct snapshot_args {
	bool flatten, remove, stop;
};

#define FIELD(f) offsetof(struct snapshot_args, f)
static const struct option_spec snapshot_options[] = {
	{ "flatten", 0, OPTION_FLAG, FIELD(flatten), NULL,
	  "Take none, but merge the layers that many of them have left into one" },
	{ "rm", 0, OPTION_FLAG, FIELD(remove), NULL, "Remove the snapshots of these tags" },
	STOP_OPTION(FIELD(stop)),
	OPTION_END,
};

static int take(struct engine *engine, struct container *container, void *tag, struct err *err)
{
	autofree char *taken = NULL;

	int r = container_snapshot(engine, container, tag, &taken, err);
	if (r == 0)
		puts(taken);
	return r;
}

static int flatten(struct engine *engine, struct container *container, void *arg, struct err *err)
{
	int r = container_flatten(engine, container, err);
	if (r < 0)
		return r;
	puts(container->name);
	return 0;
}

static int remove_tags(struct engine *engine, struct container *container, int count, char **tags,
		       struct err *err)
{
	int status = EXIT_OK;

	for (int i = 0; i < count; i++) {
		int r = container_snapshot_remove(engine, container, tags[i], err);
		if (r < 0)
			status = cli_report(err, r == -ENOENT ? EXIT_MISSING : EXIT_ENGINE);
		else
			puts(tags[i]);
	}
	return status;
}

static int snapshot(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct snapshot_args *args = arguments;
	autocontainer struct container *container = NULL;
	struct engine *engine;

	if (args->remove && argc < 2)
		return err_set(err, EINVAL, "--rm needs a container and one tag or more");
	if (args->remove && args->stop)
		return err_set(err, EINVAL, "removing a snapshot needs no --stop; leave it out");
	if (args->flatten && (args->remove || argc > 1))
		return err_set(err, EINVAL, "--flatten is about a container, and takes no %s",
			       args->remove ? "--rm" : "tag");
	if (!args->remove && argc > 2)
		return err_set(err, EINVAL,
			       "accepts at most 2 arg(s), received %d: CONTAINER [TAG]", argc);
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r < 0)
		return r;
	if (args->remove)
		return remove_tags(engine, container, argc - 1, argv + 1, err);
	r = while_stopped(engine, container, args->stop, args->flatten ? flatten : take,
			  argc > 1 ? argv[1] : NULL, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_snapshot = {
	.names = "snapshot|container snapshot",
	.summary = "Keep the present state of a container's files",
	.description =
		"Takes the same time however much the container has written. The container must "
		"not run. Its volumes are not part of it. Prints the tag, which is the next number "
		"if none is given; 'davit revert' goes back to it, 'davit clone' and 'davit run "
		"--ephemeral-of' make new containers of it.",
	.examples = "davit snapshot web before-upgrade\n"
		    "davit snapshot --stop web\n"
		    "davit snapshot --rm web before-upgrade",
	.operands = "CONTAINER [TAG...]",
	.min_operands = 1,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = snapshot_options,
	.args_size = sizeof(struct snapshot_args),
	.run = snapshot,
};

#undef FIELD
#define FIELD(f) offsetof(struct revert_args, f)
struct revert_args {
	bool stop;
};

static const struct option_spec revert_options[] = {
	STOP_OPTION(FIELD(stop)),
	OPTION_END,
};

/* Whoever goes back has to know what does not. */
static int tell_of_volumes(const struct container *container, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = container_spec_of(container, &spec, err);
	for (size_t i = 0; r == 0 && i < spec->mounts.count; i++) {
		struct mount_spec mount;
		r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			break;
		if (mount.kind == MOUNT_VOLUME || (mount.kind == MOUNT_BIND && !mount.read_only))
			strbuf_addf(&text, "%s%s at %s", text.size ? ", " : "", mount.source,
				    mount.destination);
		mount_spec_clear(&mount);
	}
	if (r == 0 && text.size)
		fprintf(stderr, "Volumes are not part of a snapshot and stay as they are: %s\n",
			text.data);
	return r;
}

static int go_back(struct engine *engine, struct container *container, void *tag, struct err *err)
{
	autofree char *found = NULL;

	int r = container_revert(engine, container, tag, &found, err);
	if (r < 0)
		return r;
	puts(found);
	return tell_of_volumes(container, err);
}

static int revert(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct revert_args *args = arguments;
	autocontainer struct container *container = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = while_stopped(engine, container, args->stop, go_back, argc > 1 ? argv[1] : NULL,
				  err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_revert = {
	.names = "revert|container revert",
	.summary = "Take a container's files back to a snapshot",
	.description =
		"Gives up everything that it has written since the snapshot, or since the last one "
		"if no tag is given, and prints the tag. Other snapshots stay, also later ones. "
		"Its volumes and its options stay as they are. The container must not run.",
	.examples = "davit revert web before-upgrade\n"
		    "davit revert --stop web",
	.operands = "CONTAINER [TAG]",
	.min_operands = 1,
	.max_operands = 2,
	.complete = COMPLETE_CONTAINERS,
	.options = revert_options,
	.args_size = sizeof(struct revert_args),
	.run = revert,
};
