/* davit exec: runs one more command in a container that runs. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "cli/attach-container.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "cli/env-file.h"
#include "cli/preserved-fds.h"
#include "engine/container-exec.h"
#include "engine/container.h"
#include "engine/engine.h"

struct exec_args {
	bool detach, interactive, latest, no_session, tty, privileged;
	const char *detach_keys, *user, *workdir;
	struct strlist env, env_files;
	struct preserve_args preserve;
};

#define FIELD(f) offsetof(struct exec_args, f)
static const struct option_spec options[] = {
	{ "detach", 'd', OPTION_FLAG, FIELD(detach), NULL,
	  "Print its ID and do not wait for it; its output is dropped" },
	{ "detach-keys", 0, OPTION_STRING, FIELD(detach_keys), "KEYS",
	  "Keys that leave its terminal; \"\" for none; the default is ctrl-p,ctrl-q" },
	{ "env", 'e', OPTION_ENV, FIELD(env), "KEY[=VALUE]",
	  "Set a variable; KEY alone takes the caller's value" },
	{ "env-file", 0, OPTION_STRINGS, FIELD(env_files), "FILE", "Read variables from a file",
	  .complete = COMPLETE_FILES },
	{ "interactive", 'i', OPTION_FLAG, FIELD(interactive), NULL, "Pass standard input on" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "In the container that was made last" },
	{ "no-session", 0, OPTION_FLAG, FIELD(no_session), NULL,
	  "Keep no record of it; davit never does" },
	{ "privileged", 0, OPTION_FLAG, FIELD(privileged), NULL,
	  "All capabilities the container may have, and no system call filter" },
	{ .kind = OPTION_INCLUDE,
	  .name = "preserved descriptors",
	  .offset = FIELD(preserve),
	  .include = preserve_option_specs },
	{ "tty", 't', OPTION_FLAG, FIELD(tty), NULL, "Give it a terminal" },
	{ "user", 'u', OPTION_STRING, FIELD(user), "USER[:GROUP]",
	  "Name or number, looked up in the container" },
	{ "workdir", 'w', OPTION_STRING, FIELD(workdir), "DIR", "Working directory inside" },
	OPTION_END,
};

static int prepare(struct cli *cli, const struct exec_args *args, int argc, char **argv,
		   struct strlist *env, struct exec_request *request, struct err *err)
{
	for (size_t i = 0; i < args->env_files.count; i++) {
		int r = env_file_read(cli, args->env_files.items[i], env, err);
		if (r < 0)
			return r;
	}
	env_merge(env, &args->env);
	for (int i = 0; i < argc; i++)
		strlist_add(&request->command, argv[i]);
	request->env = *env;
	request->user = args->user;
	request->workdir = args->workdir;
	request->tty = args->tty;
	request->privileged = args->privileged;
	/* People write -dit. Nobody stays who could pass input on. */
	request->open_stdin = args->interactive && !args->detach;
	request->with_client = !args->detach;
	return 0;
}

static int exec_in(struct cli *cli, const struct exec_args *args, const char *name,
		   const struct exec_request *request, struct err *err)
{
	autocontainer struct container *container = NULL;
	struct exec_result result = { .client_fd = -1 };
	struct engine *engine;
	int exit_code;

	int preserved = preserve_args_claim(&args->preserve, err);
	int r = preserved < 0 ? preserved : cli_engine(cli, &engine, err);
	if (r == 0)
		engine->preserve_fds = (unsigned)preserved;
	if (r == 0)
		r = find_container_or_latest(engine, name, CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_settle(engine, container, err);
	if (r < 0)
		return r;
	timing_mark("container");
	r = container_exec(engine, container, request, &result, &exit_code, err);
	timing_mark("started");
	if (r < 0)
		return cli_report(err, exit_code);
	autoclose int client_fd = result.client_fd;
	if (args->detach) {
		puts(result.id);
		return EXIT_OK;
	}
	struct attach_request attach = {
		.fd = client_fd,
		.held = &result.signals,
		.wants_stdin = args->interactive,
		.wants_stdout = true,
		.wants_stderr = true,
		.is_terminal = args->tty,
		.passes_signals = !args->tty,
		.detach_keys = args->detach_keys ?: engine->settings.detach_keys,
	};
	return attach_process(engine, container, &result, &attach, err);
}

static int exec(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct exec_args *args = arguments;
	autostrlist struct strlist env = STRLIST_EMPTY;
	struct exec_request request = { 0 };

	if (args->tty && args->interactive && !args->detach && !isatty(STDIN_FILENO))
		log_warn("the input is no terminal, so -t shows no prompt and no line editing");
	const char *name = args->latest ? NULL : *argv++;
	argc -= name != NULL;
	if (!argc) {
		err_set(err, EINVAL,
			"no command to run in the container; give one behind its name");
		return cli_report(err, EXIT_NO_EXEC);
	}
	int r = prepare(cli, args, argc, argv, &env, &request, err);
	if (r == 0)
		r = exec_in(cli, args, name, &request, err);
	strlist_clear(&request.command);
	return r;
}

const struct command command_exec = {
	.names = "exec|container exec",
	.summary = "Run a command in a running container",
	.description = "The command gets the container's limits, capabilities and system call "
		       "filter. Signals that davit "
		       "gets are passed on to it, unless it has a terminal.",
	.examples = "davit exec -it web sh\n"
		    "davit exec -u postgres -e PGDATABASE=shop db psql -c 'select 1'",
	.operands = "[CONTAINER] COMMAND [ARG...]",
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.complete = COMPLETE_RUNNING,
	.complete_rest = COMPLETE_FILES,
	.options = options,
	.args_size = sizeof(struct exec_args),
	.run = exec,
};
