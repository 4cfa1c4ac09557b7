#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/netns.h"
#include "runtime/exec-command.h"

int child_fail_code(struct child *child, enum child_step step, int index, int code)
{
	child->report.step = step;
	child->report.index = index;
	child->report.detail = 0;
	child->report.code = code < 0 ? -code : code;
	child->report.said[0] = '\0';
	return -1;
}

int child_fail(struct child *child, enum child_step step, int index)
{
	return child_fail_code(child, step, index, errno);
}

_Noreturn void child_report_and_exit(struct child *child)
{
	(void)send(child->control_fd, &child->report, sizeof(child->report), MSG_NOSIGNAL);
	_exit(1);
}

/* Wait for the parent's go. When it is gone there is nobody to live for. */
void child_wait_for_parent(struct child *child)
{
	char byte;
	ssize_t n;

	do
		n = recv(child->control_fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1);
}

/* The same, and the go brings what the mapper has mounted. */
static void wait_for_mounts(struct child *child)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(child->mapped_fds))];
	} control = { 0 };
	size_t size = child->plan->mapped_count * sizeof(int);
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n;

	do
		n = recvmsg(child->control_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != 1 || control.header.cmsg_type != SCM_RIGHTS ||
	    control.header.cmsg_len != CMSG_LEN(size))
		_exit(1);
	memcpy(child->mapped_fds, CMSG_DATA(&control.header), size);
}

/* "go" from our parent, or a socket: then he leaves, and somebody else will say it there. */
static void wait_for_start(struct child *child)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n;
	int listen_fd;

	do
		n = recvmsg(child->control_fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(1);
	if (message.msg_controllen < CMSG_LEN(sizeof(int)) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&listen_fd, CMSG_DATA(&control.header), sizeof(listen_fd));
	child_hold(child, listen_fd);
}

/* No failure, with up to two descriptors, the first of which decides whether there are any. */
static void tell(struct child *child, enum child_step step, int first_fd, int second_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	int fds[2] = { first_fd, second_fd };
	size_t size = second_fd >= 0 ? sizeof(fds) : sizeof(fds[0]);
	struct iovec part = { &child->report, sizeof(child->report) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	child_fail_code(child, step, 0, 0);
	if (first_fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(size);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.header), fds, size);
	}
	if (sendmsg(child->control_fd, &message, MSG_NOSIGNAL) < 0)
		_exit(1);
	if (first_fd >= 0)
		close(first_fd);
	if (second_fd >= 0)
		close(second_fd);
}

/* Our /proc is closed to the parent, see close_to_others() in runtime.c. */
static int send_namespaces(struct child *child)
{
	int mount_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int network_fd = child->plan->has_own_network_namespace
				 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)
				 : -1;

	if (mount_fd < 0 || (child->plan->has_own_network_namespace && network_fd < 0))
		return child_fail(child, CHILD_START, 0);
	tell(child, CHILD_NAMESPACES, mount_fd, network_fd);
	return 0;
}

/* ---- before the mounts ---- */

int child_enter_cgroups(struct child *child)
{
	for (size_t i = 0; i < child->cgroup_fd_count; i++)
		if (write(child->cgroup_fds[i], "0", 1) < 0)
			return child_fail(child, CHILD_CGROUP, (int)i);
	return 0;
}

int child_become_root(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (!plan->is_in_user_namespace || plan->root_is_other)
		return 0;
	if (setresgid(plan->root_gid, plan->root_gid, plan->root_gid) < 0 ||
	    setresuid(plan->root_uid, plan->root_uid, plan->root_uid) < 0)
		return child_fail(child, CHILD_IDS, 0);
	return 0;
}

/* While we are the user, with root's capabilities for IDs that are mapped, as the user's has to be. */
static int give_paths_away(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	const struct strlist *paths = &plan->config->own_paths;

	for (size_t i = 0; i < paths->count; i++)
		if (fchownat(AT_FDCWD, paths->items[i], plan->root_uid, plan->root_gid,
			     AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return child_fail(child, CHILD_OWN_PATH, (int)i);
	return 0;
}

/* For files only: real and effective IDs stay those of the user, who enters our namespaces for the
 * network. */
static int become_other_root(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	(void)setfsgid(plan->root_gid);
	(void)setfsuid(plan->root_uid);
	if ((gid_t)setfsgid((gid_t)-1) != plan->root_gid ||
	    (uid_t)setfsuid((uid_t)-1) != plan->root_uid)
		return child_fail_code(child, CHILD_IDS, 0, EPERM);
	/* A change of these IDs closes /proc/PID, even to the user. */
	if (!plan->pid_namespace_is_joined && prctl(PR_SET_DUMPABLE, 1) < 0)
		return child_fail(child, CHILD_IDS, 0);
	return 0;
}

/* One that was made before has its loopback interface up. */
static int prepare_network(struct child *child)
{
	if (!child->plan->has_own_network_namespace || child->net_ns_fd >= 0)
		return 0;
	return netns_bring_up_loopback() < 0 ? child_fail(child, CHILD_LOOPBACK, 0) : 0;
}

static int set_names(struct child *child)
{
	const struct oci_runtime_config *config = child->plan->config;

	if (config->hostname && *config->hostname &&
	    sethostname(config->hostname, strlen(config->hostname)) < 0)
		return child_fail(child, CHILD_HOSTNAME, 0);
	if (config->domainname && *config->domainname &&
	    setdomainname(config->domainname, strlen(config->domainname)) < 0)
		return child_fail(child, CHILD_DOMAINNAME, 0);
	return 0;
}

int child_begin_session(struct child *child)
{
	if (setsid() < 0 && errno != EPERM)
		return child_fail(child, CHILD_START, 0);
	/* The caller's keys are not the container's. Kernels without keyrings are fine. */
	if (!child->plan->config->no_new_keyring &&
	    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
	    errno != EDQUOT && errno != EPERM && errno != EACCES)
		return child_fail(child, CHILD_KEYRING, 0);
	return 0;
}

static int enter_namespaces(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (child->net_ns_fd >= 0 && setns(child->net_ns_fd, CLONE_NEWNET) < 0)
		return child_fail(child, CHILD_JOIN, OCI_NS_NETWORK);
	if (plan->pid_namespace_is_joined && send_namespaces(child) < 0)
		return -1;
	if (plan->mapped_count)
		wait_for_mounts(child);
	else if (child->wait_for_start)
		child_wait_for_parent(child);
	if (child_enter_cgroups(child) < 0)
		return -1;
	if (plan->opens_early && (child_open_root(child) < 0 || child_open_bind_sources(child) < 0))
		return -1;
	/* Before the IDs change: that would close our own /proc to us. */
	if (child_enter_time_namespace(child) < 0)
		return -1;
	if (child_become_root(child) < 0)
		return -1;
	if ((plan->unshare_cgroup || plan->config->namespaces[OCI_NS_CGROUP].path) &&
	    plan->shows_cgroup_v1 && child_read_cgroups(child) < 0)
		return -1;
	if (plan->unshare_cgroup && unshare(CLONE_NEWCGROUP) < 0)
		return child_fail(child, CHILD_CGROUP_NAMESPACE, 0);
	if (child_begin_session(child) < 0)
		return -1;
	if (set_names(child) < 0)
		return -1;
	return prepare_network(child);
}

/* ---- file systems ---- */

/* The host's /proc shows each process the settings of its own namespaces. */
static int write_sysctls(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (!plan->sysctl_count)
		return 0;
	int dir_fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return child_fail(child, CHILD_SYSCTL, 0);
	for (size_t i = 0; i < plan->sysctl_count; i++) {
		const char *value = plan->sysctls[i].value;
		int fd = openat(dir_fd, plan->sysctls[i].path, O_WRONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : write(fd, value, strlen(value));
		if (n < 0) {
			child_fail(child, CHILD_SYSCTL, (int)i);
			if (fd >= 0)
				close(fd);
			close(dir_fd);
			return -1;
		}
		close(fd);
	}
	close(dir_fd);
	return 0;
}

int child_open_proc(struct child *child, const char *path, int flags)
{
	char absolute[64] = "/proc/";
	size_t at = strlen(absolute), size = strlen(path);

	if (child->proc_fd >= 0)
		return openat(child->proc_fd, path, flags | O_CLOEXEC);
	if (at + size >= sizeof(absolute)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(absolute + at, path, size + 1);
	return open(absolute, flags | O_CLOEXEC);
}

int child_open_label(struct child *child)
{
	const struct oci_process *process = &child->plan->config->process;

	if (!process->apparmor_profile && !process->selinux_label)
		return 0;
	if (process->apparmor_profile)
		child->label_fd = child_open_proc(child, "self/attr/apparmor/exec", O_WRONLY);
	if (child->label_fd < 0) /* kernels without a directory for each module */
		child->label_fd = child_open_proc(child, "self/attr/exec", O_WRONLY);
	return child->label_fd < 0 ? child_fail(child, CHILD_LABEL, 0) : 0;
}

static int control_number(const struct child *child)
{
	return EXEC_CONTROL_FD + (int)child->plan->config->process.preserve_fds;
}

int child_set_up_stdio(struct child *child)
{
	const struct oci_process *process = &child->plan->config->process;
	int fds[3], null_fd = -1;

	for (int i = 0; i < 3; i++) {
		fds[i] = child->terminal_fd >= 0 ? child->terminal_fd : child->stdio[i];
		if (fds[i] < 0) {
			if (null_fd < 0)
				null_fd = child_open_null(child);
			fds[i] = null_fd;
		}
		/* Out of the way of 0, 1, 2 before those are overwritten. */
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, control_number(child) + 1);
		if (fds[i] < 0)
			return child_fail(child, CHILD_STDIO, i);
	}
	for (int i = 0; i < 3; i++) {
		struct stat st;
		if (dup2(fds[i], i) < 0)
			return child_fail(child, CHILD_STDIO, i);
		/* Programs open /dev/stderr anew, which asks for the pipe's permissions. What is
		 * not ours to give stays as it is. */
		if (process->uid && fstat(i, &st) == 0 && S_ISFIFO(st.st_mode))
			(void)fchown(i, process->uid, (gid_t)-1);
	}
	if (child->terminal_fd >= 0 && !child->plan->enters_container && ioctl(0, TIOCSCTTY, 0) < 0)
		return child_fail(child, CHILD_TERMINAL, 0);
	return 0;
}

/* Give the descriptor this very number, close-on-exec if `flags` says so. */
static int move_fd(int *fd, int number, int flags)
{
	if (*fd == number)
		return 0;
	if (dup3(*fd, number, flags) < 0)
		return -1;
	*fd = number;
	return 0;
}

/* What the command inherits has been there since before any descriptor of ours was made. */
static int open_preserved(struct child *child)
{
	for (int fd = EXEC_CONTROL_FD; fd < control_number(child); fd++)
		if (fcntl(fd, F_SETFD, 0) < 0)
			return child_fail(child, CHILD_STDIO, 0);
	return 0;
}

/* The control socket becomes 3, the stub or the label 4 (or as much more as descriptors are kept for
 * the command), and everything above goes, so that no path like /proc/self/fd/7 leads to something
 * of the host. */
static int close_the_rest(struct child *child)
{
	/* There is never a stub beside a label. */
	int *second = child->stub_fd >= 0    ? &child->stub_fd
		      : child->label_fd >= 0 ? &child->label_fd
					     : NULL;
	int control = control_number(child), first = control + 1;

	/* Out of the way of what comes to its number. */
	if (second && *second == control) {
		*second = fcntl(*second, F_DUPFD_CLOEXEC, control + 2);
		if (*second < 0)
			return child_fail(child, CHILD_STDIO, 0);
	}
	if (move_fd(&child->control_fd, control, O_CLOEXEC) < 0)
		return child_fail(child, CHILD_STDIO, 0);
	if (second) {
		if (move_fd(second, first, child->stub_fd >= 0 ? 0 : O_CLOEXEC) < 0)
			return child_fail(child, CHILD_STDIO, 0);
		first++;
	}
	/* The stub is the one program that inherits them. */
	if (child->stub_fd >= 0 &&
	    (fcntl(control, F_SETFD, 0) < 0 || fcntl(child->stub_fd, F_SETFD, 0) < 0))
		return child_fail(child, CHILD_STDIO, 0);
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) < 0)
		return child_fail(child, CHILD_STDIO, 0);
	return open_preserved(child);
}

static int run_creation_hooks(struct child *child)
{
	if (!child->plan->has_creation_hooks)
		return 0;
	tell(child, CHILD_HOOKS, -1, -1);
	child_wait_for_parent(child);
	return child_run_hooks(child, OCI_HOOK_CREATE_CONTAINER);
}

static int make_file_systems(struct child *child, int *ret_master_fd)
{
	const struct launch_plan *plan = child->plan;

	/* Clones of mounts that shall stay connected to the host are taken while they are. */
	if (plan->bind_before_private && !plan->opens_early && child_open_bind_sources(child) < 0)
		return -1;
	if (child_make_private(child) < 0)
		return -1;
	if (!plan->bind_before_private && child_open_bind_sources(child) < 0)
		return -1;
	if (plan->root_is_other && (give_paths_away(child) < 0 || child_open_layers(child) < 0 ||
				    become_other_root(child) < 0))
		return -1;
	if (child_mount_root(child) < 0 || child_mount_all(child) < 0 ||
	    child_make_devices(child) < 0)
		return -1;
	if (plan->config->process.terminal && child_make_terminal(child, ret_master_fd) < 0)
		return -1;
	if (write_sysctls(child) < 0 || child_mask_paths(child) < 0 ||
	    child_open_label(child) < 0 || child_set_up_stdio(child) < 0)
		return -1;
	if (run_creation_hooks(child) < 0)
		return -1;
	return child_pivot(child);
}

/* ---- the command ---- */

static int make_directories(char *path)
{
	for (char *at = path + 1;; at++) {
		if (*at && *at != '/')
			continue;
		char saved = *at;
		*at = '\0';
		int r = mkdir(path, 0755);
		*at = saved;
		if (r < 0 && errno != EEXIST)
			return -1;
		if (!saved)
			return 0;
	}
}

/* The directory has to be reachable from the new root: a name like /proc/self/fd/7/ of an image
 * could otherwise lead to one of the host. */
static int enter_working_directory(struct child *child)
{
	const char *cwd = child->plan->cwd;
	char path[4096];
	size_t size = strlen(cwd);

	int r = chdir(cwd);
	if (r < 0 && errno == ENOENT && size < sizeof(path) && !child->plan->enters_container &&
	    !child->plan->config->process.cwd_must_exist) {
		memcpy(path, cwd, size + 1);
		r = make_directories(path);
		if (r == 0)
			r = chdir(cwd);
	}
	/* Some file systems let their users in, but no root: try again as the user. */
	bool again = r < 0 && errno == EACCES && !child->cwd_is_open;
	child->cwd_is_open = again;
	if (again)
		return 0;
	if (r < 0)
		return child_fail(child, CHILD_CWD, 0);
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return child_fail(child, CHILD_CWD, 0);
	return path[0] == '/' ? 0 : child_fail_code(child, CHILD_CWD, 0, EXDEV);
}

static void reset_signals(void)
{
	/* The kernel's form, all zero: the default action. sigaction(2) of the C library refuses the two
	 * signals that it keeps for threads, yet a caller may have had those ignored too. */
	const unsigned long action[4] = { 0 };
	sigset_t none;

	/* CLONE_CLEAR_SIGHAND took the handlers; what was ignored still is. */
	for (int i = 1; i < NSIG; i++)
		(void)syscall(SYS_rt_sigaction, i, action, NULL,
			      NSIG / 8); /* KILL and STOP refuse */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_label(struct child *child)
{
	const struct oci_process *process = &child->plan->config->process;
	char text[512] = "";
	const char *label = process->selinux_label;

	if (child->label_fd < 0)
		return 0;
	if (process->apparmor_profile) {
		size_t size = strlen(process->apparmor_profile);
		if (size + 6 > sizeof(text))
			return child_fail_code(child, CHILD_LABEL, 0, ENAMETOOLONG);
		memcpy(text, "exec ", 5);
		memcpy(text + 5, process->apparmor_profile, size + 1);
		label = text;
	}
	if (write(child->label_fd, label, strlen(label)) < 0)
		return child_fail(child, CHILD_LABEL, 0);
	close(child->label_fd);
	return 0;
}

void child_main(struct child *child)
{
	const struct launch_plan *plan = child->plan;
	mode_t inherited_umask = umask(0);
	int master_fd = -1;

	int r = plan->enters_container	      ? child_enter(child, &master_fd)
		: enter_namespaces(child) < 0 ? -1
					      : make_file_systems(child, &master_fd);
	if (r < 0)
		child_report_and_exit(child);
	child_make_stub(child);
	tell(child, CHILD_READY, master_fd, -1);
	if (close_the_rest(child) < 0)
		child_report_and_exit(child);

	wait_for_start(child);
	if (child_run_hooks(child, OCI_HOOK_START_CONTAINER) < 0 ||
	    enter_working_directory(child) < 0)
		child_report_and_exit(child);
	umask(plan->config->process.umask >= 0 ? (mode_t)plan->config->process.umask
					       : inherited_umask);
	reset_signals();
	if (child_set_scheduling(child) < 0 || set_label(child) < 0 ||
	    child_become_user(child) < 0 ||
	    (child->cwd_is_open && enter_working_directory(child) < 0) ||
	    child_drop_privileges(child) < 0 || child_execute(child) < 0)
		child_report_and_exit(child);
	_exit(1);
}
