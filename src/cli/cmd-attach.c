/* davit attach: goes to the first process of a container that runs. */
#include <errno.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/attach-container.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container.h"
#include "engine/engine.h"

struct attach_args {
	bool latest, no_stdin;
	const char *detach_keys;
	enum option_tristate sig_proxy;
};

#define FIELD(f) offsetof(struct attach_args, f)
static const struct option_spec options[] = {
	{ "detach-keys", 0, OPTION_STRING, FIELD(detach_keys), "KEYS",
	  "Keys that leave its terminal; \"\" for none; the default is ctrl-p,ctrl-q" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	{ "no-stdin", 0, OPTION_FLAG, FIELD(no_stdin), NULL, "Do not pass standard input on" },
	{ "sig-proxy", 0, OPTION_TRISTATE, FIELD(sig_proxy), NULL,
	  "Pass signals on to the container; the default without a terminal" },
	OPTION_END,
};

static int attach(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct attach_args *args = arguments;
	autocontainer struct container *container = NULL;
	autocontainer_spec struct container_spec *spec = NULL;
	struct engine *engine;

	if (args->latest == (argc > 0))
		return err_set(err, EINVAL, "name one container, or give --latest instead");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find_container_or_latest(engine, args->latest ? NULL : argv[0],
					     CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_settle(engine, container, err);
	if (r == 0)
		r = container_spec_of(container, &spec, err);
	if (r < 0)
		return r;
	autoclose int fd = attach_open(engine, container, err);
	if (fd < 0)
		return fd;
	struct attach_request request = {
		.fd = fd,
		.wants_stdin = !args->no_stdin && spec->open_stdin,
		.wants_stdout = true,
		.wants_stderr = true,
		.is_terminal = spec->tty,
		.passes_signals = args->sig_proxy == TRISTATE_UNSET
					  ? !spec->tty
					  : args->sig_proxy == TRISTATE_TRUE,
		.detach_keys = args->detach_keys ?: engine->settings.detach_keys,
	};
	return attach_container(engine, container, &request, err);
}

const struct command command_attach = {
	.names = "attach|container attach",
	.summary = "Go to the input and output of a running container",
	.operands = "[CONTAINER]",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_RUNNING,
	.options = options,
	.args_size = sizeof(struct attach_args),
	.run = attach,
};
