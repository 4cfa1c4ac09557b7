/* The state of a container, as the OCI runtime specification has it: what `state` prints and what hooks read. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct json_object;
struct oci_runtime_config;

/* What the documents of this runtime say that they keep to. */
#define OCI_RUNTIME_VERSION "1.2.0"

/* `pid` 0: there is none. From the configuration come ID, bundle and annotations. Owned by the caller. */
struct json_object *oci_runtime_state(const struct oci_runtime_config *config, const char *status,
				      pid_t pid);

/* The same as a text in which room is left for the number of a process that does not know its own yet; owned by the
 * caller. The number goes to *ret_pid_at, padded with blanks on the left to OCI_STATE_PID_WIDTH. */
#define OCI_STATE_PID_WIDTH 10
char *oci_runtime_state_text(const struct oci_runtime_config *config, const char *status,
			     size_t *ret_pid_at);
