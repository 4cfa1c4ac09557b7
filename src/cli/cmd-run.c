/* davit run: makes a container of an image and starts it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "cli/attach-container.h"
#include "cli/command.h"
#include "cli/container-options.h"
#include "cli/create-container.h"
#include "cli/preserved-fds.h"
#include "engine/container-end.h"
#include "engine/container-snapshot.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "monitor/detach-keys.h"

struct run_args {
	struct container_args container;
	bool detach;
	struct preserve_args preserve;
	const char *detach_keys, *ephemeral_of;
	enum option_tristate sig_proxy;
};

#define FIELD(f) offsetof(struct run_args, f)
static const struct option_spec options[] = {
	{ "detach", 'd', OPTION_FLAG, FIELD(detach), NULL, "Leave it running and print its ID" },
	{ "detach-keys", 0, OPTION_STRING, FIELD(detach_keys), "KEYS",
	  "Keys that leave its terminal; \"\" for none; the default is ctrl-p,ctrl-q" },
	{ "ephemeral-of", 0, OPTION_STRING, FIELD(ephemeral_of), "CONTAINER[:TAG]",
	  "Begin with the files of that container instead of an image; implies --rm",
	  .complete = COMPLETE_CONTAINERS },
	{ .kind = OPTION_INCLUDE,
	  .name = "preserved descriptors",
	  .offset = FIELD(preserve),
	  .include = preserve_option_specs },
	{ "sig-proxy", 0, OPTION_TRISTATE, FIELD(sig_proxy), NULL,
	  "Pass signals on to the container; the default without -t" },
	{ .kind = OPTION_INCLUDE,
	  .name = "container options",
	  .offset = FIELD(container),
	  .include = container_option_specs },
	OPTION_END,
};

#define RUN_HEAP_BYTES (128 * 1024) /* most of what starting a container takes */

/* Options that say where an image comes from. */
static int check_ephemeral(const struct cli *cli, struct err *err)
{
	const struct option_spec *tables[] = { pull_option_specs, pull_source_specs };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct option_spec *option = tables[i]; option->name; option++)
			if (option->kind != OPTION_INCLUDE && cli_given(cli, option->name))
				return err_set(
					err, EINVAL,
					"--%s is about images, and --ephemeral-of takes none; "
					"give one of them",
					option->name);
	return cli_given(cli, "rootfs")
		       ? err_set(err, EINVAL,
				 "--rootfs and --ephemeral-of contradict each other; give one")
		       : 0;
}

/* The other container stays as it is until the new one has its record. */
static int create_to_start(struct cli *cli, struct run_args *args, int argc, char **argv,
			   struct container **ret_container, struct err *err)
{
	autobase struct container_base base = CONTAINER_BASE_EMPTY;
	struct engine *engine;
	int r = 0;

	if (!args->ephemeral_of && argc == 0)
		return err_set(
			err, EINVAL,
			"requires at least 1 arg(s), only received 0: IMAGE [COMMAND [ARG...]]");
	if (args->ephemeral_of) {
		r = check_ephemeral(cli, err);
		if (r == 0)
			r = cli_engine(cli, &engine, err);
		if (r == 0)
			r = container_base_open(engine, args->ephemeral_of, &base, err);
		args->container.base = &base;
		args->container.remove = true;
	}
	if (r == 0)
		r = create_container(cli, &args->container, CREATE_TO_START, args->detach, argc,
				     argv, ret_container, err);
	args->container.base = NULL;
	return r;
}

/* As far as can be told by the looks of the options: what turns out not to be used costs little. */
static void expect_namespaces(struct engine *engine, const struct container_args *args)
{
	if (args->userns)
		return;
	engine_expect_userns(engine);
	if (args->networks.count == 0 || strcmp(args->networks.items[0], "none") == 0)
		engine_expect_netns(engine);
}

static int run(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct run_args *args = arguments;
	autocontainer struct container *container = NULL;
	autoclose int client_fd = -1;
	struct start_result started = { .client_fd = -1 };
	struct attach_request request = { 0 };
	struct engine *engine;
	int exit_code = EXIT_ENGINE;

	if (args->detach && args->container.attach.count)
		return err_set(err, EINVAL,
			       "--detach and --attach contradict each other; give one of them");
	if (args->container.tty && args->container.interactive && !args->detach &&
	    !isatty(STDIN_FILENO))
		log_warn("the input is no terminal, so -t shows no prompt and no line editing");
	mem_expect(RUN_HEAP_BYTES);
	bool passes_streams = args->container.log_driver &&
			      strcmp(args->container.log_driver, "passthrough") == 0;
	if (passes_streams && (args->container.tty || isatty(STDIN_FILENO) ||
			       isatty(STDOUT_FILENO) || isatty(STDERR_FILENO)))
		return err_set(err, ENOTTY,
			       "--log-driver passthrough cannot be used on a terminal, which the "
			       "container could type into; use k8s-file");
	int r = attach_choose_streams(&args->container.attach, args->container.interactive,
				      &request, err);
	if (passes_streams)
		request.wants_stdin = false; /* the container reads it itself */
	if (r == 0 && args->detach_keys)
		r = detach_keys_parse(args->detach_keys, &(struct detach_keys){ 0 }, err);
	int preserved = r < 0 ? r : preserve_args_claim(&args->preserve, err);
	r = preserved < 0 ? preserved : cli_engine(cli, &engine, err);
	if (r == 0)
		engine->preserve_fds = (unsigned)preserved;
	if (r == 0)
		expect_namespaces(engine, &args->container);
	if (r == 0)
		r = create_to_start(cli, args, argc, argv, &container, err);
	if (r == -EADDRINUSE)
		return cli_report(err, EXIT_PORT_TAKEN);
	if (r < 0)
		return r;
	timing_mark("image and record");
	r = container_start(engine, container, args->detach ? 0 : START_WITH_CLIENT, &started,
			    &exit_code, err);
	client_fd = started.client_fd;
	timing_mark("started");
	if (r == -EADDRINUSE)
		exit_code = EXIT_PORT_TAKEN;
	if (r < 0) {
		int status = cli_report(err, exit_code);
		if (container->auto_remove &&
		    container_remove(engine, container, REMOVE_FORCE | REMOVE_VOLUMES, 0, err) < 0)
			cli_report(err, exit_code);
		return status;
	}
	if (args->detach) {
		puts(container->id);
		return EXIT_OK;
	}
	if (!request.wants_stdout && !request.wants_stderr) {
		puts(container->id); /* the only way to find it again */
		fflush(stdout);
	}
	request.fd = client_fd;
	request.held = &started.signals;
	request.is_terminal = args->container.tty;
	request.passes_signals = args->sig_proxy == TRISTATE_UNSET
					 ? !args->container.tty
					 : args->sig_proxy == TRISTATE_TRUE;
	request.detach_keys = args->detach_keys ?: engine->settings.detach_keys;
	return attach_container(engine, container, &request, err);
}

const struct command command_run = {
	.names = "run|container run",
	.summary = "Run a command in a new container",
	.examples = "davit run davit/helloweb\n"
		    "davit run -dt --rm -p 1080:80 nginx\n"
		    "davit run -it --rm -v ./src:/src debian bash\n"
		    "davit run -it --ephemeral-of web sh",
	.operands = "IMAGE [COMMAND [ARG...]]",
	.min_operands = 0, /* with --ephemeral-of */
	.max_operands = -1,
	.stop_at_operand = true,
	.complete = COMPLETE_IMAGES,
	.complete_rest = COMPLETE_FILES,
	.options = options,
	.args_size = sizeof(struct run_args),
	.run = run,
};
