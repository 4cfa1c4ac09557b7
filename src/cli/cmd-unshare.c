/* davit unshare: runs a command as root of the namespace in which an ordinary user's containers
 * live, to look at and change files that belong to their IDs. */
#include "cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"

/* execvp() says EACCES when some directory of PATH is closed to us, though the command is in none
 * of them: a shell would not find it. */
static bool is_in_path(const char *name, const char *path)
{
	autostrlist struct strlist directories = STRLIST_EMPTY;

	if (strchr(name, '/') || !path)
		return true;
	strlist_split(&directories, path, ':');
	for (size_t i = 0; i < directories.count; i++) {
		autofree char *file = path_join(directories.items[i], name);

		if (access(file, F_OK) == 0)
			return true;
	}
	return false;
}

/* In the child that is in the namespace already. Returns the exit status of the command, as a shell
 * would have it. */
static int run_command(void *arg, struct err *err)
{
	char **argv = arg;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return err_errno(err, "fork");
	if (pid == 0) {
		(void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		(void)sigaction(SIGQUIT, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		execvp(argv[0], argv);
		int cause = errno;
		if (cause == EACCES && !is_in_path(argv[0], getenv("PATH")))
			cause = ENOENT;
		dprintf(STDERR_FILENO, "Error: run '%s': %s\n", argv[0], strerror(cause));
		_exit(cause == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, "wait for '%s'", argv[0]);
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int unshare_command(struct cli *cli, void *args, int argc, char **argv, struct err *err)
{
	struct engine *engine;
	char *shell[2] = { NULL, NULL };

	int r = cli_engine(cli, &engine, err);
	if (r < 0)
		return r;
	if (!engine->is_rootless || engine->is_unshared)
		return err_set(
			err, EINVAL,
			"please use unshare with rootless: it is for ordinary users, and root "
			"is root already");
	if (argc == 0) {
		shell[0] = (char *)engine_getenv(engine, "SHELL");
		if (!shell[0] || !*shell[0])
			shell[0] = (char *)"/bin/sh";
		argv = shell;
	}
	engine_set_unshared(engine);
	/* ctrl-C is for the command; we stay to pass its status on. */
	(void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	(void)sigaction(SIGQUIT, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	return engine_run_mapped(engine, run_command, argv, err);
}

const struct command command_unshare = {
	.names = "unshare",
	.summary = "Run a command in the user namespace of your containers",
	.description = "The command is root there, and may change files that belong to the IDs of "
		       "containers. Without a command it is your shell.",
	.examples = "davit unshare cat /proc/self/uid_map\ndavit unshare chown -R 33:33 ./site",
	.operands = "[COMMAND [ARG...]]",
	.max_operands = -1,
	.stop_at_operand = true,
	.complete = COMPLETE_FILES,
	.complete_rest = COMPLETE_FILES,
	.run = unshare_command,
};
