/* One more process in a container that runs: from its first instruction to the point where it only waits to become the
 * command.
 *
 * The namespaces have been joined, so "/" and what is below it belong to the container: nothing there is opened by name
 * but its terminals, and the host's /proc is reached by a descriptor that was opened before. /proc of the container may
 * be anything. The PID namespace has been joined for children only, so that nobody inside sees the process: what appears
 * there is a child without rights or descriptors of ours (exec-command.h), which also has the session and the terminal. */
#include <fcntl.h>
#include <unistd.h>

#include "runtime/child.h"

int child_enter(struct child *child, int *ret_master_fd)
{
	const struct launch_plan *plan = child->plan;

	child_wait_for_parent(child);
	if (child_enter_cgroups(child) < 0 || child_set_final_affinity(child) < 0 ||
	    child_become_root(child) < 0 || child_begin_session(child) < 0)
		return -1;
	child->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (child->root_fd < 0)
		return child_fail(child, CHILD_ROOT, 0);
	if (plan->config->process.terminal && child_make_terminal(child, ret_master_fd) < 0)
		return -1;
	return child_open_label(child) < 0 ? -1 : child_set_up_stdio(child);
}
