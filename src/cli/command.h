/* Commands, declared once: one file cmd-NAME.c per command, which exports one row. The dispatcher,
 * help, completion and the manual page test read the rows. A new command is a new file, a line in
 * commands.h and one in meson.build. A complete one:
 *
 *	// davit volume rm: removes named volumes.
 *	#include "cli/command.h"
 *
 *	#include "engine/volume.h"
 *
 *	struct volume_rm_args {
 *		bool force;
 *		int64_t timeout_usec;
 *		struct strlist filters;
 *	};
 *
 *	#define FIELD(f) offsetof(struct volume_rm_args, f)
 *	static const struct option_spec options[] = {
 *		{ "force", 'f', OPTION_FLAG, FIELD(force), NULL, "Remove the containers that use it" },
 *		{ "time", 't', OPTION_DURATION, FIELD(timeout_usec), "TIME",
 *		  "How long to wait before killing", .initial = "10s" },
 *		{ "filter", 0, OPTION_STRINGS, FIELD(filters), "KEY=VALUE", "Only those that match",
 *		  .choices = "label=|name=" },
 *		OPTION_END,
 *	};
 *
 *	static int volume_rm(struct cli *cli, void *arguments, int argc, char **argv,
 *			     struct err *err)
 *	{
 *		struct volume_rm_args *args = arguments;
 *		struct engine *engine;
 *		int status = EXIT_OK;
 *		int r = cli_engine(cli, &engine, err);
 *
 *		if (r < 0)
 *			return r;
 *		for (int i = 0; i < argc; i++) {
 *			r = volume_remove(engine, argv[i], args->force, err);
 *			if (r < 0)
 *				status = cli_report(err, r == -ENOENT ? EXIT_MISSING : EXIT_ENGINE);
 *			else
 *				puts(argv[i]);
 *		}
 *		return status;
 *	}
 *
 *	const struct command command_volume_rm = {
 *		.names = "volume rm|volume remove",
 *		.summary = "Remove volumes",
 *		.operands = "VOLUME...",
 *		.min_operands = 1,
 *		.max_operands = -1,
 *		.complete = COMPLETE_VOLUMES,
 *		.options = options,
 *		.args_size = sizeof(struct volume_rm_args),
 *		.run = volume_rm,
 *	};
 *
 * Results go to standard output through stdio; main() flushes it and reports a failed write.
 * Nothing in a command calls exit(): a child that must end calls _exit(). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "cli/exit.h"
#include "cli/options.h"

struct engine;

/* The options in front of the command. */
struct cli_globals {
	const char *root;    /* NULL: the default place */
	const char *runroot; /* NULL: the default place */
	const char *log_level;
	const char *cgroup_manager;
	const char *events_backend;
	const char *storage_driver; /* names the only one there is so far; others are refused */
	bool timing;
	bool help;
	bool version;
};

/* One invocation of davit. */
struct cli {
	struct cli_globals globals;
	char *const *environment;
	const struct command *command;
	struct option_parser parser; /* of the command's own words: for cli_given() */
	struct engine *engine;	     /* made by the first cli_engine() */
};

enum command_traits {
	COMMAND_HIDDEN = 1 << 0, /* works, but is in no list */
	COMMAND_RAW = 1 << 1, /* no option parsing at all: run() gets every word behind the name */
};

struct command {
	/* Every way to call it, the first one is its name: "ps|container ls|container list". The
	 * first words of longer names are groups, listed in commands.c. */
	const char *names;
	const char *summary;	 /* one line, imperative, no full stop */
	const char *description; /* more, for --help; may be NULL */
	const char *examples;	 /* lines, without indentation; may be NULL */
	const char *operands;	 /* usage behind the options: "IMAGE [COMMAND [ARG...]]"; or NULL */
	int min_operands;
	int max_operands; /* -1: any number */
	/* Options behind the first operand are not ours but the container's: run, create, exec */
	bool stop_at_operand;
	enum completion_source complete;      /* of the first operand, and of all … */
	enum completion_source complete_rest; /* … others; COMPLETE_NOTHING: as the first when
						  max_operands is not 1 */
	const char *operand_choices; /* "bash|zsh|fish": fixed words for the first operand */
	enum command_traits traits;
	const struct option_spec *options; /* ends with OPTION_END; or NULL */
	size_t args_size;		   /* of the struct behind the options' offsets */

	/* @args: zeroed, then filled by the options; its lists are cleared by the caller
	 * @argv: the operands, NULL-terminated, borrowed
	 *
	 * Returns the exit status, or negative with `err` set: it is printed as "Error: …" and the
	 * status is 125. */
	int (*run)(struct cli *cli, void *args, int argc, char **argv, struct err *err);
};

/* The engine of this invocation, opened at the first call; closed by cli_main(). */
int cli_engine(struct cli *cli, struct engine **ret_engine, struct err *err);
void cli_close_engine(struct cli *cli);

/* Was the option on the command line? For fields whose zero is a value of its own. */
bool cli_given(const struct cli *cli, const char *option_name);

/* Print "Error: TEXT" on standard error and return `status`: for commands that go on with their
 * next operand, or end with a status other than 125. */
int cli_report(const struct err *err, enum exit_status status);
int cli_error(enum exit_status status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ask on standard error before removing, read "y" or "yes" from standard input. Returns 1 or 0; that there is no answer is
 * an error. */
int cli_confirm(const char *question, struct err *err);

/* The whole of it: parse, find the command, run it. Returns the exit status. */
int cli_main(int argc, char **argv, char *const *environment);
