/* Recording what a container asks of the kernel: --seccomp-record and --cap-record.
 *
 * Beside the filter that protects, the container gets one that refuses nothing but notifies each call of what is asked
 * for. A recorder, a process of its own (recorder.h), answers and writes the files. It is started by the launcher when
 * the container's first process hands the listener over, and ends by itself when the last process of the container has
 * ended. Calls that the protecting filter refuses are not notified: the stricter answer counts. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct container_spec;
struct engine;
struct err;
struct oci_runtime_config;
struct runtime_child;

bool recording_is_wanted(const struct container_spec *spec);

/* Whether its files can be written, for errors before there is a container. */
int recording_check(const struct container_spec *spec, struct err *err);

/* The filter that notifies, into the configuration; nothing if nothing is to be recorded. */
int recording_plan(const struct container_spec *spec, struct oci_runtime_config *config,
		   struct err *err);

/* Who takes listeners of one container: for runtime_child.take_listener, as its data. All borrowed. */
struct recording {
	const struct engine *engine;
	const struct container_spec *spec;
	const struct oci_runtime_config *config;
	const char *run_dir;
	pid_t container_pid; /* for recording_take_other() */
	const char *
		directory; /* of the container: what is recorded is kept there from one start to the next */
};

/* Of the first process: starts the recorder, or brings the listener to the agent of SCMP_ACT_NOTIFY. */
int recording_take_first(void *recording, const struct runtime_child *child, int listener_fd,
			 struct err *err);
/* Of one more process: brings it to the recorder or the agent. */
int recording_take_other(void *recording, const struct runtime_child *child, int listener_fd,
			 struct err *err);

/* The container has ended: wait until the recorder has written all that it knows. */
void recording_await(const struct container_spec *spec, const char *run_dir);
