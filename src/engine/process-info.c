#include "engine/process-info.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "kernel/mount.h"

#define MAX_FILE (1 << 20)

static bool read_proc(pid_t pid, const char *file, struct strbuf *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && fd_read_all(fd, text, MAX_FILE) == 0;
}

/* `count` numbers with blanks in front. */
static bool take_numbers(const char *text, uint64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *end;
		numbers[i] = strtoull(text, &end, 10);
		if (end == text)
			return false;
		text = end;
	}
	return true;
}

/* ---- names ---- */

struct extent {
	uint32_t inside, outside, count;
};

struct id_map {
	struct extent extents[340];
	size_t count;
};

struct id_names {
	struct id_map uids, gids;
	struct strbuf passwd, group;
};

static void read_map(pid_t init, const char *file, struct id_map *map)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (!read_proc(init, file, &text))
		return;
	for (const char *line = strbuf_text(&text);
	     line && *line && map->count < ARRAY_SIZE(map->extents);
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		uint64_t numbers[3];
		if (!take_numbers(line, numbers, 3))
			continue;
		map->extents[map->count++] =
			(struct extent){ (uint32_t)numbers[0], (uint32_t)numbers[1],
					 (uint32_t)numbers[2] };
	}
}

static uint32_t map_id(const struct id_map *map, uint32_t outside)
{
	for (size_t i = 0; i < map->count; i++)
		if (outside >= map->extents[i].outside &&
		    outside - map->extents[i].outside < map->extents[i].count)
			return map->extents[i].inside + (outside - map->extents[i].outside);
	return 65534;
}

/* The container's own file, which may be anything: only a plain file inside its root is read. */
static void read_inside(int root_fd, const char *path, struct strbuf *text)
{
	autoclose int fd = mount_open_plain_file(root_fd, path);

	if (fd < 0 || fd_read_all(fd, text, MAX_FILE) < 0)
		strbuf_reset(text);
}

struct id_names *id_names_new(pid_t init)
{
	struct id_names *names = xcalloc(1, sizeof(*names));
	char path[48];

	read_map(init, "uid_map", &names->uids);
	read_map(init, "gid_map", &names->gids);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
	autoclose int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd >= 0) {
		read_inside(root_fd, "/etc/passwd", &names->passwd);
		read_inside(root_fd, "/etc/group", &names->group);
	}
	return names;
}

void id_names_free(struct id_names *names)
{
	if (!names)
		return;
	strbuf_clear(&names->passwd);
	strbuf_clear(&names->group);
	free(names);
}

/* "name:x:ID:…" lines. */
static char *find_name(const struct strbuf *file, uint32_t id)
{
	for (const char *line = strbuf_text(file); line && *line;) {
		const char *end = strchrnul(line, '\n'), *colon = strchr(line, ':');
		const char *second = colon ? strchr(colon + 1, ':') : NULL;
		char *stop;
		if (second && second < end && colon > line) {
			unsigned long number = strtoul(second + 1, &stop, 10);
			if (stop > second + 1 && *stop == ':' && number == id)
				return xstrndup(line, (size_t)(colon - line));
		}
		line = *end ? end + 1 : NULL;
	}
	return xasprintf("%u", id);
}

char *id_names_user(const struct id_names *names, uint32_t uid)
{
	return uid == 0 ? xstrdup("root") : find_name(&names->passwd, uid);
}

char *id_names_group(const struct id_names *names, uint32_t gid)
{
	return gid == 0 ? xstrdup("root") : find_name(&names->group, gid);
}

/* ---- a process ---- */

/* Behind "KEY:" the first number, or the last one of the line. */
static int64_t status_number(const char *text, const char *key, bool last)
{
	const char *at = strstr(text, key);
	int64_t number = 0;

	if (!at)
		return 0;
	at += strlen(key);
	for (const char *end = strchrnul(at, '\n'); at < end;) {
		char *stop;
		at += strspn(at, " \t");
		long long next = strtoll(at, &stop, 10);
		if (stop == at)
			break;
		number = next;
		if (!last)
			break;
		at = stop;
	}
	return number;
}

/* Fields of /proc/PID/stat behind the state's letter: field N of proc(5) is at N - 4. */
enum {
	STAT_PPID,
	STAT_TTY = 3,
	STAT_UTIME = 10,
	STAT_STIME,
	STAT_NICE = 15,
	STAT_START = 18,
	STAT_VSIZE,
	STAT_RSS,
	STAT_COUNT,
};

static bool read_stat(pid_t pid, struct process_info *info)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	const uint64_t tick_usec = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t fields[STAT_COUNT];
	struct timespec now;

	if (!read_proc(pid, "stat", &text))
		return false;
	const char *at = strrchr(strbuf_text(&text), ')');
	if (!at || at[1] != ' ' || !at[2] || !take_numbers(at + 3, fields, STAT_COUNT))
		return false;
	uint64_t tty = fields[STAT_TTY], start = fields[STAT_START];
	info->state = at[2];
	clock_gettime(CLOCK_BOOTTIME, &now);
	uint64_t since_boot = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	info->host_ppid = (pid_t)fields[STAT_PPID];
	info->tty_major = (int)((tty >> 8) & 0xfff);
	info->tty_minor = (int)((tty & 0xff) | ((tty >> 12) & 0xfff00));
	info->nice = (int64_t)fields[STAT_NICE];
	info->cpu_usec = (fields[STAT_UTIME] + fields[STAT_STIME]) * tick_usec;
	info->elapsed_usec = since_boot > start * tick_usec ? since_boot - start * tick_usec : 0;
	info->virtual_bytes = fields[STAT_VSIZE];
	info->resident_bytes = fields[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static void read_arguments(pid_t pid, struct process_info *info)
{
	autostrbuf struct strbuf line = STRBUF_EMPTY, name = STRBUF_EMPTY;

	if (read_proc(pid, "comm", &name) && name.size && name.data[name.size - 1] == '\n')
		name.data[--name.size] = '\0';
	info->name = xstrdup(strbuf_text(&name));
	if (!read_proc(pid, "cmdline", &line) || !line.size) {
		info->arguments = xasprintf("[%s]", info->name);
		return;
	}
	if (line.data[line.size - 1] == '\0')
		line.size--;
	for (size_t i = 0; i < line.size; i++)
		if (line.data[i] == '\0')
			line.data[i] = ' ';
	info->arguments = xstrndup(line.data, line.size);
}

static pid_t pid_inside(pid_t host_pid)
{
	autostrbuf struct strbuf status = STRBUF_EMPTY;

	return read_proc(host_pid, "status", &status)
		       ? (pid_t)status_number(strbuf_text(&status), "\nNSpid:", true)
		       : 0;
}

bool process_info_read(pid_t pid, const struct id_names *names, struct process_info *ret_info)
{
	struct process_info info = { .host_pid = pid };
	autostrbuf struct strbuf status = STRBUF_EMPTY;

	if (!read_stat(pid, &info) || !read_proc(pid, "status", &status))
		return false;
	const char *text = strbuf_text(&status);
	info.pid = (pid_t)status_number(text, "\nNSpid:", true);
	info.pgid = (pid_t)status_number(text, "\nNSpgid:", true);
	info.ppid = info.pid == 1 ? 0 : pid_inside(info.host_ppid);
	info.host_uid = (uint32_t)status_number(text, "\nUid:", false);
	info.host_gid = (uint32_t)status_number(text, "\nGid:", false);
	info.uid = map_id(&names->uids, info.host_uid);
	info.gid = map_id(&names->gids, info.host_gid);
	info.seccomp = (int)status_number(text, "\nSeccomp:", false);
	read_arguments(pid, &info);
	*ret_info = info;
	return true;
}

void process_info_clear(struct process_info *info)
{
	free(info->name);
	free(info->arguments);
	*info = (struct process_info){ 0 };
}
