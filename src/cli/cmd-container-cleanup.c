/* davit container cleanup: what the monitor starts when nobody waits for its container. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/mem.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-end.h"
#include "engine/container-restart.h"
#include "engine/container.h"
#include "engine/event.h"
#include "engine/health.h"

struct cleanup_args {
	bool all, health, restart;
	int64_t client_fd, exec_status;
	const char *exec_id;
	struct strlist late_fds;
};

#define FIELD(f) offsetof(struct cleanup_args, f)
static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, FIELD(all), NULL, "Every container that has ended" },
	/* Between monitors, of no use to people. */
	{ "client", 0, OPTION_INT, FIELD(client_fd), "FD", "Connection in the foreground",
	  OPTION_HIDDEN, .initial = "-1" },
	{ "exec-id", 0, OPTION_STRING, FIELD(exec_id), "ID", "That process", OPTION_HIDDEN },
	{ "exec-status", 0, OPTION_INT, FIELD(exec_status), "STATUS",
	  "A process of exec has ended so", OPTION_HIDDEN, .initial = "-1" },
	{ "health", 0, OPTION_FLAG, FIELD(health), NULL, "Check its health", OPTION_HIDDEN },
	{ "late", 0, OPTION_STRINGS, FIELD(late_fds), "FD", "Another connection", OPTION_HIDDEN },
	{ "restart", 0, OPTION_FLAG, FIELD(restart), NULL, "Start it again by its policy",
	  OPTION_HIDDEN },
	OPTION_END,
};

static int cleanup_one(struct engine *engine, struct container *container, const char *word,
		       void *arg, struct err *err)
{
	return container_cleanup(engine, container->id, err);
}

static int keep(int64_t number, struct err *err)
{
	if (number < 3 || number > INT_MAX || fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, EBADF, "%lld is no connection to hand on", (long long)number);
	return (int)number;
}

static int restart(struct engine *engine, const struct cleanup_args *args, const char *id,
		   struct err *err)
{
	autofree int *fds = xcalloc(args->late_fds.count + 1, sizeof(*fds));
	struct restart_connections connections = { .client_fd = -1, .late_fds = fds };

	if (args->client_fd >= 0) {
		connections.client_fd = keep(args->client_fd, err);
		if (connections.client_fd < 0)
			return connections.client_fd;
	}
	for (size_t i = 0; i < args->late_fds.count; i++) {
		int64_t number = -1;
		(void)number_parse(args->late_fds.items[i], 3, INT_MAX, &number);
		int fd = keep(number, err);
		if (fd < 0)
			return fd;
		fds[connections.late_count++] = fd;
	}
	return container_restart(engine, id, &connections, err);
}

static int check_health(struct cli *cli, const char *id, struct err *err)
{
	autocontainer struct container *container = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, id, CONTAINER_WITH_SPEC, &container, err);
	return r < 0 ? r : container_check_health(engine, container, &(int){ 0 }, err);
}

/* Its command has left it, so nobody else tells. */
static int tell_exec_died(struct cli *cli, const char *id, const struct cleanup_args *args,
			  struct err *err)
{
	autocontainer struct container *container = NULL;
	struct engine *engine;

	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = container_find(engine, id, 0, &container, err);
	if (r == 0)
		event_container_exec(engine, container, EVENT_EXEC_DIED, args->exec_id,
				     exit_code_of((int)args->exec_status));
	return r == -ENOENT ? 0 : r;
}

static int cleanup(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	struct cleanup_args *args = arguments;
	/* One that was removed meanwhile is as clean as can be. */
	const struct container_choice choice = { .all = args->all,
						 .all_means = CHOICE_STOPPED,
						 .ignore_missing = true };

	if (args->exec_status >= 0 && argc == 1)
		return tell_exec_died(cli, argv[0], args, err);
	if (args->health && argc == 1)
		return check_health(cli, argv[0], err);
	if (args->restart && argc == 1) {
		struct engine *engine;
		int r = cli_engine(cli, &engine, err);
		return r < 0 ? r : restart(engine, args, argv[0], err);
	}
	return for_each_container(cli, &choice, argc, argv, cleanup_one, args, err);
}

const struct command command_container_cleanup = {
	.names = "container cleanup",
	.summary = "Put away what containers that ended have used",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct cleanup_args),
	.run = cleanup,
};
