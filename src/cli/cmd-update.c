/* davit update: other limits, restarts, variables or health checks for a container, also while it runs. */
#include <errno.h>

#include "cli/command.h"
#include "cli/container-operands.h"
#include "cli/env-file.h"
#include "cli/health-options.h"
#include "cli/limit-options.h"
#include "engine/container-restart.h"
#include "engine/container-spec.h"
#include "engine/container-update.h"
#include "engine/container.h"

struct update_args {
	bool latest;
	const char *restart;
	struct strlist env, unset_env;
	struct health_args health;
	struct limit_args limits;
};

#define FIELD(f) offsetof(struct update_args, f)
static const struct option_spec options[] = {
	{ "env", 'e', OPTION_ENV, FIELD(env), "KEY[=VALUE]",
	  "Set a variable; KEY alone takes the caller's value" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The one that was made last" },
	{ "restart", 0, OPTION_STRING, FIELD(restart), "POLICY",
	  "Start it again when it ends: no, on-failure[:RETRIES], always, unless-stopped",
	  .choices = "no|on-failure|always|unless-stopped" },
	{ "unsetenv", 0, OPTION_STRINGS, FIELD(unset_env), "KEY", "Take a variable away" },
	{ .kind = OPTION_INCLUDE,
	  .name = "health options",
	  .offset = FIELD(health),
	  .include = health_option_specs },
	{ .kind = OPTION_INCLUDE,
	  .name = "limit options",
	  .offset = FIELD(limits),
	  .include = limit_update_specs },
	OPTION_END,
};

struct change {
	const struct cli *cli;
	const struct update_args *args;
	bool is_health;
};

static int change(struct container_spec *spec, void *arg, struct err *err)
{
	const struct change *wanted = arg;
	const struct update_args *args = wanted->args;
	int r = 0;

	for (size_t i = 0; i < args->unset_env.count; i++)
		strlist_env_unset(&spec->env, args->unset_env.items[i]);
	env_merge(&spec->env, &args->env);
	if (args->restart)
		r = restart_policy_apply(args->restart, spec, err);
	return r == 0 && (wanted->is_health || args->restart)
		       ? health_options_change(wanted->cli, &args->health, spec, err)
		       : r;
}

static int change_limits(struct container_spec *spec, void *arg, struct err *err)
{
	const struct change *wanted = arg;

	return limit_args_apply(wanted->cli, &wanted->args->limits, spec, err);
}

static bool has_any(const struct cli *cli, const struct option_spec *specs)
{
	for (const struct option_spec *option = specs; option->name; option++)
		if (cli_given(cli, option->name))
			return true;
	return false;
}

static int update(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct update_args *args = arguments;
	bool has_limits = has_any(cli, limit_update_specs);
	struct change wanted = { .cli = cli,
				 .args = args,
				 .is_health = has_any(cli, health_option_specs) };
	const struct container_update update = { .change = change,
						 .change_limits = has_limits ? change_limits : NULL,
						 .arg = &wanted,
						 .is_restart = args->restart,
						 .is_health = wanted.is_health };
	autocontainer struct container *container = NULL;
	struct engine *engine;

	if (argc != (args->latest ? 0 : 1))
		return err_set(err, EINVAL, "name one container, or give --latest");
	if (!has_limits && !wanted.is_health && !args->restart && !args->env.count &&
	    !args->unset_env.count)
		return err_set(err, EINVAL,
			       "nothing to change; give an option, such as --memory 1g");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find_container_or_latest(engine, args->latest ? NULL : argv[0],
					     CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_update(engine, container, &update, err);
	if (r < 0)
		return r;
	puts(container->id);
	return EXIT_OK;
}

const struct command command_update = {
	.names = "update|container update",
	.summary = "Change limits, restarts, variables or health checks of a container",
	.examples = "davit update --memory 1g --cpus 2 web\ndavit update --restart always web",
	.operands = "[CONTAINER]",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct update_args),
	.run = update,
};
