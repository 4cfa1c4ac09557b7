/* davit top: the processes of a container, in the words of ps(1). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "base/table.h"
#include "cli/command.h"
#include "cli/container-operands.h"
#include "engine/container-processes.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/process-info.h"

struct top_args {
	bool latest;
};

#define FIELD(f) offsetof(struct top_args, f)
static const struct option_spec options[] = {
	{ "latest", 'l', OPTION_FLAG, FIELD(latest), NULL, "The container that was made last" },
	OPTION_END,
};

/* ---- columns ---- */

typedef char *cell(const struct process_info *info, const struct id_names *names);

static char *cell_arguments(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return xstrdup(info->arguments);
}

static char *cell_name(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return xstrdup(info->name);
}

static char *cell_user(const struct process_info *info, const struct id_names *names)
{
	return id_names_user(names, info->uid);
}

static char *cell_group(const struct process_info *info, const struct id_names *names)
{
	return id_names_group(names, info->gid);
}

/* "1h2m3s", as Go writes durations. */
static char *seconds_text(uint64_t usec)
{
	uint64_t seconds = usec / 1000000;

	if (seconds >= 3600)
		return xasprintf("%" PRIu64 "h%" PRIu64 "m%" PRIu64 "s", seconds / 3600,
				 seconds / 60 % 60, seconds % 60);
	if (seconds >= 60)
		return xasprintf("%" PRIu64 "m%" PRIu64 "s", seconds / 60, seconds % 60);
	return xasprintf("%" PRIu64 "s", seconds);
}

static char *cell_elapsed(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return seconds_text(info->elapsed_usec);
}

static char *cell_time(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return seconds_text(info->cpu_usec);
}

static char *cell_cpu(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return xasprintf("%.3f", info->elapsed_usec ? 100.0 * (double)info->cpu_usec /
							      (double)info->elapsed_usec
						    : 0.0);
}

static char *cell_tty(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	if (info->tty_major >= 136 && info->tty_major <= 143)
		return xasprintf("pts/%d", (info->tty_major - 136) * 256 + info->tty_minor);
	return info->tty_major ? xasprintf("%d:%d", info->tty_major, info->tty_minor)
			       : xstrdup("?");
}

static char *cell_state(const struct process_info *info, const struct id_names *names)
{
	(void)names;
	return xasprintf("%c", info->state);
}

static char *cell_seccomp(const struct process_info *info, const struct id_names *names)
{
	static const char *const modes[] = { "disabled", "strict", "filter" };

	(void)names;
	return xstrdup(info->seccomp >= 0 && info->seccomp < 3 ? modes[info->seccomp] : "?");
}

#define NUMBER_CELL(name, type, expression)                                                        \
	static char *cell_##name(const struct process_info *info, const struct id_names *names)    \
	{                                                                                          \
		(void)names;                                                                       \
		return xasprintf(type, expression);                                                \
	}
NUMBER_CELL(pid, "%d", (int)info->pid)
NUMBER_CELL(ppid, "%d", (int)info->ppid)
NUMBER_CELL(pgid, "%d", (int)info->pgid)
NUMBER_CELL(host_pid, "%d", (int)info->host_pid)
NUMBER_CELL(host_user, "%u", info->host_uid)
NUMBER_CELL(host_group, "%u", info->host_gid)
NUMBER_CELL(nice, "%" PRId64, info->nice)
NUMBER_CELL(resident, "%" PRIu64, info->resident_bytes / 1024)
NUMBER_CELL(virtual_size, "%" PRIu64, info->virtual_bytes / 1024)

static const struct column {
	const char *names; /* "user|%U" */
	const char *heading;
	cell *make;
} columns[] = {
	{ "args|%a", "COMMAND", cell_arguments },
	{ "comm|%c", "COMMAND", cell_name },
	{ "etime|%t", "ELAPSED", cell_elapsed },
	{ "group|%G", "GROUP", cell_group },
	{ "hgroup", "HGROUP", cell_host_group },
	{ "hpid", "HPID", cell_host_pid },
	{ "huser", "HUSER", cell_host_user },
	{ "nice|%n", "NI", cell_nice },
	{ "pcpu|%C", "%CPU", cell_cpu },
	{ "pgid|%r", "PGID", cell_pgid },
	{ "pid|%p", "PID", cell_pid },
	{ "ppid|%P", "PPID", cell_ppid },
	{ "rss", "RSS", cell_resident },
	{ "seccomp", "SECCOMP", cell_seccomp },
	{ "state", "STATE", cell_state },
	{ "time|%x", "TIME", cell_time },
	{ "tty|%y", "TTY", cell_tty },
	{ "user|%u", "USER", cell_user },
	{ "vsz|%z", "VSZ", cell_virtual_size },
};

static const char defaults[] = "user,pid,ppid,pcpu,etime,tty,time,args";

static const struct column *find_column(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		autostrlist struct strlist names = STRLIST_EMPTY;
		strlist_split(&names, columns[i].names, '|');
		if (strlist_contains(&names, word))
			return &columns[i];
	}
	return NULL;
}

static int parse_columns(int argc, char **argv, const struct column **chosen, size_t max,
			 size_t *ret_count, struct err *err)
{
	autostrlist struct strlist words = STRLIST_EMPTY;

	for (int i = 0; i < argc; i++)
		strlist_split(&words, argv[i], ',');
	if (argc == 0)
		strlist_split(&words, defaults, ',');
	if (words.count > max)
		return err_set(err, EINVAL, "too many columns; give at most %zu", max);
	for (size_t i = 0; i < words.count; i++) {
		chosen[i] = find_column(words.items[i]);
		if (!chosen[i])
			return err_set(
				err, EINVAL,
				"unknown column '%s'; known are args, comm, etime, group, hgroup, "
				"hpid, huser, nice, pcpu, pgid, pid, ppid, rss, seccomp, state, "
				"time, tty, user and vsz",
				words.items[i]);
	}
	*ret_count = words.count;
	return 0;
}

/* ---- the table ---- */

/* Tabs and lines make the table, and whatever moves a cursor is not shown. */
static void add_cell(struct strbuf *table, const char *text, bool is_last)
{
	for (const char *at = text; *at; at++)
		strbuf_addc(table, (unsigned char)*at < ' ' || *at == 127 ? '?' : *at);
	strbuf_addc(table, is_last ? '\n' : '\t');
}

static void add_process(struct strbuf *table, pid_t pid, const struct id_names *names,
			const struct column *const *chosen, size_t count)
{
	struct process_info info;

	if (!process_info_read(pid, names, &info))
		return; /* it has just ended */
	for (size_t i = 0; i < count; i++) {
		autofree char *text = chosen[i]->make(&info, names);
		add_cell(table, text, i + 1 == count);
	}
	process_info_clear(&info);
}

static int top(struct cli *cli, void *arguments, int argc, char **argv, struct err *err)
{
	const struct top_args *args = arguments;
	autocontainer struct container *container = NULL;
	autostrbuf struct strbuf table = STRBUF_EMPTY;
	const struct column *chosen[32];
	autofree pid_t *pids = NULL;
	size_t count = 0, columns_count = 0;
	struct engine *engine;
	int names_count = args->latest ? 0 : 1;

	if (argc < names_count)
		return err_set(err, EINVAL, "name a container, or give --latest");
	int r = parse_columns(argc - names_count, argv + names_count, chosen, ARRAY_SIZE(chosen),
			      &columns_count, err);
	if (r == 0)
		r = cli_engine(cli, &engine, err);
	if (r == 0)
		r = find_container_or_latest(engine, args->latest ? NULL : argv[0],
					     CONTAINER_WITH_SPEC, &container, err);
	if (r == 0)
		r = container_processes(engine, container, &pids, &count, err);
	if (r < 0)
		return r;
	struct id_names *names = id_names_new(container->run.pid);
	for (size_t i = 0; i < columns_count; i++)
		add_cell(&table, chosen[i]->heading, i + 1 == columns_count);
	for (size_t i = 0; i < count; i++)
		add_process(&table, pids[i], names, chosen, columns_count);
	id_names_free(names);
	table_print(strbuf_text(&table), stdout);
	return EXIT_OK;
}

const struct command command_top = {
	.names = "top|container top",
	.summary = "Show the processes of a container",
	.examples = "davit top web\ndavit top web pid,user,rss,args",
	.operands = "CONTAINER [COLUMN...]",
	.min_operands = 0,
	.max_operands = -1,
	.complete = COMPLETE_RUNNING,
	.complete_rest = COMPLETE_NOTHING,
	.options = options,
	.args_size = sizeof(struct top_args),
	.run = top,
};
