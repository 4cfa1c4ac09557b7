/* The last part: from root of the container to the user, capabilities and filter of its command. */
#include "runtime/child.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/exec-command.h"

#define CAPABILITY_MAX 63

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
		  (uint32_t)(inheritable >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

static int drop_bounding(uint64_t keep)
{
	for (int i = 0; i <= CAPABILITY_MAX; i++) {
		if (keep & (UINT64_C(1) << i))
			continue;
		/* Past the last one that the kernel has: done. */
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : -1;
	}
	return 0;
}

static int raise_ambient(uint64_t ambient)
{
	for (int i = 0; ambient >> i; i++)
		if ((ambient & (UINT64_C(1) << i)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -1;
	return 0;
}

/* Returns the listener, if the filter has one. The key opens the door of the filter that is set already. */
static int set_one_filter(struct child *child, const struct seccomp_filter *filter)
{
	const uint64_t *key = child->plan->filter_key;
	struct sock_fprog program = {
		.len = (unsigned short)filter->count,
		.filter = filter->instructions,
	};

	int r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags, &program, key[0],
			     key[1], key[2]);
	return r < 0 ? child_fail(child, CHILD_SECCOMP, 0) : r;
}

/* From the first call to the last one here nobody answers yet, so that each has to have the key. */
static int set_listening_filter(struct child *child)
{
	const uint64_t *key = child->plan->filter_key;
	struct exec_message message;

	int fd = set_one_filter(child, &child->plan->listening);
	if (fd < 0)
		return -1;
	child_fail_code(child, CHILD_LISTENER, 0, 0);
	exec_message(&message, &child->report, fd);
	if (syscall(SYS_sendmsg, child->control_fd, &message.header, MSG_NOSIGNAL, key[0], key[1],
		    key[2]) < 0)
		return child_fail(child, CHILD_SECCOMP, 0);
	/* As long as we had it, too, the end of who answers would leave us waiting. */
	(void)syscall(SYS_close, fd, 0, 0, key[0], key[1], key[2]);
	return 0;
}

static int set_filters(struct child *child)
{
	const struct launch_plan *plan = child->plan;

	if (plan->listening.count && set_listening_filter(child) < 0)
		return -1;
	return plan->filter.count && set_one_filter(child, &plan->filter) < 0 ? -1 : 0;
}

int child_become_user(struct child *child)
{
	const struct oci_process *process = &child->plan->config->process;

	if (drop_bounding(process->capabilities.bounding) < 0)
		return child_fail(child, CHILD_CAPABILITIES, 0);
	if (!child->plan->keeps_groups &&
	    setgroups(process->additional_gid_count, process->additional_gids) < 0) {
		/* A one-ID mapping keeps the groups of the user who calls. */
		if (errno != EPERM || !child->plan->groups_are_fixed)
			return child_fail(child, CHILD_GROUPS, 0);
	}
	if (process->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return child_fail(child, CHILD_CAPABILITIES, 0);
	if (setresgid(process->gid, process->gid, process->gid) < 0 ||
	    setresuid(process->uid, process->uid, process->uid) < 0)
		return child_fail(child, CHILD_USER, 0);
	return 0;
}

int child_drop_privileges(struct child *child)
{
	const struct oci_process *process = &child->plan->config->process;
	const struct capability_sets *caps = &process->capabilities;

	if (!process->no_new_privileges &&
	    (child->plan->filter.count || child->plan->listening.count)) {
		/* Without no_new_privs a filter needs CAP_SYS_ADMIN, so it comes before the
		 * capabilities go, and has to allow capset(2) and prctl(2). Leaving root has
		 * emptied the effective set. */
		if (process->uid != 0 &&
		    set_capabilities(UINT64_C(1) << CAP_SYS_ADMIN | caps->permitted,
				     UINT64_C(1) << CAP_SYS_ADMIN | caps->permitted, 0) < 0)
			return child_fail(child, CHILD_CAPABILITIES, 0);
		int r = set_filters(child);
		if (r < 0)
			return r;
	}
	if (set_capabilities(caps->effective, caps->permitted, caps->inheritable) < 0 ||
	    raise_ambient(caps->ambient) < 0)
		return child_fail(child, CHILD_CAPABILITIES, 0);
	if (!process->no_new_privileges)
		return child->stub_fd >= 0 ? 0 : child_enter_pid_namespace(child);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return child_fail(child, CHILD_CAPABILITIES, 0);
	/* The stub sets it, so that the filter need not allow what executes the stub. */
	if (child->stub_fd >= 0)
		return 0;
	return set_filters(child) < 0 ? -1 : child_enter_pid_namespace(child);
}
