#include "oci/runtime-state.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "oci/runtime-config.h"

#define PLACEHOLDER 2147483647 /* as wide as a number can be */

struct json_object *oci_runtime_state(const struct oci_runtime_config *config, const char *status,
				      pid_t pid)
{
	struct json_object *state = json_object_new_object();

	json_add_string(state, "ociVersion", OCI_RUNTIME_VERSION);
	json_add_string(state, "id", config->id);
	json_add_string(state, "status", status);
	if (pid > 0)
		json_add_int(state, "pid", pid);
	json_add_string(state, "bundle", config->bundle_path);
	if (config->annotations.count)
		json_object_object_add(state, "annotations", json_from_pairs(&config->annotations));
	return state;
}

char *oci_runtime_state_text(const struct oci_runtime_config *config, const char *status,
			     size_t *ret_pid_at)
{
	autojson struct json_object *state = oci_runtime_state(config, status, PLACEHOLDER);
	char *text = xstrdup(json_text(state));
	char *at = strstr(text, "\"pid\":"); /* comes before all that is not ours */

	*ret_pid_at = (size_t)(at - text) + strlen("\"pid\":");
	return text;
}
