/* create, run, start: the beginning of a container. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci-runtime/container.h"
#include "oci-runtime/launch.h"
#include "oci-runtime/program.h"
#include "runtime/runtime.h"

static int create(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct create_args *args = arguments;
	struct container *container;
	struct runtime_child child;
	struct err ignored;
	int code;

	int r = launch_container(program, argv[0], args, false, &container, &child, err);
	if (r < 0)
		return r;
	autoclose int listen_fd = container_listen(container, err);
	if (listen_fd < 0)
		runtime_abandon(&child);
	r = listen_fd < 0 ? listen_fd : runtime_hold(&child, listen_fd, &code, err);
	if (r < 0)
		(void)container_remove(container,
				       &ignored); /* the first failure is the one to tell */
	else
		runtime_child_clear(&child); /* it stays, we go */
	container_free(container);
	return r;
}

const struct verb verb_create = {
	.name = "create",
	.summary = "Make a container that is not started yet",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.options = create_options,
	.args_size = sizeof(struct create_args),
	.run = create,
};

/* ---- start ---- */

static int check_is_created(const struct container *container, struct err *err)
{
	const char *id = container->config->id;

	switch (container_status(container)) {
	case CONTAINER_CREATED:
		return 0;
	case CONTAINER_STOPPED:
		return err_set(err, EINVAL,
			       "container '%s' has stopped; delete it and create it anew", id);
	default:
		return err_set(err, EINVAL, "container '%s' is %s already", id,
			       container_status_name(container));
	}
}

static int start(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct container *container;
	struct runtime_child child;
	autoclose int pid_fd = -1, socket_fd = -1;
	int code;

	int r = container_find(program, argv[0], CONTAINER_LOCK, &container, err);
	if (r < 0)
		return r;
	r = check_is_created(container, err);
	if (r == 0)
		r = container_open_process(container, &pid_fd, err);
	if (r == 0)
		r = socket_fd = container_connect(container, err);
	/* Nobody listens: who started it was killed before he could take the socket away. */
	if (r == -ECONNREFUSED) {
		container_unlink_socket(container);
		r = err_set(err, EINVAL, "container '%s' is running already", argv[0]);
	}
	if (r >= 0)
		r = runtime_adopt(container->config, container->pid, pid_fd, socket_fd, &child,
				  err);
	if (r == 0) {
		(void)take_fd(&pid_fd);
		(void)take_fd(&socket_fd);
		child.take_listener = launch_pass_listener;
		child.listener_data = container;
		r = runtime_exec(&child, &code, err);
		container_unlink_socket(container);
		if (r == 0) {
			r = runtime_run_hooks(container->config, OCI_HOOK_POSTSTART, "running",
					      container->pid, err);
			runtime_child_clear(&child);
		}
	}
	container_free(container);
	return r;
}

const struct verb verb_start = {
	.name = "start",
	.summary = "Start the command of a created container",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.run = start,
};

/* ---- run ---- */

static int run(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct create_args *args = arguments;
	struct container *container;
	struct runtime_child child;
	struct err ignored;
	int code;

	int r = launch_container(program, argv[0], args, !args->detach, &container, &child, err);
	if (r < 0)
		return r;
	child.take_listener = launch_pass_listener;
	child.listener_data = container;
	r = runtime_exec(&child, &code, err);
	if (r == 0)
		(void)runtime_run_hooks(container->config, OCI_HOOK_POSTSTART, "running",
					container->pid, &ignored); /* failures are warned about */
	if (r == 0 && args->detach) {
		runtime_child_clear(&child);
		container_free(container);
		return 0;
	}
	if (r == 0) {
		/* Others may want to see it, kill it or delete it meanwhile. */
		fd_close(&container->directory_fd);
		r = launch_wait(&child, err);
		runtime_child_clear(&child);
		if (!args->keep) {
			struct container *now;
			if (container_find(program, argv[0], CONTAINER_LOCK, &now, &ignored) == 0) {
				int removed = container_remove(now, r < 0 ? &ignored : err);
				r = removed < 0 ? removed : r;
				container_free(now);
			}
		}
	} else {
		(void)container_remove(container, &ignored);
	}
	container_free(container);
	return r;
}

const struct verb verb_run = {
	.name = "run",
	.summary = "Make a container, start it, wait for its end and delete it",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.options = run_options,
	.args_size = sizeof(struct create_args),
	.run = run,
};
