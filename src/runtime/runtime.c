/* The parent's side of a start. What the child does is in child.c; who says what when:
 *
 *	caller                                      child
 *	clone3 ──────────────────────────────────▶  (waits, if maps or a cgroup are to come)
 *	ID maps, cgroup, descriptors of namespaces
 *	"go" ────────────────────────────────────▶  namespaces, mounts, devices, pivot_root
 *	runtime_ready()  ◀──────── CHILD_READY ───  (terminal's master side comes with it)
 *	rlimits, "go" ───────────────────────────▶  user, capabilities, filter, execve
 *	runtime_exec()   ◀──── end of file ───────  the socket is close-on-exec
 *
 * Any other report is a failure, and the child exits after sending it. */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "runtime/child.h"
#include "runtime/launch-plan.h"
#include "runtime/mapper.h"
#include "runtime/runtime-internal.h"

static pid_t clone_process(unsigned long flags, int *pid_fd, int cgroup_fd)
{
	struct clone_args args = {
		.flags = flags | CLONE_CLEAR_SIGHAND,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};

	if (pid_fd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)pid_fd;
	}
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

void joins_close(struct joins *joins)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		fd_close(&joins->fds[i]);
}

static int joins_open(const struct oci_runtime_config *config, int userns_fd, struct joins *joins,
		      struct err *err)
{
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		joins->fds[i] = -1;
	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		const struct oci_namespace_config *ns = &config->namespaces[i];
		if (i == OCI_NS_USER && userns_fd >= 0) {
			if (!userns_is_our_child(userns_fd))
				return err_set(
					err, EPERM,
					"join the user namespace: it was not made by davit; a "
					"process of that container made its own");
			joins->fds[i] = fcntl(userns_fd, F_DUPFD_CLOEXEC, 3);
			if (joins->fds[i] < 0)
				return err_errno(err, "keep the user namespace");
			joins->count++;
		} else if (ns->wanted && ns->path) {
			joins->fds[i] = open(ns->path, O_RDONLY | O_CLOEXEC);
			if (joins->fds[i] < 0)
				return err_errno(err, "open namespace '%s'", ns->path);
			/* setns(2) has the same error for another kind and for our own. */
			if (ioctl(joins->fds[i], NS_GET_NSTYPE) !=
			    (int)plan_namespaces[i].clone_flag)
				return err_set(err, EINVAL, "'%s' is not a namespace of type '%s'",
					       ns->path, oci_namespace_names[i]);
			joins->count++;
		}
	}
	return 0;
}

/* ---- the helper that joins ---- */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* In a process namespace with others nobody may look into what is still half davit: its memory, its
 * descriptors, /proc/PID/exe. So the clone is born closed, even to our parent if that is no root, and
 * what the parent would do through /proc is done before. */
static int close_to_others(struct child *child)
{
	if (!child->plan->pid_namespace_is_joined)
		return 0;
	if (child->plan->config->process.has_oom_score_adj) {
		int r = write_text("/proc/self/oom_score_adj", child->plan->oom_score);
		if (r < 0)
			return child_fail_code(child, CHILD_OOM_SCORE, 0, r);
	}
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? child_fail(child, CHILD_START, 0) : 0;
}

/* Namespaces are entered with the rights we came with where these suffice, and the others with
 * those that the user namespace gives. */
static int join_all(struct child *child, const struct joins *joins)
{
	bool done[OCI_NS_COUNT] = { false };

	for (int i = 0; i < OCI_NS_COUNT; i++)
		if (i != OCI_NS_USER && joins->fds[i] >= 0)
			done[i] = setns(joins->fds[i], (int)plan_namespaces[i].clone_flag) == 0;
	if (joins->fds[OCI_NS_USER] >= 0) {
		/* EINVAL: it is the one we are in. */
		if (setns(joins->fds[OCI_NS_USER], CLONE_NEWUSER) < 0 && errno != EINVAL)
			return child_fail(child, CHILD_JOIN, OCI_NS_USER);
	}
	for (int i = 0; i < OCI_NS_COUNT; i++)
		if (i != OCI_NS_USER && joins->fds[i] >= 0 && !done[i] &&
		    setns(joins->fds[i], (int)plan_namespaces[i].clone_flag) < 0)
			return child_fail(child, CHILD_JOIN, i);
	return 0;
}

static _Noreturn void joiner_main(struct child *child, const struct joins *joins, int cgroup_fd)
{
	if (close_to_others(child) == 0 && join_all(child, joins) == 0 &&
	    child_make_time_namespace(child) == 0) {
		/* A sibling, so that our parent is its parent too. */
		pid_t pid = clone_process(child->plan->clone_flags | CLONE_PARENT, NULL, cgroup_fd);
		if (pid < 0 && cgroup_fd >= 0)
			pid = clone_process(child->plan->clone_flags | CLONE_PARENT, NULL, -1);
		if (pid == 0)
			child_main(child);
		if (pid > 0)
			child_fail_code(child, CHILD_CLONED, (int)pid, 0);
		else
			child_fail(child, CHILD_CLONE, 0);
	}
	(void)send(child->control_fd, &child->report, sizeof(child->report), MSG_NOSIGNAL);
	_exit(0);
}

/* ---- messages ---- */

int runtime_send_go(const struct runtime_child *child)
{
	return send(child->control_fd, "g", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 1 and the report, 0 at end of file, -errno. Up to two descriptors come with it; -1 where not. */
static int receive_report(struct runtime_child *child, struct child_report *ret_report,
			  int ret_fds[2])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { ret_report, sizeof(*ret_report) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n;

	ret_fds[0] = ret_fds[1] = -1;
	do
		n = recvmsg(child->control_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n < 0)
		return -errno;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	if (n == (ssize_t)sizeof(*ret_report))
		return 1;
	fd_close(&ret_fds[0]);
	fd_close(&ret_fds[1]);
	return -EPROTO;
}

/* Reap the child, forget it, and say why it failed. */
static int fail_with_report(struct runtime_child *child, const struct child_report *report,
			    struct err *err)
{
	int r = launch_plan_explain(child->plan, report, err);

	runtime_abandon(child);
	return r;
}

static int fail_without_report(struct runtime_child *child, struct err *err)
{
	int status = 0;

	if (child->pid > 0 && process_reap(child->pid, &status) == 0)
		child->pid = 0;
	runtime_abandon(child);
	if (WIFSIGNALED(status))
		return err_set(err, EIO, "the container's first process was killed by signal %d%s",
			       WTERMSIG(status),
			       WTERMSIG(status) == SIGKILL
				       ? "; is its memory limit too small to start?"
				       : "");
	return err_set(err, EIO, "the container's first process ended without a word");
}

/* ---- spawn ---- */

/* An end of the socket pair below 3 would be overwritten by the child's standard streams. */
int runtime_control_pair(int pair[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "make a socket pair");
	for (int i = 0; i < 2; i++) {
		if (pair[i] > 2)
			continue;
		int moved = fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
		if (moved < 0) {
			int r = err_errno(err, "make a socket pair");
			close(pair[0]);
			close(pair[1]);
			return r;
		}
		close(pair[i]);
		pair[i] = moved;
	}
	return 0;
}

static int spawn_direct(struct child *start, const struct cgroup *cgroup, int cgroup_fd,
			int other_end, struct runtime_child *child, bool *ret_in_cgroup,
			struct err *err)
{
	unsigned long flags = start->plan->clone_flags;

	*ret_in_cgroup = *ret_in_cgroup || cgroup_fd >= 0;
	pid_t pid = clone_process(flags, &child->pid_fd, cgroup_fd);
	if (pid < 0 && cgroup_fd >= 0) {
		/* Some mixes of hierarchies and delegation let one move in but not be born there.
		 */
		*ret_in_cgroup = false;
		start->wait_for_start = true;
		pid = clone_process(flags, &child->pid_fd, -1);
	}
	if (pid == 0) {
		close(other_end);
		child_main(start);
	}
	(void)cgroup;
	if (pid < 0) {
		struct child_report report = { .step = CHILD_CLONE, .code = errno };
		child->pid_fd = -1;
		return launch_plan_explain(start->plan, &report, err);
	}
	child->pid = pid;
	return 0;
}

int runtime_spawn_joining(struct child *start, const struct joins *joins, int cgroup_fd,
			  int other_end, struct runtime_child *child, bool *ret_in_cgroup,
			  struct err *err)
{
	*ret_in_cgroup = cgroup_fd >= 0;
	child->pid = clone_process(0, &child->pid_fd, cgroup_fd);
	if (child->pid < 0 && cgroup_fd >= 0) {
		*ret_in_cgroup = false;
		child->pid = clone_process(0, &child->pid_fd, -1);
	}
	if (child->pid == 0) {
		close(other_end);
		if (close_to_others(start) < 0 || join_all(start, joins) < 0)
			child_report_and_exit(start);
		child_main(start);
	}
	return child->pid < 0 ? err_errno(err, "fork") : 0;
}

int runtime_spawn_joined(struct child *start, const struct joins *joins, int cgroup_fd,
			 int other_end, struct runtime_child *child, struct err *err)
{
	struct child_report report;
	int status, fds[2];

	pid_t helper = clone_process(0, NULL, -1);
	if (helper == 0) {
		close(other_end);
		joiner_main(start, joins, cgroup_fd);
	}
	if (helper < 0)
		return err_errno(err, "fork");
	/* The helper's word and the child's, where it sends its namespaces, may come in any order. */
	int r = receive_report(child, &report, fds);
	if (r > 0 && report.step == CHILD_NAMESPACES) {
		child->mount_ns_fd = fds[0];
		child->net_ns_fd = fds[1];
		r = receive_report(child, &report, fds);
	}
	(void)process_reap(helper, &status);
	if (r <= 0)
		return err_set(err, EIO, "join namespaces: the helper process died");
	if (report.step != CHILD_CLONED)
		return launch_plan_explain(start->plan, &report, err);
	child->pid = report.index;
	child->pid_fd = pidfd_open_process(child->pid);
	return child->pid_fd < 0 ? err_errno(err, "open process %d", child->pid) : 0;
}

static int open_namespace(pid_t pid, const char *name, struct err *err)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, "open namespace '%s'", path) : fd;
}

static int set_oom_score(const struct runtime_child *child, struct err *err)
{
	struct child_report report = { .step = CHILD_OOM_SCORE };
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", child->pid);
	report.code = -write_text(path, child->plan->oom_score);
	return report.code ? launch_plan_explain(child->plan, &report, err) : 0;
}

/* Descriptors of its namespaces keep these in being until we are done. */
static int open_namespaces(struct runtime_child *child, int made_network_fd, struct err *err)
{
	bool with_network = child->plan->has_own_network_namespace;

	if (child->mount_ns_fd >= 0)
		return 0;
	if (child->plan->pid_namespace_is_joined) {
		/* Its /proc is closed to us, so it sends them. */
		int fds[2];
		struct child_report report;
		int r = receive_report(child, &report, fds);
		if (r <= 0)
			return err_set(err, EIO, "the container's first process died at its start");
		child->mount_ns_fd = fds[0];
		child->net_ns_fd = fds[1];
		return report.step == CHILD_NAMESPACES
			       ? 0
			       : launch_plan_explain(child->plan, &report, err);
	}
	int r = open_namespace(child->pid, "mnt", err);
	if (r < 0)
		return r;
	child->mount_ns_fd = r;
	if (!with_network)
		return 0;
	/* The child need not be in the one that was made before, yet. */
	if (made_network_fd >= 0)
		r = fcntl(made_network_fd, F_DUPFD_CLOEXEC, 3);
	else
		r = open_namespace(child->pid, "net", err);
	if (r < 0)
		return made_network_fd >= 0 ? err_errno(err, "keep the network namespace") : r;
	child->net_ns_fd = r;
	return 0;
}

/* A child that ended while we looked at it has said why, unless it was killed. */
static int prefer_report(struct runtime_child *child, int r, struct err *err)
{
	struct child_report report;

	/* Not waiting: an end of ours is still open, so that nothing would be the end of file. */
	if (recv(child->control_fd, &report, sizeof(report), MSG_DONTWAIT) != sizeof(report) ||
	    report.code == 0)
		return r;
	return launch_plan_explain(child->plan, &report, err);
}

/* What the parent does to the child before it may go on. */
static int equip(struct runtime_child *child, const struct cgroup *cgroup, bool in_cgroup,
		 int made_network_fd, struct err *err)
{
	const struct launch_plan *plan = child->plan;
	int r = 0;

	if (cgroup && !in_cgroup)
		r = cgroup_add(cgroup, child->pid, err);
	if (r >= 0 && plan->has_own_user_namespace)
		r = userns_write_maps(child->pid, &plan->map, err);
	if (r >= 0 && plan->config->process.has_oom_score_adj && !plan->pid_namespace_is_joined)
		r = set_oom_score(child, err);
	/* While it is still one of ours: afterwards its IDs may be none of ours, and its
	 * /proc closed to us. */
	if (r >= 0)
		r = open_namespaces(child, made_network_fd, err);
	return r < 0 ? prefer_report(child, r, err) : 0;
}

/* The mapper does it, and its message is the child's go. */
static int send_mapped_mounts(struct runtime_child *child, const struct joins *joins,
			      struct err *err)
{
	autoclose int own_fd = -1;
	int user_ns_fd = joins->fds[OCI_NS_USER];

	if (user_ns_fd < 0) {
		user_ns_fd = own_fd = open_namespace(child->pid, "user", err);
		if (own_fd < 0)
			return own_fd;
	}
	return mapper_send_mounts(child->plan, user_ns_fd, child->control_fd, err);
}

void runtime_child_forget(struct runtime_child *child)
{
	*child = (struct runtime_child){
		.pid_fd = -1,
		.console_fd = -1,
		.mount_ns_fd = -1,
		.net_ns_fd = -1,
		.control_fd = -1,
	};
}

/* Which of the namespaces made before is used: that of the network has to belong to the user namespace that we are in. */
static int take_network_namespace(struct runtime_child *child,
				  const struct runtime_namespaces *made)
{
	struct launch_plan *plan = child->plan;

	if (made->network_fd < 0 || !(plan->clone_flags & CLONE_NEWNET) ||
	    plan->is_in_user_namespace)
		return -1;
	plan->clone_flags &= ~(unsigned long)CLONE_NEWNET;
	return made->network_fd;
}

static int spawn(struct runtime_child *child, const struct cgroup *cgroup,
		 const struct runtime_namespaces *made, const struct runtime_stdio *stdio,
		 int child_end, struct joins *joins, struct err *err)
{
	static const int none[3] = { -1, -1, -1 };
	struct launch_plan *plan = child->plan;
	int cgroup_fd = cgroup ? cgroup_clone_fd(cgroup) : -1;
	const int *entry_fds = NULL;
	size_t entry_count = cgroup ? cgroup_entry_fds(cgroup, &entry_fds) : 0;
	bool in_cgroup = entry_count > 0;

	int r = joins_open(plan->config, made->user_fd, joins, err);
	if (r < 0)
		return r;
	/* A cgroup namespace has its root where its maker is, and CLONE_INTO_CGROUP takes effect
	 * later than the making of namespaces. */
	if (cgroup && (plan->clone_flags & CLONE_NEWCGROUP)) {
		plan->clone_flags &= ~(unsigned long)CLONE_NEWCGROUP;
		plan->unshare_cgroup = true;
	}
	autofree int *bind_fds = xcalloc(plan->mount_count, sizeof(int));
	for (size_t i = 0; i < plan->mount_count; i++)
		bind_fds[i] = -1;
	autofree int *layer_fds =
		plan->root_is_other ? xcalloc(plan->config->overlay.lowers.count + 2, sizeof(int))
				    : NULL;
	autofree int *directory_fds = plan->root_is_other && plan->directory_count
					      ? xcalloc(plan->directory_count, sizeof(int))
					      : NULL;
	struct child start = {
		.plan = plan,
		.control_fd = child_end,
		.stdio = stdio ? stdio->fds : none,
		.wait_for_start = plan->has_own_user_namespace || joins->count ||
				  plan->mapped_count || (cgroup && cgroup_fd < 0 && !in_cgroup) ||
				  plan->config->process.has_oom_score_adj,
		.net_ns_fd = take_network_namespace(child, made),
		.cgroup_fds = entry_fds,
		.cgroup_fd_count = entry_count,
		.root_fd = -1,
		.outer_root_fd = -1,
		.layer_fds = layer_fds,
		.directory_fds = directory_fds,
		.bind_fds = bind_fds,
		.null_fd = -1,
		.terminal_fd = -1,
		.label_fd = -1,
		.proc_fd = -1,
		.stub_fd = -1,
	};
	if (joins->count)
		r = runtime_spawn_joined(&start, joins, cgroup_fd, child->control_fd, child, err);
	else
		r = spawn_direct(&start, cgroup, cgroup_fd, child->control_fd, child, &in_cgroup,
				 err);
	if (r < 0)
		return r;
	r = equip(child, cgroup, in_cgroup, start.net_ns_fd, err);
	if (r < 0)
		return r;
	if (plan->mapped_count)
		return send_mapped_mounts(child, joins, err);
	if (start.wait_for_start && runtime_send_go(child) < 0)
		return err_set(err, EIO, "the container's first process ended before it began");
	return 0;
}

int runtime_spawn(const struct oci_runtime_config *config, const struct cgroup *cgroup,
		  const struct runtime_namespaces *made, const struct runtime_stdio *stdio,
		  struct runtime_child *ret_child, struct err *err)
{
	struct runtime_child child;
	struct joins joins = { .count = 0 };
	int pair[2];

	runtime_child_forget(&child);
	int r = launch_plan_make(config, made->user_fd >= 0, &child.plan, err);
	if (r < 0)
		return r;
	launch_plan_log(child.plan);
	r = runtime_control_pair(pair, err);
	if (r < 0) {
		runtime_child_clear(&child);
		return r;
	}
	child.control_fd = pair[0];
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		joins.fds[i] = -1;
	r = spawn(&child, cgroup, made, stdio, pair[1], &joins, err);
	if (r == 0 && cgroup) /* while the child mounts */
		r = cgroup_limit_devices(cgroup, &config->resources, err);
	joins_close(&joins);
	close(pair[1]);
	if (r < 0) {
		runtime_abandon(&child);
		return r;
	}
	*ret_child = child;
	return 0;
}

/* ---- ready, exec ---- */

/* "creating" is the lifecycle's second step only, which is done. */
static int run_creation_hooks(struct runtime_child *child, struct err *err)
{
	const struct oci_runtime_config *config = child->plan->config;

	int r = runtime_run_hooks(config, OCI_HOOK_PRESTART, "created", child->pid, err);
	if (r == 0)
		r = runtime_run_hooks(config, OCI_HOOK_CREATE_RUNTIME, "created", child->pid, err);
	if (r == 0)
		(void)runtime_send_go(child); /* a dead child is found out by its silence */
	return r;
}

static int exit_code_of(const struct launch_plan *plan, const struct child_report *report)
{
	/* The peers' numbers, for what the user asked for and the container does not have. */
	if (report->step == CHILD_CWD)
		return plan->enters_container ? RUNTIME_NOT_FOUND : RUNTIME_CANNOT_EXECUTE;
	if (report->step != CHILD_EXEC)
		return RUNTIME_FAILED;
	return report->code == ENOENT || report->code == ENOTDIR ? RUNTIME_NOT_FOUND
								 : RUNTIME_CANNOT_EXECUTE;
}

int runtime_ready(struct runtime_child *child, struct err *err)
{
	struct child_report report;
	int fds[2];

	int r = receive_report(child, &report, fds);
	if (r > 0 && report.step == CHILD_HOOKS) {
		r = run_creation_hooks(child, err);
		if (r < 0) {
			runtime_abandon(child);
			return r;
		}
		r = receive_report(child, &report, fds);
	}
	if (r <= 0)
		return fail_without_report(child, err);
	child->console_fd = fds[0];
	if (report.step != CHILD_READY)
		return fail_with_report(child, &report, err);
	return 0;
}

int runtime_hold(struct runtime_child *child, int listen_fd, int *ret_exit_code, struct err *err)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { (char[]){ 'h' }, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct child_report report;
	int fds[2];

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &listen_fd, sizeof(listen_fd));
	(void)sendmsg(child->control_fd, &message,
		      MSG_NOSIGNAL); /* a dead child is found out by the next line */
	*ret_exit_code = RUNTIME_FAILED;
	int r = receive_report(child, &report, fds);
	if (r <= 0)
		return fail_without_report(child, err);
	if (report.step == CHILD_HELD)
		return 0;
	*ret_exit_code = exit_code_of(child->plan, &report);
	return fail_with_report(child, &report, err);
}

int runtime_adopt(const struct oci_runtime_config *config, pid_t pid, int pid_fd, int socket_fd,
		  struct runtime_child *ret_child, struct err *err)
{
	struct launch_plan *plan;
	int r = launch_plan_make(config, false, &plan, err);

	if (r < 0)
		return r;
	runtime_child_forget(ret_child);
	ret_child->pid = pid;
	ret_child->pid_fd = pid_fd;
	ret_child->control_fd = socket_fd;
	ret_child->plan = plan;
	return 0;
}

static int set_rlimit(pid_t pid, const struct plan_rlimit *limit, const char *name, struct err *err)
{
	struct rlimit now, wanted = limit->limit;

	if (prlimit(pid, limit->resource, &wanted, NULL) == 0)
		return 0;
	if (errno != EPERM || prlimit(pid, limit->resource, NULL, &now) < 0)
		return err_errno(err, "set limit '%s'", name);
	if (!limit->is_default)
		return err_set(err, EPERM,
			       "set limit '%s' to %llu: above the hard limit of %llu, which this "
			       "user may not raise",
			       name, (unsigned long long)wanted.rlim_max,
			       (unsigned long long)now.rlim_max);
	if (wanted.rlim_cur > now.rlim_max)
		wanted.rlim_cur = now.rlim_max;
	wanted.rlim_max = now.rlim_max;
	return prlimit(pid, limit->resource, &wanted, NULL) < 0
		       ? err_errno(err, "set limit '%s'", name)
		       : 0;
}

/* Set from outside, and last: ours may exceed those of a user namespace, and a limit on files or
 * memory is the command's business, not that of the mounts. */
static int set_rlimits(const struct runtime_child *child, struct err *err)
{
	const struct launch_plan *plan = child->plan;

	for (size_t i = 0; i < plan->rlimit_count; i++) {
		int r = set_rlimit(child->pid, &plan->rlimits[i],
				   plan->config->process.rlimits[i].type, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The process that is the command's to be, made by the one that has entered. It is a child of ours: whoever else has got
 * at the socket cannot name another. */
static int take_successor(struct runtime_child *child, pid_t pid, struct err *err)
{
	siginfo_t info;
	int status;

	if (!child->plan->enters_container || pid <= 0 || pid == child->pid ||
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return err_set(err, EPROTO, "the new process was named by a stranger");
	int pid_fd = pidfd_open_process(pid);
	if (pid_fd < 0)
		return err_errno(err, "open process %d", pid);
	/* It may be kept by its own filter from ending. */
	(void)pidfd_signal(child->pid_fd, SIGKILL);
	(void)process_reap(child->pid, &status);
	fd_close(&child->pid_fd);
	child->pid = pid;
	child->pid_fd = pid_fd;
	return 0;
}

/* A failure can be told by the new process before the other one has told who that is. */
static void await_successor(struct runtime_child *child)
{
	struct child_report report;
	struct err ignored; /* the failure is the one to tell */
	int fds[2];

	if (receive_report(child, &report, fds) > 0 && report.step == CHILD_CLONED)
		(void)take_successor(child, report.index, &ignored);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

/* The child waits: for this, and then for who takes the listener. */
static int hand_listener_on(struct runtime_child *child, int listener_fd, struct err *err)
{
	if (listener_fd < 0)
		return err_set(err, EPROTO, "the seccomp filter has no listener");
	int r = child->take_listener
			? child->take_listener(child->listener_data, child, listener_fd, err)
			: err_set(err, ENOTSUP, "nobody takes the seccomp filter's listener");
	close(listener_fd);
	return r;
}

int runtime_exec(struct runtime_child *child, int *ret_exit_code, struct err *err)
{
	struct child_report report;
	int fds[2];

	int r = set_rlimits(child, err);
	if (r < 0) {
		runtime_abandon(child);
		*ret_exit_code = RUNTIME_FAILED;
		return r;
	}
	/* A child that died meanwhile is found out by the next line. */
	(void)runtime_send_go(child);
	const pid_t entered = child->pid;
	while ((r = receive_report(child, &report, fds)) > 0 && report.code == 0) {
		if (report.step == CHILD_LISTENER)
			r = hand_listener_on(child, fds[0], err);
		else if (report.step == CHILD_CLONED)
			r = take_successor(child, report.index, err);
		else
			r = err_set(err, EPROTO, "the new process says what it should not");
		if (r < 0) {
			runtime_abandon(child);
			*ret_exit_code = RUNTIME_FAILED;
			return r;
		}
	}
	if (r > 0 && child->plan->enters_container && child->pid == entered)
		await_successor(child);
	bool is_there = !child->plan->enters_container || child->pid != entered;
	if (is_there && (r == 0 || r == -ECONNRESET)) {
		fd_close(&child->control_fd);
		launch_plan_free(take_ptr(&child->plan));
		return 0;
	}
	if (r <= 0) {
		*ret_exit_code = RUNTIME_FAILED;
		return fail_without_report(child, err);
	}
	*ret_exit_code = exit_code_of(child->plan, &report);
	return fail_with_report(child, &report, err);
}

void runtime_abandon(struct runtime_child *child)
{
	int status;

	if (child->pid > 0) {
		if (child->pid_fd >= 0)
			(void)pidfd_signal(child->pid_fd, SIGKILL);
		else
			(void)kill(child->pid,
				   SIGKILL); /* not reaped yet, so the pid is still its own */
		(void)process_reap(child->pid, &status);
	}
	runtime_child_clear(child);
}

void runtime_child_clear(struct runtime_child *child)
{
	fd_close(&child->pid_fd);
	fd_close(&child->console_fd);
	fd_close(&child->mount_ns_fd);
	fd_close(&child->net_ns_fd);
	fd_close(&child->control_fd);
	launch_plan_free(child->plan);
	runtime_child_forget(child);
}
