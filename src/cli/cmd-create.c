/* davit create: makes a container of an image, to be started later. */
#include "cli/attach-container.h"
#include "cli/command.h"
#include "cli/container-options.h"
#include "cli/create-container.h"
#include "engine/container.h"

struct create_args {
	struct container_args container;
};

static const struct option_spec options[] = {
	{ .kind = OPTION_INCLUDE,
	  .name = "container options",
	  .offset = offsetof(struct create_args, container),
	  .include = container_option_specs },
	OPTION_END,
};

static int create(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct create_args *args = arguments;
	autocontainer struct container *container = NULL;

	int r = attach_choose_streams(&args->container.attach, false, &(struct attach_request){ 0 },
				      err);
	if (r < 0)
		return r;
	r = create_container(cli, &args->container, 0, true, argc, argv, &container, err);
	if (r < 0)
		return r;
	puts(container->id);
	return EXIT_OK;
}

const struct command command_create = {
	.names = "create|container create",
	.summary = "Make a container without starting it",
	.examples = "davit create --name web -p 8080:80 nginx\ndavit start web",
	.operands = "IMAGE [COMMAND [ARG...]]",
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.complete = COMPLETE_IMAGES,
	.complete_rest = COMPLETE_FILES,
	.options = options,
	.args_size = sizeof(struct create_args),
	.run = create,
};
