#include "engine/container-processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "engine/container-cgroup.h"
#include "engine/container-spec.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "kernel/cgroup.h"

#define MAX_PROC_FILE (1 << 20)

/* A file of /proc/PID. -errno if the process is gone or not ours to look at. */
static int read_proc(pid_t pid, const char *file, struct strbuf *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_read_all(fd, text, MAX_PROC_FILE);
}

/* The fields of /proc/PID/stat from the third one on; see proc(5). */
static bool read_stat(pid_t pid, uint64_t *fields, size_t count)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (read_proc(pid, "stat", &text) < 0)
		return false;
	const char *at = strrchr(strbuf_text(&text), ')');
	at = at ? strchr(at + 2, ' ') : NULL; /* behind the state's letter */
	for (size_t i = 0; at && i < count; i++) {
		char *end;
		fields[i] = strtoull(at, &end, 10);
		at = end == at ? NULL : end;
	}
	return at != NULL;
}

/* Indexes of those fields: field N of proc(5) is at N - 4. */
enum {
	STAT_PPID = 0,
	STAT_UTIME = 10,
	STAT_STIME,
	STAT_CUTIME,
	STAT_CSTIME,
	STAT_RSS = 20,
	STAT_COUNT
};

/* ---- who they are ---- */

struct candidates {
	pid_t *pids;
	size_t count;
};

static void add_pid(struct candidates *list, pid_t pid)
{
	list->pids = xreallocarray(list->pids, list->count + 1, sizeof(*list->pids));
	list->pids[list->count++] = pid;
}

static bool has_pid(const struct candidates *list, pid_t pid)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

static bool same_namespace(pid_t pid, const char *wanted)
{
	char path[48], name[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	ssize_t n = readlink(path, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	return n > 0 && strcmp(name, wanted) == 0;
}

static int compare_pids(const void *left, const void *right)
{
	return *(const pid_t *)left < *(const pid_t *)right ? -1 : 1;
}

static int scan_processes(pid_t init, bool by_namespace, struct candidates *list, struct err *err)
{
	struct candidates all = { 0 };
	char path[48], wanted[64];
	int64_t number;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
	ssize_t n = readlink(path, wanted, sizeof(wanted) - 1);
	wanted[n > 0 ? n : 0] = '\0';
	DIR *dir = opendir("/proc");
	if (!dir)
		return err_errno(err, "read '/proc'");
	for (struct dirent *entry; (entry = readdir(dir));)
		if (number_parse(entry->d_name, 1, INT_MAX, &number) == 0)
			add_pid(&all, (pid_t)number);
	closedir(dir);
	add_pid(list, init);
	/* Children may have lower numbers than their parents: until nothing is found any more. */
	for (bool found = true; found;) {
		found = false;
		for (size_t i = 0; i < all.count; i++) {
			uint64_t ppid;
			if (all.pids[i] == 0 || all.pids[i] == init)
				continue;
			bool belongs = by_namespace ? same_namespace(all.pids[i], wanted)
						    : read_stat(all.pids[i], &ppid, 1) &&
							      has_pid(list, (pid_t)ppid);
			if (!belongs)
				continue;
			add_pid(list, all.pids[i]);
			all.pids[i] = 0;
			found = !by_namespace;
		}
	}
	free(all.pids);
	return 0;
}

static int open_group(struct engine *engine, const struct container *container,
		      struct container_spec **ret_spec, struct cgroup **ret_cgroup, struct err *err)
{
	if (container->state != CONTAINER_RUNNING)
		return err_set(err, ESRCH,
			       "container '%s' is not running; start it with 'davit start %s'",
			       container->name, container->name);
	int r = container_spec_of(container, ret_spec, err);
	if (r == 0)
		r = container_cgroup_open(engine, container, *ret_spec, ret_cgroup, err);
	return r == -ENOENT ? 0 : r;
}

int container_processes(struct engine *engine, const struct container *container, pid_t **ret_pids,
			size_t *ret_count, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autocgroup struct cgroup *cgroup = NULL;
	struct candidates list = { 0 };

	int r = open_group(engine, container, &spec, &cgroup, err);
	if (r < 0)
		return r;
	bool is_host = spec->pid_mode && *spec->pid_mode && strcmp(spec->pid_mode, "private") != 0;
	r = cgroup ? cgroup_processes(cgroup, &list.pids, &list.count, err)
		   : scan_processes(container->run.pid, !is_host, &list, err);
	if (r < 0) {
		free(list.pids);
		return r;
	}
	if (list.count)
		qsort(list.pids, list.count, sizeof(*list.pids), compare_pids);
	*ret_pids = list.pids;
	*ret_count = list.count;
	return 0;
}

/* ---- commands of exec ---- */

/* The word behind --exec-id among the words of its command line. */
static void add_exec_id(pid_t monitor, const char *container_id, struct strlist *ids)
{
	autostrbuf struct strbuf line = STRBUF_EMPTY;
	bool is_ours = false, is_next = false;

	if (read_proc(monitor, "cmdline", &line) < 0 || !line.size)
		return;
	const char *end = strbuf_text(&line) + line.size;
	for (const char *word = strbuf_text(&line); word < end; word += strlen(word) + 1) {
		if (is_next && is_ours && !strlist_contains(ids, word))
			strlist_add(ids, word);
		is_next = strcmp(word, "--exec-id") == 0;
		is_ours |= strcmp(word, container_id) == 0;
	}
}

void container_exec_ids(struct engine *engine, const struct container *container,
			struct strlist *ids)
{
	struct err ignored; /* it has ended */
	struct candidates all = { 0 };
	uint64_t parent;

	if (!container_is_alive(container) ||
	    container_processes(engine, container, &all.pids, &all.count, &ignored) < 0)
		return;
	for (size_t i = 0; i < all.count; i++)
		if (read_stat(all.pids[i], &parent, 1) && !has_pid(&all, (pid_t)parent))
			add_exec_id((pid_t)parent, container->id, ids);
	free(all.pids);
}

/* ---- what they use ---- */

static uint64_t number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Those that ended count with their parents as far as these have waited for them. */
static void add_up(const pid_t *pids, size_t count, struct cgroup_statistics *sum)
{
	const uint64_t tick_usec = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK),
		       page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	struct cgroup_statistics total = { 0 };

	for (size_t i = 0; i < count; i++) {
		autostrbuf struct strbuf io = STRBUF_EMPTY;
		uint64_t stat[STAT_COUNT];
		if (!read_stat(pids[i], stat, STAT_COUNT))
			continue;
		total.cpu_user_usec += (stat[STAT_UTIME] + stat[STAT_CUTIME]) * tick_usec;
		total.cpu_system_usec += (stat[STAT_STIME] + stat[STAT_CSTIME]) * tick_usec;
		total.memory_bytes += stat[STAT_RSS] * page_bytes;
		total.pids++;
		if (!sum->has_io && read_proc(pids[i], "io", &io) == 0) {
			sum->read_bytes += number_behind(strbuf_text(&io), "\nread_bytes: ");
			sum->write_bytes += number_behind(strbuf_text(&io), "\nwrite_bytes: ");
		}
	}
	if (!sum->has_cpu) {
		sum->cpu_user_usec = total.cpu_user_usec;
		sum->cpu_system_usec = total.cpu_system_usec;
		sum->cpu_usec = total.cpu_user_usec + total.cpu_system_usec;
	}
	if (!sum->has_memory)
		sum->memory_bytes = total.memory_bytes;
	if (!sum->has_pids)
		sum->pids = total.pids;
}

int container_statistics(struct engine *engine, const struct container *container,
			 struct cgroup_statistics *ret_statistics, struct err *err)
{
	autocontainer_spec struct container_spec *spec = NULL;
	autocgroup struct cgroup *cgroup = NULL;
	struct cgroup_statistics statistics = {
		.memory_limit_bytes = UINT64_MAX,
		.pids_limit = UINT64_MAX,
	};
	autofree pid_t *pids = NULL;
	size_t count;

	int r = open_group(engine, container, &spec, &cgroup, err);
	if (r < 0)
		return r;
	if (cgroup)
		cgroup_read_statistics(cgroup, &statistics);
	if (!statistics.has_cpu || !statistics.has_memory || !statistics.has_pids ||
	    !statistics.has_io) {
		r = container_processes(engine, container, &pids, &count, err);
		if (r < 0)
			return r;
		add_up(pids, count, &statistics);
	}
	*ret_statistics = statistics;
	return 0;
}

/* Of numbers with blanks in front. */
static uint64_t nth_number(const char *text, unsigned index)
{
	uint64_t number = 0;
	char *end;

	for (unsigned i = 0; i <= index; i++, text = end)
		number = strtoull(text, &end, 10);
	return number;
}

void container_network_statistics(const struct container *container,
				  struct network_statistics *ret_statistics)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	char own[64] = "", its[64] = "", path[48];

	*ret_statistics = (struct network_statistics){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)container->run.pid);
	if (readlink("/proc/self/ns/net", own, sizeof(own) - 1) < 0 ||
	    readlink(path, its, sizeof(its) - 1) < 0 || strcmp(own, its) == 0)
		return;
	if (read_proc(container->run.pid, "net/dev", &text) < 0)
		return;
	ret_statistics->has_any = true;
	/* "  eth0: bytes packets errs drop fifo frame compressed multicast bytes …", after two lines of headings */
	for (const char *line = strbuf_text(&text); line && *line;) {
		const char *colon = strchr(line, ':'), *end = strchrnul(line, '\n');
		line += strspn(line, " ");
		if (colon && colon < end && strncmp(line, "lo:", 3) != 0) {
			ret_statistics->received_bytes += nth_number(colon + 1, 0);
			ret_statistics->sent_bytes += nth_number(colon + 1, 8);
		}
		line = *end ? end + 1 : NULL;
	}
}
