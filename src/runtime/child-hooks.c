/* Hooks in the container's first process: createContainer with the host's files still in sight, startContainer with the
 * container's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/child.h"
#include "runtime/hook.h"

int child_run_hooks(struct child *child, enum oci_hook_point point)
{
	const struct oci_hooks *hooks = &child->plan->config->hooks[point];
	const struct plan_state *state = &child->plan->hook_states[point];

	if (!hooks->count)
		return 0;
	/* Our own number, in our process namespace. The text is ours since the clone. */
	char *digit = state->text + state->pid_at + OCI_STATE_PID_WIDTH;
	memset(state->text + state->pid_at, ' ', OCI_STATE_PID_WIDTH);
	for (pid_t rest = getpid(); rest > 0; rest /= 10)
		*--digit = (char)('0' + rest % 10);
	for (size_t i = 0; i < hooks->count; i++) {
		struct hook_end end;
		if (hook_run(&hooks->items[i], state->text, strlen(state->text), NULL, &end))
			continue;
		child_fail_code(child, CHILD_HOOK, (int)i, end.code ? end.code : ECANCELED);
		child->report.detail = point;
		child->report.wait_status = end.code ? 0 : end.wait_status;
		return -1;
	}
	return 0;
}
