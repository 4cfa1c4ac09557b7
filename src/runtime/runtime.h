/* From a runtime configuration to a running process.
 *
 * Three steps, so that the caller can give the network namespace its connections while the child is
 * still mounting:
 *
 *	runtime_spawn()   clone3() of all new namespaces, into the cgroup where the kernel can; ID
 *	                  maps. The child goes on by itself: mounts, devices, masks, sysctls.
 *	…                 the caller connects the network namespace of runtime_child.pid
 *	runtime_ready()   waits until the child has done all that; its failure, if any, is put into
 *	                  words here
 *	runtime_exec()    lets it drop privileges, set the filter and execve(2) the command
 *
 * The child is a child of the calling process, which stays its parent: no re-parenting, no
 * subreaper. The calling process has no threads, and itself joins no namespace: where namespaces
 * are to be joined a helper process does so and clones a sibling of itself (CLONE_PARENT).
 * The configuration has to stay as it is until runtime_exec() or runtime_abandon() has returned.
 * See the OCI runtime specification 1.2, "Lifecycle". */
#pragma once

#include <sys/types.h>

#include "oci/runtime-config.h"

struct cgroup;
struct err;
struct launch_plan;
struct oci_process;
struct seccomp_filter;

struct runtime_child {
	pid_t pid;
	int pid_fd;
	int console_fd;		    /* the terminal's master side, -1 without process.terminal */
	int mount_ns_fd, net_ns_fd; /* held, so that the end of the last process does not have to
				    wait for unmounts; -1 where no such namespace was made */
	/* Is given the listener of a filter that has one, when the filter is set and the command is yet to be executed;
	 * borrowed. NULL, as it is after runtime_spawn(): then such a filter is an error. */
	int (*take_listener)(void *data, const struct runtime_child *child, int listener_fd,
			     struct err *err);
	void *listener_data;
	int control_fd;		  /* ours to the child; internal */
	struct launch_plan *plan; /* owned; internal */
};

struct runtime_stdio {
	int fds[3]; /* the child's 0, 1, 2; borrowed; -1: /dev/null. Not used with process.terminal
		     */
};

enum runtime_failure {
	RUNTIME_FAILED = 125,	      /* the set-up failed */
	RUNTIME_CANNOT_EXECUTE = 126, /* the command is there but cannot be run */
	RUNTIME_NOT_FOUND = 127,      /* there is no such command */
};

/* Namespaces that are there already, to be used instead of new ones; borrowed; -1: none. */
struct runtime_namespaces {
	int user_fd; /* its map is that of the configuration */
	int network_fd; /* empty but for a loopback interface that is up. Used where the configuration wants one of
			   its own, and no user namespace */
};

#define RUNTIME_NAMESPACES_NONE ((struct runtime_namespaces){ -1, -1 })

/* `cgroup` may be NULL. On failure nothing is left behind. */
int runtime_spawn(const struct oci_runtime_config *config, const struct cgroup *cgroup,
		  const struct runtime_namespaces *made, const struct runtime_stdio *stdio,
		  struct runtime_child *ret_child, struct err *err);
/* A container that runs, as who wants to put a process into it knows it. */
struct runtime_target {
	pid_t pid;  /* of its first process; any other of its processes would do */
	int pid_fd; /* of that process, borrowed: opened when it was certain that `pid` is the one */
	const struct cgroup *cgroup; /* the container's, borrowed; NULL: stay in the caller's */
	char *systemd_socket; /* for moving there what the caller may not move; owned, or NULL */
};

/* One more process in a container that runs (exec): it joins all namespaces of the container that are not ours anyway,
 * and its control group, and takes user, groups, capabilities, limits, filter, label, umask, environment, directory and
 * terminal from `process`, as the first process took them from the configuration. `filter` may be NULL, and `recording`, the one that records (seccomp_recording). What follows is
 * the same as after runtime_spawn(): runtime_ready() gives the terminal's master side, and runtime_exec() lets the
 * command run, with the same exit codes on failure. The process is a child of the caller.
 *
 * From inside the container nobody sees the process before it has only what the command has. It comes with
 * runtime_exec(): until then `pid` is the one that makes it, outside of the PID namespace. And "/proc/self/exe" of the
 * command never leads to our program. A working directory that does not exist is an error, other than at the start.
 *
 * Process and filter have to stay as they are until runtime_exec() or runtime_abandon() has returned. -ESRCH: the
 * container has ended. On failure nothing is left behind. Works for root, and for the user who made the container. */
int runtime_enter(const struct runtime_target *target, const struct oci_process *process,
		  const struct seccomp_filter *filter, const struct seccomp_filter *recording,
		  const struct runtime_stdio *stdio, struct runtime_child *ret_child,
		  struct err *err);

/* On failure the child is gone and reaped, and the struct is cleared. */
int runtime_ready(struct runtime_child *child, struct err *err);

/* On failure *ret_exit_code is one of enum runtime_failure, and the child is gone and reaped. On
 * success the descriptors stay open; runtime_child_clear() them when they are not wanted. */
int runtime_exec(struct runtime_child *child, int *ret_exit_code, struct err *err);

/* Between runtime_ready() and the start: leave the child waiting on its own, so that the caller can end. It then listens
 * on the socket (AF_UNIX, SOCK_SEQPACKET; borrowed), until runtime_exec() is called by a process that has connected there
 * and adopted it. A command that does not exist is an error already here. Afterwards runtime_child_clear() the child. */
int runtime_hold(struct runtime_child *child, int listen_fd, int *ret_exit_code, struct err *err);

/* A child that runtime_hold() has left, made ready for runtime_exec(). The configuration has to be the same. The
 * descriptors become the child's on success. */
int runtime_adopt(const struct oci_runtime_config *config, pid_t pid, int pid_fd, int socket_fd,
		  struct runtime_child *ret_child, struct err *err);

/* Run the hooks of a point that is beside the container: prestart and createRuntime (runtime_ready() does that), poststart
 * and poststop, whose failures are warned about only. `pid` 0: there is no process any more. */
int runtime_run_hooks(const struct oci_runtime_config *config, enum oci_hook_point point,
		      const char *status, pid_t pid, struct err *err);
/* Why a hook failed; `code` an errno, or 0 and what wait(2) said. Returns a negative errno. */
int runtime_explain_hook(const struct oci_runtime_config *config, enum oci_hook_point point,
			 size_t index, int code, int wait_status, struct err *err);

/* Send the listener of a filter to the agent whose socket the configuration names, with the state of the container
 * ("Container Process State" of config-linux.md). `pid` is the process with the filter, `container_pid` the container's first. */
int runtime_send_listener(const struct oci_runtime_config *config, const char *status,
			  pid_t container_pid, pid_t pid, int listener_fd, struct err *err);

/* Kill and reap a child that is not wanted any more. */
void runtime_abandon(struct runtime_child *child);
void runtime_child_clear(
	struct runtime_child *child); /* closes the descriptors; the process lives on */
