#include "oci-runtime/program.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "oci/runtime-state.h"

#define EXIT_ERROR 1

#define FIELD(f) offsetof(struct program_globals, f)
static const struct option_spec global_options[] = {
	{ "root", 0, OPTION_STRING, FIELD(root), "DIR", "Where the states of containers are kept" },
	{ "log", 0, OPTION_STRING, FIELD(log), "FILE", "Write errors to this file, too" },
	{ "log-format", 0, OPTION_CHOICE, FIELD(log_format), "FORMAT",
	  "How errors are written there", .choices = "text|json", .initial = "text" },
	{ "log-level", 0, OPTION_CHOICE, FIELD(log_level), "LEVEL",
	  "What is told on standard error", .choices = "error|warning|info|debug",
	  .initial = "warning" },
	{ "debug", 0, OPTION_FLAG, FIELD(debug), NULL, "The same as --log-level debug" },
	{ "systemd-cgroup", 0, OPTION_FLAG, FIELD(systemd_cgroup), NULL,
	  "Let systemd make the control group; linux.cgroupsPath is then SLICE:PREFIX:NAME" },
	{ "cgroup-manager", 0, OPTION_CHOICE, FIELD(cgroup_manager), "MANAGER",
	  "Who makes control groups", .choices = "cgroupfs|systemd|disabled",
	  .initial = "cgroupfs" },
	{ "rootless", 0, OPTION_CHOICE, FIELD(rootless), "WHEN",
	  "Accepted for runc's sake; it is seen by itself", .choices = "true|false|auto",
	  .initial = "auto", .traits = OPTION_HIDDEN },
	{ "help", 'h', OPTION_FLAG, FIELD(help), NULL, "Show help" },
	{ "version", 'v', OPTION_FLAG, FIELD(version), NULL, "Show the version" },
	OPTION_END,
};

static const struct verb *const verbs[] = {
	&verb_create, &verb_delete, &verb_events, &verb_exec,  &verb_features,
	&verb_kill,   &verb_list,   &verb_pause,  &verb_ps,    &verb_resume,
	&verb_run,    &verb_spec,   &verb_start,  &verb_state, &verb_update,
};

/* ---- errors ---- */

static void log_to_file(const struct program_globals *globals, const char *text)
{
	struct timespec now;
	struct tm parts;
	char stamp[32];

	autoclose int fd = open(globals->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return; /* it is on standard error anyway */
	clock_gettime(CLOCK_REALTIME, &now);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now.tv_sec, &parts));
	autojson struct json_object *entry = json_object_new_object();
	json_add_string(entry, "level", "error");
	json_add_string(entry, "msg", text);
	json_add_string(entry, "time", stamp);
	autofree char *line =
		globals->log_format && strcmp(globals->log_format, "json") == 0
			? xasprintf("%s\n", json_object_to_json_string_ext(
						    entry, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE))
			: xasprintf("%s: error: %s\n", stamp, text);
	(void)fd_write_all(fd, line, strlen(line));
}

static int tell_error(const struct program *program, const struct err *err)
{
	fprintf(stderr, "Error: %s\n", err->text);
	if (program->globals.log && *program->globals.log)
		log_to_file(&program->globals, err->text);
	return EXIT_ERROR;
}

/* ---- help ---- */

static void print_options(const struct option_spec *options)
{
	struct option_walk walk;
	size_t base;

	options_walk_start(&walk, options);
	for (const struct option_spec *row; (row = options_walk_next(&walk, &base));) {
		char left[64];
		if (row->traits & OPTION_HIDDEN)
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s %s", row->short_name ? "-" : " ",
			 row->short_name ? row->short_name : ' ', row->short_name ? ", " : "  ",
			 row->name, row->metavar ? row->metavar : "");
		printf("  %-34s %s%s%s%s%s\n", left, row->help, row->choices ? " (" : "",
		       row->choices ? row->choices : "", row->choices ? ")" : "",
		       row->traits & OPTION_NEEDS_ROOT ? " (root only)" : "");
	}
}

static void print_help(void)
{
	printf("Usage: davit-runtime [OPTION...] COMMAND [ARG...]\n\n"
	       "Runs containers as the OCI runtime specification " OCI_RUNTIME_VERSION
	       " has it.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	printf("\nOptions:\n");
	print_options(global_options);
	printf("\ndavit-runtime COMMAND --help tells more; see also davit-runtime(8).\n");
}

static void print_verb_help(const struct verb *verb)
{
	printf("Usage: davit-runtime %s [OPTION...] %s\n\n%s.\n", verb->name, verb->operands,
	       verb->summary);
	if (verb->options) {
		printf("\nOptions:\n");
		print_options(verb->options);
	}
}

static void print_version(void)
{
	const struct scmp_version *seccomp = seccomp_version();

	printf("davit-runtime version " DAVIT_VERSION "\nspec: " OCI_RUNTIME_VERSION
	       "\nlibseccomp: %u.%u.%u\n",
	       seccomp->major, seccomp->minor, seccomp->micro);
}

/* ---- running ---- */

bool program_given(const struct program *program, const char *option)
{
	return options_given(&program->parser, option);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

/* Root's are in /run; a user's, also as root of a user namespace, where his session's files are. */
static char *default_root(void)
{
	const char *session = getenv("XDG_RUNTIME_DIR");
	bool is_root = geteuid() == 0 && access("/run", W_OK) == 0;

	if (is_root)
		return xstrdup("/run/davit-runtime");
	if (session && *session == '/')
		return xasprintf("%s/davit-runtime", session);
	return xasprintf("/tmp/davit-runtime-%u", (unsigned)getuid());
}

static int set_globals(struct program *program, struct err *err)
{
	const struct program_globals *globals = &program->globals;
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = { { "error", LOG_LEVEL_ERROR },
		       { "warning", LOG_LEVEL_WARN },
		       { "info", LOG_LEVEL_INFO } };

	log_set_level(LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < ARRAY_SIZE(levels) && !globals->debug; i++)
		if (strcmp(globals->log_level, levels[i].name) == 0)
			log_set_level(levels[i].level);
	if (globals->root && *globals->root != '/') {
		autofree char *here = getcwd(NULL, 0);
		if (!here)
			return err_errno(err, "current directory");
		program->root = xasprintf("%s/%s", here, globals->root);
	} else {
		program->root = globals->root ? xstrdup(globals->root) : default_root();
	}
	return 0;
}

static int run_verb(struct program *program, const struct verb *verb, int argc, char **argv,
		    struct err *err)
{
	autofree void *args = xcalloc(1, verb->args_size ? verb->args_size : 1);
	struct {
		bool help;
	} more = { false };
	static const struct option_spec more_options[] = {
		{ "help", 'h', OPTION_FLAG, 0, NULL, "Show help" },
		OPTION_END,
	};
	struct option_parser *parser = &program->parser;

	*parser = (struct option_parser){
		.sets = { { verb->options, args }, { more_options, &more } },
		.environment = program->environment,
		.stop_at_operand = verb->stop_at_operand,
	};
	int r = options_parse(parser, argc, argv, err);
	if (r >= 0 && more.help) {
		print_verb_help(verb);
	} else if (r >= 0) {
		int count = parser->operand_count;
		if (count < verb->min_operands)
			r = err_set(err, EINVAL,
				    "%s: %s missing; usage: davit-runtime %s [OPTION...] %s",
				    verb->name, count ? "an operand is" : "the container's name is",
				    verb->name, verb->operands);
		else if (verb->max_operands >= 0 && count > verb->max_operands)
			r = err_set(err, EINVAL, "%s: '%s' is one operand too many", verb->name,
				    parser->operands[verb->max_operands]);
		else
			r = verb->run(program, args, count, parser->operands, err);
	}
	options_clear(parser);
	return r;
}

int main(int argc, char **argv, char **environment)
{
	struct program program = { .environment = environment };
	struct option_parser globals = {
		.sets = { { global_options, &program.globals } },
		.stop_at_operand = true,
		.is_top = true,
	};
	struct err err = { 0 };
	int status = 0;

	int r = options_parse(&globals, argc - 1, argv + 1, &err);
	if (r >= 0 && program.globals.version) {
		print_version();
	} else if (r >= 0 && (program.globals.help || globals.operand_count == 0 ||
			      strcmp(globals.operands[0], "help") == 0)) {
		print_help();
		status = globals.operand_count == 0 && !program.globals.help ? EXIT_ERROR : 0;
	} else if (r >= 0) {
		const struct verb *verb = find_verb(globals.operands[0]);
		r = set_globals(&program, &err);
		if (r >= 0 && !verb)
			r = err_set(&err, EINVAL, "unknown command '%s'; see davit-runtime --help",
				    globals.operands[0]);
		if (r >= 0)
			r = run_verb(&program, verb, globals.operand_count - 1,
				     globals.operands + 1, &err);
		if (r > 0)
			status = r;
	}
	if (r < 0)
		status = tell_error(&program, &err);
	if (fflush(stdout) != 0) {
		err_errno(&err, "write to standard output");
		status = tell_error(&program, &err);
	}
	options_clear(&globals);
	free(program.root);
	return status;
}
