/* davit secret create: keeps a value under a name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cli/command.h"
#include "engine/engine.h"
#include "engine/secret.h"

struct secret_create_args {
	const char *driver;
	bool env, ignore, replace;
	struct strlist driver_options, labels;
};

#define FIELD(f) offsetof(struct secret_create_args, f)
static const struct option_spec options[] = {
	{ "driver", 'd', OPTION_CHOICE, FIELD(driver), "DRIVER", "Who keeps it",
	  .choices = "file|pass|shell", .initial = "file" },
	{ "driver-opts", 0, OPTION_STRINGS, FIELD(driver_options), "KEY=VALUE",
	  "Option of the driver, such as path=DIRECTORY", OPTION_COMMAS },
	{ "env", 0, OPTION_FLAG, FIELD(env), NULL,
	  "The second word names a variable that holds the value" },
	{ "ignore", 0, OPTION_FLAG, FIELD(ignore), NULL, "One that is there already is no error" },
	{ "label", 'l', OPTION_STRINGS, FIELD(labels), "KEY=VALUE", "Label to give it" },
	{ "replace", 0, OPTION_FLAG, FIELD(replace), NULL,
	  "One that is there already gets the new value" },
	OPTION_END,
};

/* "-": standard input, which has to come from somewhere: nobody wants to type a secret in plain sight. */
static int read_file(const char *path, struct strbuf *value, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;

	if (is_stdin && isatty(STDIN_FILENO))
		return err_set(
			err, EINVAL,
			"standard input is a terminal; pass the value by a pipe, or name a file");
	autoclose int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, "open '%s'", path);
	int r = fd_read_all(fd, value, SECRET_SIZE_LIMIT);
	if (r == -EFBIG)
		return err_set(err, EFBIG,
			       "'%s' is too large for a secret; it has to have less than %d bytes",
			       path, SECRET_SIZE_LIMIT);
	errno = -r;
	return r < 0 ? err_errno(err, "read '%s'", path) : 0;
}

static int read_value(const struct engine *engine, const struct secret_create_args *args,
		      const char *word, struct strbuf *value, struct err *err)
{
	if (!args->env)
		return read_file(word, value, err);
	const char *text = engine_getenv(engine, word);
	if (!text)
		return err_set(err, ENOENT, "environment variable %s is not set; export it first",
			       word);
	strbuf_adds(value, text);
	return 0;
}

static int secret_create_command(struct cli *cli, void *arguments, int argc, char **argv,
				 struct err *err)
{
	struct secret_create_args *args = arguments;
	autosecret struct secret *secret = NULL;
	struct strbuf value = STRBUF_EMPTY;
	struct engine *engine;

	if (args->ignore && args->replace)
		return err_set(err, EINVAL,
			       "--ignore and --replace contradict each other; give one of them");
	int r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = secret_check_driver(engine, args->driver, &args->driver_options, err);
	if (r == 0 && args->ignore && secret_find(engine, argv[0], &secret, err) == 0 &&
	    strcmp(secret->name, argv[0]) == 0) {
		puts(secret->id);
		return EXIT_OK;
	}
	if (r == 0)
		r = read_value(engine, args, argv[1], &value, err);
	if (r == 0) {
		struct secret_request request = {
			.name = argv[0],
			.driver = args->driver,
			.data = value.data,
			.size = value.size,
			.options = &args->driver_options,
			.labels = &args->labels,
			.replace = args->replace,
		};
		secret_free(take_ptr(&secret));
		r = secret_create(engine, &request, &secret, err);
	}
	if (value.size)
		explicit_bzero(value.data, value.size);
	strbuf_clear(&value);
	if (r < 0)
		return r;
	puts(secret->id);
	return EXIT_OK;
}

const struct command command_secret_create = {
	.names = "secret create",
	.summary = "Make a secret",
	.description = "The value is read from FILE, from standard input (-), or with --env from "
		       "the variable of that name.",
	.examples = "davit secret create password ./password.txt\n"
		    "pwgen 20 1 | davit secret create password -\n"
		    "davit run --secret password postgres",
	.operands = "NAME FILE|-",
	.min_operands = 2,
	.max_operands = 2,
	.complete = COMPLETE_NOTHING,
	.complete_rest = COMPLETE_FILES,
	.options = options,
	.args_size = sizeof(struct secret_create_args),
	.run = secret_create_command,
};
