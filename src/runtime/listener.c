/* The listener of SCMP_ACT_NOTIFY on its way to the agent that answers. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/local-socket.h"
#include "oci/runtime-config.h"
#include "oci/runtime-state.h"
#include "runtime/runtime.h"

static int connect_agent(const char *path, struct err *err)
{
	int fd = local_socket_connect(SOCK_STREAM, AT_FDCWD, path);

	return fd < 0 ? err_set(err, -fd,
				"linux.seccomp.listenerPath '%s': %s; is the agent running that "
				"listens there?",
				path, strerror(-fd))
		      : fd;
}

/* The descriptor goes with the first byte; the rest of the text may take more than one turn. */
static int send_all(int socket_fd, const char *text, int listener_fd)
{
	size_t size = strlen(text);
	ssize_t n = fd_send(socket_fd, text, size, listener_fd);

	if (n < 0)
		return (int)n;
	for (size_t at = (size_t)n; at < size; at += (size_t)n) {
		n = send(socket_fd, text + at, size - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

int runtime_send_listener(const struct oci_runtime_config *config, const char *status,
			  pid_t container_pid, pid_t pid, int listener_fd, struct err *err)
{
	autojson struct json_object *document = json_object_new_object();
	struct json_object *names = json_object_new_array();
	autoclose int fd = connect_agent(config->seccomp_listener_path, err);

	json_object_array_add(names, json_object_new_string("seccompFd"));
	json_add_string(document, "ociVersion", OCI_RUNTIME_VERSION);
	json_object_object_add(document, "fds", names);
	json_add_int(document, "pid", pid);
	if (config->seccomp_listener_metadata)
		json_add_string(document, "metadata", config->seccomp_listener_metadata);
	json_object_object_add(document, "state", oci_runtime_state(config, status, container_pid));
	if (fd < 0)
		return fd;
	int r = send_all(fd, json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN),
			 listener_fd);
	if (r < 0)
		return err_set(err, -r, "send the seccomp listener to '%s': %s",
			       config->seccomp_listener_path, strerror(-r));
	return 0;
}
