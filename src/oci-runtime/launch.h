/* Making containers: what create and run, and partly start and exec, have in common. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"

struct container;
struct oci_process;
struct oci_runtime_config;
struct err;
struct program;
struct runtime_child;

struct create_args {
	const char *bundle, *console_socket, *pid_file;
	bool no_pivot, no_new_keyring;
	int64_t preserve_fds;
	bool detach, keep, no_subreaper; /* run only */
};
extern const struct option_spec create_options[], run_options[];

/* The bundle's container, with its state, control group and first process, which is ready for runtime_exec(); its
 * terminal has been handed over or is *ret_child's. On failure nothing is left of it but what its hooks made, and the
 * hooks poststop have run. `in_foreground`: we stay, and mind the terminal where nobody else does. */
int launch_container(const struct program *program, const char *id, const struct create_args *args,
		     bool in_foreground, struct container **ret_container,
		     struct runtime_child *ret_child, struct err *err);

/* What must be open for the command to inherit it. */
int launch_check_preserved(int64_t count, struct err *err);

/* Without the capabilities that we cannot grant, as the specification wants it: with a warning. */
void launch_limit_capabilities(const struct oci_runtime_config *config,
			       struct oci_process *process);

/* A number, in one step, for whoever waits for the file. `path` may be NULL. */
int launch_write_pid_file(const char *path, int pid, struct err *err);

/* Send the terminal's master side to the socket, and close it. */
int launch_send_console(const char *socket_path, struct runtime_child *child, struct err *err);

/* For runtime_child.take_listener, with the container as its data: to the agent that config.json names. */
int launch_pass_listener(void *container, const struct runtime_child *child, int listener_fd,
			 struct err *err);

/* In the foreground: pass signals, and what is typed and said where there is a terminal, until the child has ended.
 * Returns its exit code, 128 + n after signal n. */
int launch_wait(struct runtime_child *child, struct err *err);
