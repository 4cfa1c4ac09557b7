/* The hooks that run beside the container, not in it. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "oci/runtime-config.h"
#include "oci/runtime-state.h"
#include "runtime/hook.h"
#include "runtime/runtime.h"

int runtime_explain_hook(const struct oci_runtime_config *config, enum oci_hook_point point,
			 size_t index, int code, int wait_status, struct err *err)
{
	const char *name = oci_hook_point_names[point],
		   *path = config->hooks[point].items[index].path;

	if (code == ETIMEDOUT)
		return err_set(err, ETIMEDOUT, "hook %s[%zu] '%s': not done within %u seconds",
			       name, index, path,
			       config->hooks[point].items[index].timeout_seconds);
	if (code) {
		errno = code;
		return err_errno(err, "hook %s[%zu] '%s'", name, index, path);
	}
	if (WIFSIGNALED(wait_status))
		return err_set(err, ECANCELED, "hook %s[%zu] '%s': killed by signal %d", name,
			       index, path, WTERMSIG(wait_status));
	return err_set(err, ECANCELED, "hook %s[%zu] '%s': exit status %d", name, index, path,
		       WEXITSTATUS(wait_status));
}

int runtime_run_hooks(const struct oci_runtime_config *config, enum oci_hook_point point,
		      const char *status, pid_t pid, struct err *err)
{
	const struct oci_hooks *hooks = &config->hooks[point];
	bool goes_on = point == OCI_HOOK_POSTSTART || point == OCI_HOOK_POSTSTOP;

	if (!hooks->count)
		return 0;
	autojson struct json_object *state = oci_runtime_state(config, status, pid);
	const char *text = json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN);
	for (size_t i = 0; i < hooks->count; i++) {
		struct hook_end end;
		if (hook_run(&hooks->items[i], text, strlen(text), config->bundle_path, &end))
			continue;
		int r = runtime_explain_hook(config, point, i, end.code, end.wait_status, err);
		if (!goes_on)
			return r;
		log_warn("%s", err->text);
	}
	return 0;
}
