/* One more process in a container that runs; the parent's side. What the process does is in child-enter.c.
 *
 * Which namespaces these are is asked of the container's first process, by descriptors of /proc/PID/ns that are taken
 * while a descriptor of the process tells that PID still is the one. Namespaces that the container shares with us are
 * not joined: an ordinary user may not, and need not. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "kernel/systemd.h"
#include "runtime/child.h"
#include "runtime/runtime-internal.h"
#include "runtime/runtime.h"

#define MAX_MAP_BYTES 65536

static const char *const namespace_files[OCI_NS_COUNT] = {
	[OCI_NS_USER] = "user",	    [OCI_NS_MOUNT] = "mnt", [OCI_NS_PID] = "pid",
	[OCI_NS_NETWORK] = "net",   [OCI_NS_IPC] = "ipc",   [OCI_NS_UTS] = "uts",
	[OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
};

static int not_running(struct err *err)
{
	return err_set(err, ESRCH, "the container's first process has ended");
}

static bool is_ours(int fd, const char *file)
{
	struct stat theirs, ours;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", file);
	return fstat(fd, &theirs) == 0 && stat(path, &ours) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

static int open_namespaces(pid_t pid, struct joins *joins, struct err *err)
{
	for (int i = 0; i < OCI_NS_COUNT; i++) {
		char path[48];
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespace_files[i]);
		autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && i == OCI_NS_TIME)
			continue; /* not on this kernel */
		if (fd < 0 && (errno == ENOENT || errno == ESRCH))
			return not_running(err);
		if (fd < 0)
			return err_errno(err, "open the container's namespace '%s'", path);
		if (is_ours(fd, namespace_files[i]))
			continue;
		/* Whose owner is a stranger, who could do as he likes with what enters. */
		if (i == OCI_NS_USER && !userns_is_our_child(fd))
			return err_set(err, EPERM,
				       "the container's first process has made a user namespace of "
				       "its own, which "
				       "nobody else can enter safely");
		joins->fds[i] = take_fd(&fd);
		joins->count++;
	}
	if (joins->fds[OCI_NS_MOUNT] < 0)
		return err_set(err, EINVAL, "process %d is in no container", (int)pid);
	return 0;
}

/* ---- the map of its user namespace ---- */

static bool take_field(const char **at, uint32_t *ret_number)
{
	int64_t number;

	*at += strspn(*at, " ");
	if (number_take(at, 0, UINT32_MAX, &number) < 0)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static int read_map(pid_t pid, const char *file, struct id_extent **extents, size_t *count,
		    struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int r = file_read(AT_FDCWD, path, &text, MAX_MAP_BYTES, err);
	if (r < 0)
		return r;
	for (const char *at = strbuf_text(&text); *at;) {
		struct id_extent extent;
		if (!take_field(&at, &extent.inside) || !take_field(&at, &extent.outside) ||
		    !take_field(&at, &extent.size) || *at++ != '\n')
			return err_set(err, EINVAL, "read '%s': not a map of IDs", path);
		*extents = xreallocarray(*extents, *count + 1, sizeof(extent));
		(*extents)[(*count)++] = extent;
	}
	return 0;
}

static bool groups_are_denied(pid_t pid)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* then setgroups(2) itself will tell */
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	return file_read(AT_FDCWD, path, &text, 64, &ignored) == 0 &&
	       strncmp(strbuf_text(&text), "deny", 4) == 0;
}

static int make_plan(pid_t pid, const struct joins *joins, const struct oci_process *process,
		     const struct seccomp_filter *filter, const struct seccomp_filter *recording,
		     struct launch_plan **ret_plan, struct err *err)
{
	struct userns_map map = { 0 };
	int r = 0;

	if (joins->fds[OCI_NS_USER] >= 0) {
		r = read_map(pid, "uid_map", &map.uid, &map.uid_count, err);
		if (r == 0)
			r = read_map(pid, "gid_map", &map.gid, &map.gid_count, err);
		if (r < 0) {
			userns_map_clear(&map);
			return r;
		}
	}
	return launch_plan_make_entry(process, filter, recording, &map, groups_are_denied(pid),
				      ret_plan, err);
}

/* ---- the process ---- */

/* A container that divides its own group (v2) can have no processes beside the parts: go where its first process is. */
static int follow_into_cgroup(pid_t target, pid_t pid)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err ignored; /* what failed before is the one to tell */
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)target);
	if (file_read(AT_FDCWD, path, &text, MAX_MAP_BYTES, &ignored) < 0)
		return -1;
	const char *line = strncmp(strbuf_text(&text), "0::/", 4) == 0 ? strbuf_text(&text) : NULL;
	if (!line)
		return -1;
	autofree char *group = xstrndup(line + 3, strcspn(line + 3, "\n"));
	autofree char *procs = xasprintf("/sys/fs/cgroup%s/cgroup.procs", group);
	autofree char *number = xasprintf("%d", (int)pid);
	autoclose int fd = open(procs, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, number, strlen(number)) < 0 ? -1 : 0;
}

/* From outside of what systemd has given to the user, such as a login session. */
static int attach_by_systemd(const struct runtime_target *target, pid_t pid, struct err *err)
{
	static const char ending[] = ".scope/";
	struct err ignored; /* what failed before is the one to tell */
	const char *location = cgroup_location(target->cgroup), *end = strstr(location, ending);

	if (!target->systemd_socket || !end)
		return -err->code;
	size_t start = (size_t)(end - location);
	while (start > 0 && location[start - 1] != '/')
		start--;
	autofree char *unit =
		xstrndup(location + start, (size_t)(end - location) - start + strlen(ending) - 1);
	return systemd_attach(target->systemd_socket, unit, end + strlen(ending) - 1, pid,
			      &ignored) < 0
		       ? -err->code
		       : 0;
}

static int enter_cgroup(const struct runtime_target *target, const struct runtime_child *child,
			struct err *err)
{
	const int *fds;

	/* v1: it writes its own name as soon as it may go. */
	if (!target->cgroup || cgroup_entry_fds(target->cgroup, &fds) > 0)
		return 0;
	int r = cgroup_add(target->cgroup, child->pid, err);
	if (r == -EBUSY && follow_into_cgroup(target->pid, child->pid) == 0)
		return 0;
	return r == -EACCES || r == -EPERM ? attach_by_systemd(target, child->pid, err) : r;
}

/* Of the host: what the container has at /dev/null may be anything. */
static int fill_with_null(const struct runtime_stdio *stdio, int fds[3], int *null_fd,
			  struct err *err)
{
	for (int i = 0; i < 3; i++) {
		fds[i] = stdio ? stdio->fds[i] : -1;
		if (fds[i] >= 0)
			continue;
		if (*null_fd < 0)
			*null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (*null_fd < 0)
			return err_errno(err, "open '/dev/null'");
		fds[i] = *null_fd;
	}
	return 0;
}

static int spawn(const struct runtime_target *target, const struct joins *joins, const int stdio[3],
		 int child_end, struct runtime_child *child, struct err *err)
{
	const int *entry_fds = NULL;
	size_t entry_count = target->cgroup ? cgroup_entry_fds(target->cgroup, &entry_fds) : 0;
	autoclose int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc_fd < 0)
		return err_errno(err, "open '/proc'");
	struct child start = {
		.plan = child->plan,
		.control_fd = child_end,
		.stdio = stdio,
		.wait_for_start = true,
		.cgroup_fds = entry_fds,
		.cgroup_fd_count = entry_count,
		.root_fd = -1,
		.outer_root_fd = -1,
		.net_ns_fd = -1,
		.null_fd = -1,
		.terminal_fd = -1,
		.label_fd = -1,
		.stub_fd = -1,
		.proc_fd = proc_fd,
	};
	/* To be moved takes milliseconds, for the kernel waits for all processors; to be born there does not. */
	int cgroup_fd =
		target->cgroup && !child->plan->initial_cpus ? cgroup_clone_fd(target->cgroup) : -1;
	bool in_cgroup;
	int r = runtime_spawn_joining(&start, joins, cgroup_fd, child->control_fd, child,
				      &in_cgroup, err);
	/* Until it is in the control group, whose processors need not be ours. */
	if (r == 0 && child->plan->initial_cpus &&
	    sched_setaffinity(child->pid, sizeof(cpu_set_t), child->plan->initial_cpus) < 0) {
		struct child_report report = { .step = CHILD_AFFINITY, .code = errno };
		r = launch_plan_explain(child->plan, &report, err);
	}
	if (r == 0 && !in_cgroup)
		r = enter_cgroup(target, child, err);
	if (r == 0 && runtime_send_go(child) < 0)
		r = err_set(err, EIO, "the new process ended before it began");
	return r;
}

int runtime_enter(const struct runtime_target *target, const struct oci_process *process,
		  const struct seccomp_filter *filter, const struct seccomp_filter *recording,
		  const struct runtime_stdio *stdio, struct runtime_child *ret_child,
		  struct err *err)
{
	struct runtime_child child;
	struct joins joins = { .count = 0 };
	autoclose int null_fd = -1;
	int fds[3], pair[2];

	runtime_child_forget(&child);
	for (int i = 0; i < OCI_NS_COUNT; i++)
		joins.fds[i] = -1;
	int r = open_namespaces(target->pid, &joins, err);
	if (r == 0)
		r = make_plan(target->pid, &joins, process, filter, recording, &child.plan, err);
	/* Only now is it certain whose these are: a process number is not given away while its process lives. */
	if (r == 0 && pidfd_signal(target->pid_fd, 0) < 0)
		r = not_running(err);
	if (r == 0)
		r = fill_with_null(stdio, fds, &null_fd, err);
	if (r == 0)
		r = runtime_control_pair(pair, err);
	if (r == 0) {
		child.control_fd = pair[0];
		r = spawn(target, &joins, fds, pair[1], &child, err);
		close(pair[1]);
	}
	joins_close(&joins);
	if (r < 0) {
		runtime_abandon(&child);
		return r;
	}
	*ret_child = child;
	return 0;
}
