/* davit clone: makes a container like another one, files and all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/limit-options.h"
#include "cli/pull-options.h"
#include "cli/while-stopped.h"
#include "engine/container-clone.h"
#include "engine/container-end.h"
#include "engine/container-snapshot.h"
#include "engine/container-spec.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "oci/image-config.h"
#include "store/image.h"

struct clone_args {
	bool destroy, force, run, stop;
	const char *name;
	struct limit_args limits;
};

#define FIELD(f) offsetof(struct clone_args, f)
static const struct option_spec options[] = {
	{ "destroy", 0, OPTION_FLAG, FIELD(destroy), NULL, "Remove the first container after it" },
	{ "force", 'f', OPTION_FLAG, FIELD(force), NULL,
	  "With --destroy: stop the first container if it runs" },
	{ "name", 0, OPTION_STRING, FIELD(name), "NAME",
	  "Name of the new one; without it and an operand, the first one's and -clone" },
	{ "run", 0, OPTION_FLAG, FIELD(run), NULL, "Start it" },
	STOP_OPTION(FIELD(stop)),
	{ .kind = OPTION_INCLUDE,
	  .name = "limit options",
	  .offset = FIELD(limits),
	  .include = limit_update_specs },
	OPTION_END,
};

struct clone {
	struct cli *cli;
	const struct clone_args *args;
	const char *source; /* NAME or NAME:TAG */
	const char *name;   /* NULL: made of the source's */
	const char *image;  /* NULL: the source's, and its files */
	struct container *made;
};

/* The same options on another image, which has none of the container's files. */
static int change_image(struct engine *engine, const struct clone *clone,
			struct container_spec *spec, struct err *err)
{
	autoimage struct image *image = NULL;
	const struct pull_args pull = { .policy = NULL };

	int r = pull_args_find_image(engine, &pull, clone->image, true, &image, err);
	if (r < 0)
		return r;
	char **old[] = { &spec->image_name, &spec->image_id,   &spec->image_digest,
			 &spec->rootfs,	    &spec->base_layer, &spec->base_container };
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		free(take_ptr(old[i]));
	strlist_clear(&spec->layers);
	spec->rootfs_is_lower = spec->rootfs_idmap = false;
	spec->image_name = xstrdup(image->found_name);
	spec->image_id = xstrdup(image->id);
	spec->image_digest = xstrdup(image->manifest_digest);
	strlist_extend(&spec->layers, &image->config->diff_ids);
	return 0;
}

/* "web-clone", then "web-clone1" and so on, as podman has it. */
static int create_with_name(struct engine *engine, const struct clone *clone,
			    const struct container *source, struct container_spec *spec,
			    struct container **ret_made, struct err *err)
{
	int r = -EEXIST;

	if (clone->name)
		return container_create(engine, spec, clone->name, 0, ret_made, err);
	for (int i = 0; r == -EEXIST && i < 1000; i++) {
		autofree char *name = i ? xasprintf("%s-clone%d", source->name, i)
					: xasprintf("%s-clone", source->name);
		r = container_create(engine, spec, name, 0, ret_made, err);
	}
	return r;
}

static int make_of(struct engine *engine, struct clone *clone, const struct container_base *base,
		   struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;

	int r = container_clone_spec(engine, base, &spec, err);
	if (r == 0)
		r = limit_args_apply(clone->cli, &clone->args->limits, spec, err);
	if (r == 0 && clone->image)
		r = change_image(engine, clone, spec, err);
	return r < 0 ? r
		     : create_with_name(engine, clone, base->container, spec, &clone->made, err);
}

/* Another image needs no files, so the first one may go on with them. */
static int make_new(struct engine *engine, struct container *container, struct clone *clone,
		    struct err *err)
{
	autobase struct container_base base = CONTAINER_BASE_EMPTY;

	int r = clone->image ? container_find(engine, container->id, CONTAINER_WITH_SPEC,
					      &base.container, err)
			     : container_base_open(engine, clone->source, &base, err);
	return r < 0 ? r : make_of(engine, clone, &base, err);
}

static int make(struct engine *engine, struct container *container, void *arg, struct err *err)
{
	struct clone *clone = arg;

	int r = make_new(engine, container, clone, err);
	return r == 0 && clone->args->destroy
		       ? container_remove(engine, container, clone->args->force ? REMOVE_FORCE : 0,
					  -1, err)
		       : r;
}

static int start_it(struct engine *engine, struct container *container, struct err *err)
{
	struct start_result started = { .client_fd = -1 };

	int r = container_start(engine, container, 0, &started, &(int){ 0 }, err);
	return r == -EALREADY ? 0 : r;
}

static int clone_container(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct clone_args *args = arguments;
	autocontainer struct container *source = NULL;
	struct clone clone = {
		.cli = cli,
		.args = args,
		.source = argv[0],
		.name = argc > 1 ? argv[1] : args->name,
		.image = argc > 2 ? argv[2] : NULL,
	};
	autofree char *name = xstrndup(argv[0], strcspn(argv[0], ":"));
	struct engine *engine;

	if (args->force && !args->destroy)
		return err_set(err, EINVAL, "--force is for --destroy; give both, or none");
	if (args->stop && args->destroy)
		return err_set(err, EINVAL,
			       "--stop would start again what --destroy removes; give --force "
			       "instead of it");
	if (args->name && argc > 1)
		return err_set(err, EINVAL,
			       "the new container has two names, '%s' and '%s'; give one",
			       args->name, argv[1]);
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, name, CONTAINER_WITH_SPEC, &source, err);
	if (r == 0)
		r = while_stopped(engine, source, args->stop || args->force, make, &clone, err);
	autocontainer struct container *made = clone.made;
	if (r == 0 && args->run)
		r = start_it(engine, made, err);
	if (r < 0)
		return r;
	puts(made->id);
	return EXIT_OK;
}

const struct command command_clone = {
	.names = "clone|container clone",
	.summary = "Make a container like another one, with its files",
	.description =
		"The new container has the options of the first one and its files as they are now, "
		"or with CONTAINER:TAG as they were at that snapshot. Nothing is copied: both "
		"stand on the same layers, and each writes into its own. Volumes are used by "
		"both. With an image the new one has its files instead. Prints the new ID.",
	.examples = "davit clone web web-test\n"
		    "davit clone --run --memory 1g web:before-upgrade old-web\n"
		    "davit container clone --destroy --force web web2",
	.operands = "CONTAINER[:TAG] [NAME [IMAGE]]",
	.min_operands = 1,
	.max_operands = 3,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct clone_args),
	.run = clone_container,
};
