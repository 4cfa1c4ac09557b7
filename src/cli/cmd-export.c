/* davit export: a container's root file system as a tar archive. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/command.h"
#include "engine/container-export.h"
#include "engine/container.h"

struct export_args {
	bool latest;
	const char *output;
};

#define FIELD(f) offsetof(struct export_args, f)
static const struct option_spec options[] = {
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	{ "output", 'o', OPTION_STRING, FIELD(output), "FILE",
	  "File to write; standard output without it", .complete = COMPLETE_FILES },
	OPTION_END,
};

/* Into a file aside that takes its place when it is whole: a failed export leaves the old one. What is
 * no file, such as /dev/null or a pipe, is written to as it is. */
static int export_to_file(struct engine *engine, struct container *container, const char *path,
			  struct err *err)
{
	autofree char *aside = xasprintf("%s.tmp-%d", path, (int)getpid());
	struct stat st;

	bool is_plain = stat(path, &st) < 0 || S_ISREG(st.st_mode);
	autoclose int fd = is_plain ? open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
				    : open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "create '%s'", path);
	int r = container_export(engine, container, fd, err);
	if (r == 0 && close(take_fd(&fd)) < 0)
		r = err_errno(err, "write '%s'", path);
	if (r == 0 && is_plain && rename(aside, path) < 0)
		r = err_errno(err, "move the archive to '%s'", path);
	if (r < 0 && is_plain)
		(void)unlink(aside);
	return r;
}

static int export(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct export_args *args = arguments;
	autocontainer struct container *container = NULL;
	struct engine *engine;

	if (args->latest == (argc == 1))
		return err_set(err, EINVAL, "name one container, or give --latest");
	if (!args->output && isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "refusing to export to terminal. Use -o flag or redirect");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = args->latest
			    ? container_find_latest(engine, CONTAINER_WITH_SPEC, &container, err)
			    : container_find(engine, argv[0], CONTAINER_WITH_SPEC, &container, err);
	if (r < 0)
		return r;
	r = args->output ? export_to_file(engine, container, args->output, err)
			 : container_export(engine, container, STDOUT_FILENO, err);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_export = {
	.names = "export|container export",
	.summary = "Write a container's root file system as a tar archive",
	.description = "Volumes and what else is mounted in the container are left out. It may run "
		       "or not.",
	.examples = "davit export -o web.tar web\ndavit export web | tar t",
	.operands = "[CONTAINER]",
	.min_operands = 0,
	.max_operands = 1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct export_args),
	.run = export,
};
