/* What is asked of a group with processes in it: who they are, what they have used, other limits. */
#include "kernel/cgroup-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define MAX_DEPTH 64 /* of groups a container has made inside its own */

/* ---- numbers in files ---- */

bool cgroup_read_number(int dir_fd, const char *file, uint64_t *ret_number)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	char *end;

	if (cgroup_read(dir_fd, file, &text) < 0)
		return false;
	if (strcmp(strbuf_text(&text), "max\n") == 0) {
		*ret_number = UINT64_MAX;
		return true;
	}
	unsigned long long number = strtoull(strbuf_text(&text), &end, 10);
	if (end == strbuf_text(&text))
		return false;
	*ret_number = number;
	return true;
}

bool cgroup_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret_number)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	size_t size = strlen(key);

	if (cgroup_read(dir_fd, file, &text) < 0)
		return false;
	for (const char *line = strbuf_text(&text); line && *line;) {
		if (strncmp(line, key, size) == 0 && line[size] == ' ') {
			*ret_number = strtoull(line + size + 1, NULL, 10);
			return true;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

/* ---- processes ---- */

struct pid_list {
	pid_t *items;
	size_t count, capacity;
};

static void add_processes(const char *text, struct pid_list *list)
{
	for (char *end; *text; text = *end ? end + 1 : end) {
		long pid = strtol(text, &end, 10);
		if (end == text)
			return;
		if (pid <= 0)
			continue; /* of a process namespace that we do not see */
		if (list->count == list->capacity) {
			list->capacity = list->capacity ? list->capacity * 2 : 64;
			list->items =
				xreallocarray(list->items, list->capacity, sizeof(*list->items));
		}
		list->items[list->count++] = (pid_t)pid;
	}
}

static int collect(int dir_fd, unsigned depth, struct pid_list *list)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = cgroup_read(dir_fd, "cgroup.procs", &text);
	if (r < 0 && r != -EOPNOTSUPP) /* that one has threads only */
		return r;
	add_processes(strbuf_text(&text), list);
	int fd = depth ? openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		autoclose int child_fd = openat(dir_fd, entry->d_name,
						O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child_fd >= 0)
			(void)collect(child_fd, depth - 1, list); /* it may just be ending */
	}
	closedir(dir);
	return 0;
}

int cgroup_processes(const struct cgroup *group, pid_t **ret_pids, size_t *ret_count,
		     struct err *err)
{
	struct pid_list list = { 0 };

	int r = collect(group->directories[0].fd, MAX_DEPTH, &list);
	if (r < 0) {
		free(list.items);
		errno = -r;
		return err_errno(err, "read the processes of control group '%s'",
				 group->directories[0].path);
	}
	*ret_pids = list.items;
	*ret_count = list.count;
	return 0;
}

/* ---- the rest is the hierarchies' ---- */

int cgroup_update(struct cgroup *group, const struct cgroup_resources *resources, struct err *err)
{
	return group->ops->update(group, resources, err);
}

void cgroup_read_statistics(const struct cgroup *group, struct cgroup_statistics *ret_statistics)
{
	*ret_statistics = (struct cgroup_statistics){
		.memory_limit_bytes = UINT64_MAX,
		.pids_limit = UINT64_MAX,
	};
	group->ops->read_statistics(group, ret_statistics);
}

bool cgroup_is_frozen(const struct cgroup *group)
{
	for (size_t i = 0; i < group->count; i++) {
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		int fd = group->directories[i].fd;
		if (cgroup_read(fd, "freezer.state", &text) == 0 &&
		    strncmp(strbuf_text(&text), "FR", 2) == 0) /* FROZEN, FREEZING */
			return true;
		strbuf_reset(&text);
		if (cgroup_read(fd, "cgroup.events", &text) == 0 &&
		    strstr(strbuf_text(&text), "frozen 1"))
			return true;
	}
	return false;
}
