/* davit wait: waits for containers to end and prints their exit codes. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-wait.h"
#include "engine/container.h"
#include "engine/engine.h"

#define MISSING SIZE_MAX

struct wait_args {
	bool ignore, latest;
	const char *condition;
	int64_t interval_usec;

	/* All are watched before one is waited for: the others may end meanwhile, and be gone. */
	struct container_waits *waits;
	size_t *order; /* their indexes as the user has named them, or MISSING */
	size_t count;
};

#define FIELD(f) offsetof(struct wait_args, f)
static const struct option_spec options[] = {
	{ "condition", 0, OPTION_CHOICE, FIELD(condition), "STATE",
	  "What to wait for, instead of the end: -1 is printed for other states",
	  .choices = "created|running|paused|restarting|exited|stopped" },
	{ "interval", 'i', OPTION_DURATION, FIELD(interval_usec), "TIME",
	  "With --condition: how long to wait before looking again", .initial = "250ms" },
	{ "ignore", 0, OPTION_FLAG, offsetof(struct wait_args, ignore), NULL,
	  "A container that is missing is no error" },
	{ "latest", 'l', OPTION_FLAG, offsetof(struct wait_args, latest), NULL,
	  "The one that was made last" },
	OPTION_END,
};

static void add_to_order(struct wait_args *args, size_t index)
{
	args->order = xreallocarray(args->order, args->count + 1, sizeof(*args->order));
	args->order[args->count++] = index;
}

static void add_missing(void *arg)
{
	add_to_order(arg, MISSING);
}

static int add(struct engine *engine, struct container *container, const char *word, void *arg,
	       struct err *err)
{
	struct wait_args *args = arg;

	int r = container_waits_add(args->waits, container, err);
	if (r < 0 && (r != -ENOENT || !args->ignore))
		return r;
	add_to_order(args, r < 0 ? MISSING : (size_t)r);
	return 0;
}

/* Other states come and go, and nobody tells of them. */
static int wait_for_state(struct engine *engine, struct container *container, const char *word,
			  void *arg, struct err *err)
{
	const struct wait_args *args = arg;
	int64_t msec = args->interval_usec / 1000;

	for (;;) {
		autocontainer struct container *now = NULL;
		int r = container_find(engine, container->id, 0, &now, err);
		if (r < 0)
			return r;
		if (strcmp(container_state_name(now->state), args->condition) == 0)
			break;
		(void)poll(NULL, 0, msec < 10 ? 10 : msec > 60000 ? 60000 : (int)msec);
	}
	puts("-1");
	return 0;
}

static int wait_for_containers(struct cli *cli, void *arguments, int argc, char **argv,
			       struct err *err)
{
	struct wait_args *args = arguments;
	const struct container_choice choice = { .ignore_missing = args->ignore,
						 .on_missing = add_missing,
						 .latest = args->latest };
	struct engine *engine;

	if (args->condition && strcmp(args->condition, "exited") != 0 &&
	    strcmp(args->condition, "stopped") != 0)
		return for_each_container(cli, &choice, argc, argv, wait_for_state, args, err);
	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	autowaits struct container_waits *waits = args->waits = container_waits_new(engine);
	int status = for_each_container(cli, &choice, argc, argv, add, args, err);
	autofree size_t *order = args->order;
	for (size_t i = 0; status >= 0 && i < args->count; i++) {
		int exit_code = -1;
		r = order[i] == MISSING ? 0
					: container_waits_finish(waits, order[i], &exit_code, err);
		if (r < 0)
			return r;
		printf("%d\n", exit_code);
		fflush(stdout); /* scripts read it while the others still run */
	}
	return status;
}

const struct command command_wait = {
	.names = "wait|container wait",
	.summary = "Wait for containers to end and print their exit codes",
	.operands = "[CONTAINER...]",
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct wait_args),
	.run = wait_for_containers,
};
