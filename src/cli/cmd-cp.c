/* davit cp: copies files between the host and containers. */
#include "cli/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/container-copy.h"
#include "engine/container.h"

struct cp_args {
	bool archive, overwrite;
};

#define FIELD(f) offsetof(struct cp_args, f)
static const struct option_spec options[] = {
	{ "archive", 'a', OPTION_FLAG, FIELD(archive), NULL,
	  "In a container all belongs to the user it runs as; false keeps the owners' numbers",
	  .initial = "true" },
	{ "overwrite", 0, OPTION_FLAG, FIELD(overwrite), NULL,
	  "Let a directory take the place of a file, and a file that of a directory" },
	OPTION_END,
};

/* "CONTAINER:PATH", or a path of the host, which wins where it begins with a dot or a slash. */
static bool parse_end(const char *text, char **ret_container, const char **ret_path)
{
	const char *colon = strchr(text, ':');

	*ret_path = text;
	if (!colon || *text == '.' || *text == '/')
		return *text != '\0';
	*ret_container = xstrndup(text, (size_t)(colon - text));
	*ret_path = colon + 1;
	return **ret_container && **ret_path;
}

static int check(const char *const words[2], char *const names[2], const char *const paths[2],
		 const bool valid[2], struct err *err)
{
	if (!valid[0] || !valid[1])
		return err_set(err, EINVAL,
			       "invalid arguments \"%s\", \"%s\": you must specify paths", words[0],
			       words[1]);
	if (!names[0] && !names[1])
		return err_set(err, EINVAL,
			       "invalid arguments \"%s\", \"%s\": one of them has to be "
			       "CONTAINER:PATH",
			       words[0], words[1]);
	if (!names[1] && strcmp(paths[1], "-") == 0 && isatty(STDOUT_FILENO))
		return err_set(err, EINVAL,
			       "a tar archive is not for a terminal; redirect the output");
	if (!names[0] && strcmp(paths[0], "-") == 0 && isatty(STDIN_FILENO))
		return err_set(err, EINVAL,
			       "a tar archive does not come from a terminal; redirect the input");
	return 0;
}

static int find(struct engine *engine, const char *name, struct container **ret_container,
		struct err *err)
{
	int r = name ? container_find(engine, name, CONTAINER_WITH_SPEC, ret_container, err) : 0;

	return r == -ENOENT ? err_set(err, ENOENT, "container \"%s\" does not exist", name) : r;
}

static void tell_skipped(const struct copy_result *result)
{
	if (result->skipped_devices)
		log_warn("devices left out, as they would be the host's there: %llu",
			 (unsigned long long)result->skipped_devices);
	if (result->skipped_sockets)
		log_warn("sockets left out, as nobody would listen there: %llu",
			 (unsigned long long)result->skipped_sockets);
}

static int cp(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct cp_args *args = arguments;
	autofree char *source_name = NULL;
	autofree char *destination_name = NULL;
	autocontainer struct container *source = NULL, *destination = NULL;
	const char *paths[2];
	const bool valid[2] = { parse_end(argv[0], &source_name, &paths[0]),
				parse_end(argv[1], &destination_name, &paths[1]) };
	struct copy_result result;
	struct engine *engine;

	(void)argc;
	int r = check((const char *const[]){ argv[0], argv[1] },
		      (char *const[]){ source_name, destination_name }, paths, valid, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find(engine, source_name, &source, err);
	if (r == 0)
		r = find(engine, destination_name, &destination, err);
	if (r < 0)
		return r;
	const struct copy_end from = { source, source_name, paths[0] };
	const struct copy_end to = { destination, destination_name, paths[1] };
	r = container_copy(engine, &from, &to,
			   (args->archive ? COPY_OWN : 0) | (args->overwrite ? COPY_REPLACE : 0),
			   &result, err);
	if (r == 0)
		tell_skipped(&result);
	return r < 0 ? r : EXIT_OK;
}

const struct command command_cp = {
	.names = "cp|container cp",
	.summary = "Copy files and directories between containers and the host",
	.description = "Containers need not run. A directory that ends in /. means what is in it; "
		       "- is a tar archive on standard input or output.",
	.examples = "davit cp site.conf web:/etc/nginx/conf.d/\n"
		    "davit cp web:/var/log/nginx ./logs\n"
		    "davit cp db:/dump/. backup:/dumps\n"
		    "davit cp web:/etc - | tar t",
	.operands = "[CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
	.min_operands = 2,
	.max_operands = 2,
	.complete = COMPLETE_CONTAINER_PATHS,
	.options = options,
	.args_size = sizeof(struct cp_args),
	.run = cp,
};
