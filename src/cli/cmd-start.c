/* davit start: starts containers that were made before. */
#include <errno.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/attach-container.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container-start.h"
#include "engine/container.h"
#include "engine/engine.h"

struct start_args {
	bool all, attach, interactive, latest;
	struct strlist filters;
	const char *detach_keys;
	enum option_tristate sig_proxy;
};

#define FIELD(f) offsetof(struct start_args, f)
static const struct option_spec options[] = {
	{ "all", 0, OPTION_FLAG, FIELD(all), NULL, "Start every container that does not run" },
	{ "attach", 'a', OPTION_FLAG, FIELD(attach), NULL, "Stay with it and show its output" },
	{ "detach-keys", 0, OPTION_STRING, FIELD(detach_keys), "KEYS",
	  "Keys that leave its terminal; \"\" for none; the default is ctrl-p,ctrl-q" },
	{ "filter", 'f', OPTION_STRINGS, FIELD(filters), "KEY=VALUE",
	  "Those that do not run that match; keys are those of ps", CONTAINER_FILTER_CHOICES },
	{ "interactive", 'i', OPTION_FLAG, FIELD(interactive), NULL,
	  "Pass standard input on; implies --attach" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "sig-proxy", 0, OPTION_TRISTATE, FIELD(sig_proxy), NULL,
	  "Pass signals on to the container; the default without a terminal" },
	OPTION_END,
};

static int start_one(struct engine *engine, struct container *container, const char *word,
		     void *arg, struct err *err)
{
	struct start_args *args = arg;
	autocontainer_spec struct container_spec *spec = NULL;
	struct start_result started = { .client_fd = -1 };
	bool attached = args->attach || args->interactive;

	int r = container_start(engine, container, attached ? START_WITH_CLIENT : 0, &started,
				&(int){ 0 }, err);
	bool is_held = r == 0;
	if (r == -EALREADY) /* as wished */
		r = attached ? started.client_fd = attach_open(engine, container, err) : 0;
	if (r < 0) { /* 126 and 127 are for run: here the command is not the user's word */
		cli_report(err, EXIT_ENGINE);
		if (container->auto_remove && container->state != CONTAINER_RUNNING &&
		    container_remove(engine, container, REMOVE_VOLUMES, 0, err) < 0)
			cli_report(err, EXIT_ENGINE);
		return EXIT_ENGINE;
	}
	autoclose int client_fd = started.client_fd;
	if (!attached) {
		puts(word);
		return 0;
	}
	r = container_spec_of(container, &spec, err);
	if (r < 0)
		return r;
	struct attach_request request = {
		.fd = client_fd,
		.held = is_held ? &started.signals : NULL,
		.is_terminal = spec->tty,
		.passes_signals = args->sig_proxy == TRISTATE_UNSET
					  ? !spec->tty
					  : args->sig_proxy == TRISTATE_TRUE,
		.detach_keys = args->detach_keys ?: engine->settings.detach_keys,
	};
	r = attach_choose_streams(&spec->attach, args->interactive, &request, err);
	if (r < 0)
		return r;
	request.wants_stdin = args->interactive;
	return attach_container(engine, container, &request, err);
}

static int start(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct start_args *args = arguments;
	const struct container_choice choice = { .all = args->all,
						 .latest = args->latest,
						 .filters = args->filters,
						 .all_means = CHOICE_STOPPED };

	if ((args->attach || args->interactive) && (argc > 1 || args->all || args->filters.count))
		return err_set(err, EINVAL,
			       "only one container can be attached to; start the others without -a "
			       "and -i");
	return for_each_container(cli, &choice, argc, argv, start_one, args, err);
}

const struct command command_start = {
	.names = "start|container start",
	.summary = "Start containers",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct start_args),
	.run = start,
};
