/* davit-runtime: the OCI runtime specification's command line, as runc and crun have it, over the runtime's library.
 *
 * A verb is a file cmd-NAME.c with one row; the tables of options are those of davit (cli/options.h). Where runc and crun
 * agree on a flag or an output, that is ours, because engines depend on it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"

/* The options in front of the verb. */
struct program_globals {
	const char *root;
	const char *log, *log_format, *log_level;
	bool debug;
	bool systemd_cgroup;
	const char *cgroup_manager;
	const char *rootless;
	bool help, version;
};

struct program {
	struct program_globals globals;
	char *root; /* where the containers' states are, absolute; made when first needed */
	char *const *environment;
	struct option_parser parser; /* of the verb's words */
};

struct verb {
	const char *name;
	const char *summary;
	const char *operands;		/* "CONTAINER" */
	int min_operands, max_operands; /* max -1: any number */
	bool stop_at_operand;
	const struct option_spec *options;
	size_t args_size;

	/* Returns the exit status, or negative with `err` set: then it is told as an error and the status is 1. */
	int (*run)(struct program *program, void *args, int argc, char **argv, struct err *err);
};

extern const struct verb verb_create, verb_delete, verb_events, verb_exec, verb_features, verb_kill,
	verb_list, verb_pause, verb_ps, verb_resume, verb_run, verb_spec, verb_start, verb_state,
	verb_update;

/* Whether the verb's option was on the command line. */
bool program_given(const struct program *program, const char *option);
