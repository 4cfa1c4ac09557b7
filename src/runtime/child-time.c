/* A time namespace: the clocks that count from the start of the host, with an offset.
 *
 * Offsets can be set only until the first process is inside, and a new namespace is for children, not
 * for its maker. So it is made by unshare(2) instead of with the other namespaces; its maker then either
 * clones the container's process into it, or enters it by itself. See time_namespaces(7). */
#include "runtime/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/launch-plan.h"

static int write_offsets(struct child *child)
{
	const char *text = child->plan->time_offsets;

	if (!text)
		return 0;
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return child_fail(child, CHILD_TIME_OFFSETS, 0);
	int r = write(fd, text, strlen(text)) < 0 ? child_fail(child, CHILD_TIME_OFFSETS, 0) : 0;
	close(fd);
	return r;
}

int child_make_time_namespace(struct child *child)
{
	bool is_closed = child->plan->pid_namespace_is_joined;

	if (!child->plan->has_own_time_namespace || child->time_namespace_is_made)
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return child_fail(child, CHILD_TIME_NAMESPACE, 0);
	/* Our files in /proc are our own only as long as others may look into us. Those in the process
	 * namespace to be joined do not see us yet. */
	if (is_closed && prctl(PR_SET_DUMPABLE, 1) < 0)
		return child_fail(child, CHILD_TIME_NAMESPACE, 0);
	int r = write_offsets(child);
	if (is_closed && prctl(PR_SET_DUMPABLE, 0) < 0 && r == 0)
		r = child_fail(child, CHILD_TIME_NAMESPACE, 0);
	child->time_namespace_is_made = true;
	return r;
}

int child_enter_time_namespace(struct child *child)
{
	if (!child->plan->has_own_time_namespace || child->time_namespace_is_made)
		return 0;
	if (child_make_time_namespace(child) < 0)
		return -1;
	int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return child_fail(child, CHILD_TIME_NAMESPACE, 0);
	int r = setns(fd, CLONE_NEWTIME) < 0 ? child_fail(child, CHILD_TIME_NAMESPACE, 0) : 0;
	close(fd);
	return r;
}
