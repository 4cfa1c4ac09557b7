/* state, list, ps: looking at containers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "oci-runtime/container.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"

#define JSON_STYLE                                                                                 \
	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static int state(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct container *container;

	int r = container_find(program, argv[0], 0, &container, err);
	if (r < 0)
		return r;
	autojson struct json_object *json = container_state(container);
	puts(json_object_to_json_string_ext(json, JSON_STYLE));
	container_free(container);
	return 0;
}

const struct verb verb_state = {
	.name = "state",
	.summary = "Print the state of a container as JSON",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.run = state,
};

/* ---- list ---- */

struct list_args {
	const char *format;
	bool quiet;
};

static const struct option_spec list_options[] = {
	{ "format", 'f', OPTION_CHOICE, offsetof(struct list_args, format), "FORMAT",
	  "How to print them", .choices = "table|json", .initial = "table" },
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct list_args, quiet), NULL, "Print names only" },
	OPTION_END,
};

static void print_row(struct json_object *entry)
{
	printf("%-20s %-8lld %-10s %-40s %-32s %s\n", json_get_string(entry, "id", ""),
	       (long long)json_get_int(entry, "pid", 0), json_get_string(entry, "status", ""),
	       json_get_string(entry, "bundle", ""), json_get_string(entry, "created", ""),
	       json_get_string(entry, "owner", ""));
}

static int list(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct list_args *args = arguments;
	autostrlist struct strlist names = STRLIST_EMPTY;
	autojson struct json_object *all = json_object_new_array();
	bool as_json = strcmp(args->format, "json") == 0;

	int r = container_names(program, &names, err);
	if (r < 0)
		return r;
	if (!args->quiet && !as_json)
		printf("%-20s %-8s %-10s %-40s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	for (size_t i = 0; i < names.count; i++) {
		struct container *container;
		struct err one;
		/* One that is damaged, or has just gone, does not keep the others from being seen. */
		r = container_find(program, names.items[i], 0, &container, &one);
		if (r < 0) {
			if (r != -ENOENT)
				log_warn("container '%s': %s", names.items[i], one.text);
			continue;
		}
		struct json_object *entry = container_state(container);
		container_free(container);
		json_object_array_add(all, entry);
		if (args->quiet)
			puts(names.items[i]);
		else if (!as_json)
			print_row(entry);
	}
	if (as_json && !args->quiet)
		puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

const struct verb verb_list = {
	.name = "list",
	.summary = "List containers",
	.operands = "",
	.max_operands = 0,
	.options = list_options,
	.args_size = sizeof(struct list_args),
	.run = list,
};

/* ---- ps ---- */

static const struct option_spec ps_options[] = {
	{ "format", 'f', OPTION_CHOICE, offsetof(struct list_args, format), "FORMAT",
	  "A table by ps(1), or process numbers as JSON", .choices = "table|json",
	  .initial = "table" },
	OPTION_END,
};

static int find_processes(const struct program *program, const char *id, pid_t **pids,
			  size_t *count, struct err *err)
{
	struct container *container;
	struct cgroup *cgroup;

	int r = container_find(program, id, 0, &container, err);
	if (r < 0)
		return r;
	r = container_open_cgroup(container, &cgroup, err);
	if (r == 0 && !cgroup)
		r = err_set(err, ENOTSUP,
			    "container '%s' has no control group to find its processes by", id);
	if (r == 0)
		r = cgroup_processes(cgroup, pids, count, err);
	cgroup_free(cgroup);
	container_free(container);
	return r;
}

static bool is_one_of(long pid, const pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The number is in the column whose head is "PID". */
static int print_lines_of(FILE *lines, const pid_t *pids, size_t count, struct err *err)
{
	autofree char *line = NULL;
	size_t size = 0, column = 0;
	bool is_found = false;

	if (getline(&line, &size, lines) < 0)
		return err_set(err, EIO, "ps(1) printed nothing");
	fputs(line, stdout);
	char *rest = line;
	for (char *word; (word = strsep(&rest, " \t\n"));) {
		if (!*word)
			continue;
		is_found = strcmp(word, "PID") == 0;
		if (is_found)
			break;
		column++;
	}
	if (!is_found)
		return err_set(err, EINVAL, "the options of ps(1) have to leave it a column PID");
	while (getline(&line, &size, lines) >= 0) {
		const char *at = line + strspn(line, " \t");
		for (size_t i = 0; i < column; i++) {
			at += strcspn(at, " \t");
			at += strspn(at, " \t");
		}
		if (is_one_of(strtol(at, NULL, 10), pids, count))
			fputs(line, stdout);
	}
	return 0;
}

static int print_by_ps(int argc, char **argv, const pid_t *pids, size_t count, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;
	int fds[2], status;

	strlist_add(&words, "ps");
	for (int i = 0; i < argc; i++)
		strlist_add(&words, argv[i]);
	if (argc == 0)
		strlist_add(&words, "-ef");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, "make a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) >= 0)
			execvp("ps", words.items);
		_exit(127);
	}
	close(fds[1]);
	FILE *lines = pid < 0 ? NULL : fdopen(fds[0], "re");
	int r = lines ? print_lines_of(lines, pids, count, err) : err_errno(err, "run ps(1)");
	if (lines)
		fclose(lines);
	if (pid > 0)
		(void)process_reap(pid, &status); /* what it had to say it has printed */
	return r;
}

static int ps(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct list_args *args = arguments;
	autofree pid_t *pids = NULL;
	size_t count = 0;

	int r = find_processes(program, argv[0], &pids, &count, err);
	if (r < 0)
		return r;
	if (strcmp(args->format, "json") != 0)
		return print_by_ps(argc - 1, argv + 1, pids, count, err);
	autojson struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_int64(pids[i]));
	puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN));
	return 0;
}

const struct verb verb_ps = {
	.name = "ps",
	.summary = "Show the processes of a container",
	.operands = "CONTAINER [PS-OPTION...]",
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.options = ps_options,
	.args_size = sizeof(struct list_args),
	.run = ps,
};
