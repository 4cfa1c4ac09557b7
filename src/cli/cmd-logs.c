/* davit logs: shows what containers have written. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/command.h"
#include "engine/container.h"
#include "engine/log-driver.h"
#include "monitor/logs.h"

struct logs_args {
	bool color, follow, names, timestamps, latest;
	int64_t tail;
	const char *since, *until;
};

#define FIELD(f) offsetof(struct logs_args, f)
static const struct option_spec options[] = {
	{ "color", 0, OPTION_FLAG, FIELD(color), NULL,
	  "Each container's lines in a color of their own" },
	{ "follow", 'f', OPTION_FLAG, FIELD(follow), NULL, "Go on until the container ends" },
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	{ "names", 'n', OPTION_FLAG, FIELD(names), NULL,
	  "Begin each line with the container's name" },
	{ "since", 0, OPTION_STRING, FIELD(since), "TIME",
	  "From this moment on; a time or a duration such as 10m" },
	{ "tail", 0, OPTION_INT, FIELD(tail), "LINES", "Only the last lines; -1: all",
	  .initial = "-1" },
	{ "timestamps", 't', OPTION_FLAG, FIELD(timestamps), NULL,
	  "Begin each line with its time" },
	{ "until", 0, OPTION_STRING, FIELD(until), "TIME", "Up to this moment" },
	OPTION_END,
};

/* One container's part of struct logs_source, owned. */
struct source {
	char *path, *id, *prefix, *run_dir;
};

static void sources_clear(struct source *sources, int count)
{
	for (int i = 0; i < count; i++) {
		free(sources[i].path);
		free(sources[i].id);
		free(sources[i].prefix);
		free(sources[i].run_dir);
	}
	free(sources);
}

enum prefix { PREFIX_NONE, PREFIX_ID, PREFIX_NAME };

static int find_source(struct engine *engine, const char *word, enum prefix prefix,
		       struct source *source, struct err *err)
{
	autocontainer struct container *container = NULL;
	autocontainer_spec struct container_spec *spec = NULL;

	int r = container_find(engine, word, CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_settle(engine, container, err);
	if (r == 0)
		r = container_spec_of(container, &spec, err);
	if (r < 0)
		return r;
	if (!log_driver_is_file(spec) && !log_driver_is(spec, "journald"))
		return err_set(err, ENOTSUP,
			       "container '%s' keeps no log: it was made with --log-driver %s",
			       container->name, spec->log_driver);
	autofree char *directory = container_directory(engine, container->id);
	if (log_driver_is_file(spec))
		source->path = log_driver_path(spec, directory);
	source->id = xstrdup(container->id);
	if (prefix != PREFIX_NONE)
		source->prefix = prefix == PREFIX_NAME ? xstrdup(container->name)
						       : xstrndup(container->id, 12);
	if (container_is_alive(container) || container->state == CONTAINER_RESTARTING)
		source->run_dir = container_run_directory(engine, container->id);
	return 0;
}

static int read_time(const char *text, int64_t *ret_nsec, struct err *err)
{
	int64_t usec;

	if (!text)
		return 0;
	int r = timestamp_parse(text, timestamp_now_usec(), &usec, err);
	if (r == 0)
		*ret_nsec = usec * 1000;
	return r;
}

/* In podman's order. */
static const char *const colors[] = { "\033[37m", "\033[31m", "\033[33m", "\033[34m",
				      "\033[35m", "\033[36m", "\033[32m" };

static int logs(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct logs_args *args = arguments;
	struct logs_options how = {
		.flags =
			(args->timestamps ? LOGS_TIMESTAMPS : 0) | (args->follow ? LOGS_FOLLOW : 0),
		.tail = args->tail,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
	};
	autocontainer struct container *latest = NULL;
	struct engine *engine;

	if (args->latest == (argc > 0))
		return err_set(err, EINVAL,
			       "name one or more containers, or give --latest instead");
	int r = cli_engine(cli, &engine, err);
	if (r == 0 && args->latest)
		r = container_find_latest(engine, 0, &latest, err);
	if (latest) {
		argv = &latest->id;
		argc = 1;
	}
	if (r == 0)
		r = read_time(args->since, &how.since_nsec, err);
	if (r == 0)
		r = read_time(args->until, &how.until_nsec, err);
	if (r < 0)
		return r;
	struct source *found = xcalloc((size_t)argc, sizeof(*found));
	autofree struct logs_source *sources = xcalloc((size_t)argc, sizeof(*sources));
	for (int i = 0; r == 0 && i < argc; i++) {
		r = find_source(engine, argv[i],
				args->names ? PREFIX_NAME
				: argc > 1  ? PREFIX_ID
					    : PREFIX_NONE,
				&found[i], err);
		sources[i] = (struct logs_source){
			.path = found[i].path,
			.journal_id = found[i].id,
			.run_dir = found[i].run_dir,
			.prefix = found[i].prefix,
			.color = args->color ? colors[(size_t)i % ARRAY_SIZE(colors)] : NULL
		};
	}
	if (r == 0) {
		r = logs_read(sources, (size_t)argc, &how, err);
		/* No log yet: it was never started. A reader that has seen enough is no failure of
		 * ours. */
		if (r == -ENOENT || r == -EPIPE)
			r = EXIT_OK;
	}
	sources_clear(found, argc);
	return r;
}

const struct command command_logs = {
	.names = "logs|container logs",
	.summary = "Show what containers have written",
	.examples = "davit logs -f --tail 20 web\ndavit logs --since 10m -t web",
	.operands = "[CONTAINER...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_CONTAINERS,
	.options = options,
	.args_size = sizeof(struct logs_args),
	.run = logs,
};
