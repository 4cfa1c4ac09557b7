/* What all kinds of groups have in common: directories, processes in them, and their end.
 *
 * A group is made by mkdir and ends by rmdir, which refuses (EBUSY) while there are processes or
 * groups inside; the container may have made such. So the end is a loop: try, kill, wait, try
 * again. Which hierarchies the host has is seen from the file system at /sys/fs/cgroup alone:
 * cgroup2 means v2, anything else (a tmpfs with a mount a hierarchy) v1. */
#include "kernel/cgroup-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "kernel/pidfd.h"

#define REMOVE_TIMEOUT_MSEC 5000
#define MAX_DEPTH	    64	      /* of groups a container has made inside its own */
#define MAX_PROCS_BYTES	    (4 << 20) /* of cgroup.procs */

/* ---- directories ---- */

int cgroup_add_directory(struct cgroup *group, const char *path, enum cgroup_controller controller)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	group->directories[group->count++] = (struct cgroup_directory){
		.path = xstrdup(path),
		.fd = fd,
		.controller = controller,
	};
	return 0;
}

static int make_directory(const char *path, bool *is_new)
{
	if (mkdir(path, 0755) == 0) {
		*is_new = true;
		return 0;
	}
	return errno == EEXIST ? 0 : -errno;
}

int cgroup_make_directory(const char *path, bool *is_new)
{
	int r = make_directory(path, is_new);

	/* The parent that was just made may be tidied away by somebody else. */
	for (int attempt = 0; r == -ENOENT && attempt < 10; attempt++) {
		autofree char *parent = xstrdup(path);
		char *slash = strrchr(parent, '/');
		bool ignored;
		if (!slash || slash - parent <= (ptrdiff_t)strlen(CGROUP_ROOT))
			return -ENOENT;
		*slash = '\0';
		r = cgroup_make_directory(parent, &ignored);
		if (r == 0)
			r = make_directory(path, is_new);
		else
			return r;
	}
	return r;
}

int cgroup_write(int dir_fd, const char *file, const char *value)
{
	autoclose int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

	/* One write: each is a command of its own. */
	return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

int cgroup_read(int dir_fd, const char *file, struct strbuf *text)
{
	autoclose int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_read_all(fd, text, MAX_PROCS_BYTES);
}

/* ---- limits ---- */

int cgroup_apply(int dir_fd, const struct cgroup_setting *setting)
{
	int r = cgroup_write(dir_fd, setting->file, setting->value);

	if (r == -ENOENT && setting->other_file)
		r = cgroup_write(dir_fd, setting->other_file, setting->value);
	return r;
}

int cgroup_leave_out(const struct cgroup_setting *setting, int code, const char *remedy,
		     struct strlist *left_out, struct err *err)
{
	static const char *const words[CGROUP_CONTROLLER_COUNT] = {
		[CGROUP_PIDS] = "pids",	      [CGROUP_MEMORY] = "memory",
		[CGROUP_DEVICES] = "devices", [CGROUP_CPU] = "cpu",
		[CGROUP_CPUSET] = "cpuset",   [CGROUP_IO] = "io",
		[CGROUP_HUGETLB] = "hugetlb",
	};

	if (setting->is_wish)
		return 0;
	if (setting->is_default && left_out) {
		const char *word = words[setting->controller];
		if (!strlist_contains(left_out, word))
			strlist_add(left_out, word);
		return 0;
	}
	if (remedy)
		return err_set(err, code, "%s '%s': %s", setting->limit, setting->value, remedy);
	errno = code;
	return err_errno(err, "%s '%s': write '%s'", setting->limit, setting->value, setting->file);
}

const struct cgroup_setting *cgroup_first_wanted(const struct cgroup_settings *settings)
{
	for (size_t i = 0; i < settings->count; i++)
		if (!settings->items[i].is_default && !settings->items[i].is_wish)
			return &settings->items[i];
	return NULL;
}

/* ---- making and finding ---- */

static const struct cgroup_ops *host_ops(void)
{
	struct statfs fs;

	return statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC ? &cgroup_v2_ops
										 : &cgroup_v1_ops;
}

bool cgroup_is_v2(void)
{
	return host_ops() == &cgroup_v2_ops;
}

char *cgroup_path(const char *parent, const char *name)
{
	if (parent && *parent)
		return xasprintf("%s/%s", parent, name);
	return xasprintf("davit%c%s", cgroup_is_v2() ? '/' : '-', name);
}

static struct cgroup *group_new(const char *path)
{
	struct cgroup *group = xcalloc(1, sizeof(*group));

	group->ops = host_ops();
	while (*path == '/')
		path++;
	group->name = xstrdup(path);
	for (size_t i = 0; i < CGROUP_MAX_DIRECTORIES; i++)
		group->directories[i].fd = group->entry_fds[i] = -1;
	return group;
}

void cgroup_free(struct cgroup *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < CGROUP_MAX_DIRECTORIES; i++) {
		free(group->directories[i].path);
		fd_close(&group->directories[i].fd);
		fd_close(&group->entry_fds[i]);
	}
	free(group->name);
	free(group->base);
	free(group);
}

/* Names only: a path that leads up or has holes would make another group than the one it names. */
static int check_path(const char *path, struct err *err)
{
	while (*path == '/')
		path++;
	for (const char *at = path;;) {
		size_t size = strcspn(at, "/");
		if (size == 0 || (size == 1 && at[0] == '.') ||
		    (size == 2 && at[0] == '.' && at[1] == '.') || size > NAME_MAX)
			return err_set(err, EINVAL, "'%s' is not the path of a control group",
				       path);
		if (!at[size])
			return 0;
		at += size + 1;
	}
}

static void remove_directories(struct cgroup *group)
{
	for (size_t i = 0; i < group->count; i++)
		(void)rmdir(group->directories[i].path); /* nobody has been in there */
}

int cgroup_create_below(const char *base, const char *path,
			const struct cgroup_resources *resources, struct cgroup **ret_cgroup,
			char **ret_left_out, struct err *err)
{
	autostrlist struct strlist left_out = STRLIST_EMPTY;
	bool none = false;

	int r = check_path(path, err);
	if (r < 0)
		return r;
	struct cgroup *group = group_new(path);
	group->base = xstrdup(base);
	r = group->ops->create(group, resources, &left_out, &none, err);
	if (r < 0 && group->is_new)
		remove_directories(group);
	if (r < 0 || none) {
		cgroup_free(group);
		group = NULL;
	}
	if (r < 0)
		return r;
	*ret_cgroup = group;
	*ret_left_out = left_out.count ? strlist_join(&left_out, ",") : NULL;
	return 0;
}

int cgroup_create(const char *path, const struct cgroup_resources *resources,
		  struct cgroup **ret_cgroup, char **ret_left_out, struct err *err)
{
	return cgroup_create_below(NULL, path, resources, ret_cgroup, ret_left_out, err);
}

int cgroup_limit_devices(const struct cgroup *group, const struct cgroup_resources *resources,
			 struct err *err)
{
	return group->ops->limit_devices ? group->ops->limit_devices(group, resources, err) : 0;
}

int cgroup_open(const char *path, struct cgroup **ret_cgroup, struct err *err)
{
	int r = check_path(path, err);
	if (r < 0)
		return r;
	struct cgroup *group = group_new(path);
	r = group->ops->open(group, err);
	if (r == 0 && group->count == 0)
		r = err_set(err, ENOENT, "no control group '%s'", path);
	if (r < 0) {
		cgroup_free(group);
		return r;
	}
	*ret_cgroup = group;
	return 0;
}

/* ---- use ---- */

const char *cgroup_location(const struct cgroup *group)
{
	return group->directories[0].path;
}

int cgroup_clone_fd(const struct cgroup *group)
{
	return group->ops->clones_into ? group->directories[0].fd : -1;
}

size_t cgroup_entry_fds(const struct cgroup *group, const int **ret_fds)
{
	*ret_fds = group->entry_fds;
	return group->entry_count;
}

int cgroup_add(const struct cgroup *group, pid_t pid, struct err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < group->count; i++) {
		int r = cgroup_write(group->directories[i].fd, "cgroup.procs", text);
		if (r < 0) {
			errno = -r;
			return err_errno(err, "move process %d to control group '%s'", (int)pid,
					 group->directories[i].path);
		}
	}
	return 0;
}

int cgroup_freeze(const struct cgroup *group, bool frozen, struct err *err)
{
	/* v1 takes a directory more for it, which is not the caller's concern. */
	return group->ops->freeze((struct cgroup *)group, frozen, err);
}

int cgroup_open_oom_events(const struct cgroup *group)
{
	const struct cgroup_directory *directory = group->ops->memory_directory(group);
	int fd = directory ? openat(directory->fd, group->ops->oom_file, O_RDONLY | O_CLOEXEC) : -1;

	return fd >= 0 ? fd : directory ? -errno : -ENOENT;
}

bool cgroup_was_oom_killed(const struct cgroup *group)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	static const char key[] = "\noom_kill ";

	autoclose int fd = cgroup_open_oom_events(group);
	strbuf_addc(&text, '\n'); /* so that the first line begins like the others */
	if (fd < 0 || fd_read_all(fd, &text, 4096) < 0)
		return false;
	const char *line = strstr(strbuf_text(&text), key);
	return line && line[strlen(key)] >= '1' && line[strlen(key)] <= '9';
}

/* ---- the end ---- */

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Kill what is in the directory. Returns a pidfd of one of the killed, or -1 if there was nobody.
 */
static int kill_processes(int dir_fd)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	int last_fd = -1;

	if (cgroup_read(dir_fd, "cgroup.procs", &text) < 0)
		return -1;
	for (char *at = text.data; at && *at;) {
		char *end;
		long pid = strtol(at, &end, 10);
		if (end == at)
			break;
		at = *end ? end + 1 : end;
		if (pid <= 0)
			continue; /* of a process namespace that we do not see */
		int fd = pidfd_open_process((pid_t)pid);
		if (fd < 0)
			continue;
		(void)pidfd_signal(fd, SIGKILL); /* gone is as good */
		fd_close(&last_fd);
		last_fd = fd;
	}
	return last_fd;
}

/* Groups that the container has made inside, innermost first. */
static int remove_children(int dir_fd, unsigned depth, int *ret_pid_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(&fd);
		return -errno;
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dir_fd, entry->d_name, AT_REMOVEDIR) == 0 || depth == 0)
			continue;
		autoclose int child_fd = openat(dir_fd, entry->d_name,
						O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child_fd < 0)
			continue;
		(void)remove_children(child_fd, depth - 1, ret_pid_fd);
		int killed_fd = kill_processes(child_fd);
		if (killed_fd >= 0) {
			fd_close(ret_pid_fd);
			*ret_pid_fd = killed_fd;
		}
		(void)unlinkat(dir_fd, entry->d_name,
			       AT_REMOVEDIR); /* the next round tries again */
	}
	closedir(dir);
	return 0;
}

/* Something in the group may be about to end: wait for one that was killed. Where there is none,
 * the kernel is still taking leave of processes that have ended, and has no event for that. */
static void wait_a_moment(int pid_fd, unsigned round)
{
	struct pollfd killed = { .fd = pid_fd, .events = POLLIN };
	int timeout_msec = pid_fd >= 0 ? 100 : round < 4 ? 1 : 10;

	(void)poll(&killed, pid_fd >= 0 ? 1 : 0, timeout_msec);
}

static int remove_directory(struct cgroup *group, const struct cgroup_directory *directory,
			    int64_t deadline_msec)
{
	for (unsigned round = 0;; round++) {
		int pid_fd = -1;
		if (rmdir(directory->path) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -errno;
		if (now_msec() > deadline_msec)
			return -EBUSY;
		group->ops->kill(group);
		pid_fd = kill_processes(directory->fd);
		(void)remove_children(directory->fd, MAX_DEPTH, &pid_fd);
		wait_a_moment(pid_fd, round);
		fd_close(&pid_fd);
	}
}

int cgroup_remove(struct cgroup *group, struct err *err)
{
	int64_t deadline_msec = now_msec() + REMOVE_TIMEOUT_MSEC;
	int result = 0;

	for (size_t i = 0; i < group->count; i++) {
		int r = remove_directory(group, &group->directories[i], deadline_msec);
		if (r < 0 && result == 0) {
			errno = -r;
			result = err_errno(err, "remove control group '%s'",
					   group->directories[i].path);
		}
	}
	return result;
}
