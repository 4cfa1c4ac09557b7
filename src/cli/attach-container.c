#include "cli/attach-container.h"

#include <errno.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/timing.h"
#include "cli/exit.h"
#include "engine/container-end.h"
#include "engine/container-exec.h"
#include "engine/container.h"
#include "engine/event.h"
#include "monitor/attach.h"

struct signal_target {
	struct engine *engine;
	struct container *container;
};

static void pass_signal(int number, void *arg)
{
	const struct signal_target *target = arg;
	struct err ignored; /* it has ended already: attach_run() is about to hear of it */

	(void)container_kill(target->engine, target->container, number, RESTART_END_STOPPED,
			     &ignored);
}

/* Copy until the end, with signals passed to `on_signal` where that was asked for. */
static int attach(const struct attach_request *request, void (*on_signal)(int number, void *arg),
		  void *arg, struct attach_outcome *ret_outcome, struct err *err)
{
	struct attach_options options = {
		.fd = request->fd,
		.stdin_fd = request->wants_stdin ? STDIN_FILENO : -1,
		.stdout_fd = request->wants_stdout ? STDOUT_FILENO : -1,
		.stderr_fd = request->wants_stderr ? STDERR_FILENO : -1,
		.is_terminal = request->is_terminal,
		.on_signal = request->passes_signals ? on_signal : NULL,
		.arg = arg,
		.held = request->held,
	};

	int r = detach_keys_parse(request->detach_keys, &options.detach_keys, err);
	return r < 0 ? r : attach_run(&options, ret_outcome, err);
}

static void pass_signal_to_process(int number, void *arg)
{
	container_exec_signal(arg, number);
}

int attach_choose_streams(const struct strlist *streams, bool interactive,
			  struct attach_request *request, struct err *err)
{
	if (!streams->count) {
		request->wants_stdin = interactive;
		request->wants_stdout = request->wants_stderr = true;
		return 0;
	}
	for (size_t i = 0; i < streams->count; i++) {
		const char *stream = streams->items[i];
		if (strcasecmp(stream, "stdin") == 0)
			request->wants_stdin = true;
		else if (strcasecmp(stream, "stdout") == 0)
			request->wants_stdout = true;
		else if (strcasecmp(stream, "stderr") == 0)
			request->wants_stderr = true;
		else
			return err_set(
				err, EINVAL,
				"invalid stream '%s' for --attach; it is stdin, stdout or stderr",
				stream);
	}
	return 0;
}

int attach_process(struct engine *engine, const struct container *container,
		   const struct exec_result *process, const struct attach_request *request,
		   struct err *err)
{
	struct attach_outcome outcome;

	int r = attach(request, pass_signal_to_process, (void *)process, &outcome, err);
	if (r < 0)
		return r;
	switch (outcome.end) {
	case ATTACH_EXITED:
		event_container_exec(engine, container, EVENT_EXEC_DIED, process->id,
				     exit_code_of(outcome.wait_status));
		(void)attach_cleaned(request->fd, NULL);
		return exit_code_of(outcome.wait_status);
	case ATTACH_DETACHED:
		return EXIT_OK;
	case ATTACH_LOST:
		break;
	}
	return err_set(err, ECONNRESET,
		       "the process's monitor was killed, so its output and its end are lost");
}

int attach_container(struct engine *engine, struct container *container,
		     const struct attach_request *request, struct err *err)
{
	struct signal_target target = { engine, container };
	autostrlist struct strlist left = STRLIST_EMPTY;
	struct attach_outcome outcome;

	int r = attach(request, pass_signal, &target, &outcome, err);
	if (r < 0)
		return r;
	timing_mark("attached");
	if (outcome.end == ATTACH_DETACHED)
		return EXIT_OK;
	int exit_code =
		outcome.end == ATTACH_EXITED ? exit_code_of(outcome.wait_status) : EXIT_ENGINE;
	if (outcome.end == ATTACH_LOST) {
		struct run_status now;
		autofree char *run_dir = container_run_directory(engine, container->id);
		/* The monitor was killed. Nobody carries what the container says any more, so
		 * waiting for it would look like a container that hangs. */
		(void)run_directory_status(run_dir, &now);
		if (now.is_running)
			return err_set(err, ECONNRESET,
				       "container '%s': its monitor was killed, so its input, "
				       "output and log are lost; it still runs, end it with "
				       "'davit rm -f %s'",
				       container->name, container->name);
		r = container_wait(engine, container, &exit_code, err);
		if (r < 0)
			return r;
		if (exit_code < 0)
			exit_code = EXIT_ENGINE;
	}
	bool monitor_helps = outcome.end == ATTACH_EXITED && outcome.you_clean_up;
	r = container_cleanup_but(engine, container->id, monitor_helps ? &left : NULL, err);
	if (r < 0)
		return r;
	/* Was the monitor killed in this moment, a command that lists containers finds what is left. */
	if (monitor_helps)
		(void)attach_cleaned(request->fd, &left);
	timing_mark("cleaned up");
	return exit_code;
}

int attach_open(struct engine *engine, const struct container *container, struct err *err)
{
	autofree char *run_dir = container_run_directory(engine, container->id);

	if (container->state != CONTAINER_RUNNING)
		return err_set(err, ESRCH,
			       "container '%s' does not run, so there is nothing to attach to; "
			       "start it with "
			       "'davit start -a %s'",
			       container->name, container->name);
	autoclose int run_dir_fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = run_dir_fd < 0 ? -1 : attach_connect(run_dir_fd, err);
	if (fd < 0)
		return err_set(err, ECONNREFUSED,
			       "container '%s' has no monitor any more, so its input and output "
			       "are lost; end it "
			       "with 'davit rm -f %s'",
			       container->name, container->name);
	event_container(engine, container, EVENT_ATTACH);
	return fd;
}
