/* kill, delete, pause, resume. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/number.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "oci-runtime/container.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"

/* "15", "TERM", "SIGTERM", "RTMIN+3" */
static int parse_signal(const char *text, struct err *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int64_t number;

	if (number_parse(text, 0, SIGRTMAX, &number) == 0)
		return (int)number;
	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);
		if (known && strcasecmp(known, name) == 0)
			return i;
	}
	if (strncasecmp(name, "RTMIN+", 6) == 0 &&
	    number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &number) == 0)
		return SIGRTMIN + (int)number;
	if (strncasecmp(name, "RTMAX-", 6) == 0 &&
	    number_parse(name + 6, 0, SIGRTMAX - SIGRTMIN, &number) == 0)
		return SIGRTMAX - (int)number;
	return err_set(err, EINVAL, "unknown signal '%s'; see kill -l", text);
}

static int signal_all(const struct container *container, int number, struct err *err)
{
	struct cgroup *cgroup;
	pid_t *pids = NULL;
	size_t count = 0;

	int r = container_open_cgroup(container, &cgroup, err);
	if (r < 0)
		return r;
	if (!cgroup)
		return err_set(err, ENOTSUP,
			       "container '%s' has no control group to find its processes by",
			       container->config->id);
	r = cgroup_processes(cgroup, &pids, &count, err);
	for (size_t i = 0; i < count; i++) {
		autoclose int fd = pidfd_open_process(pids[i]);
		if (fd >= 0)
			(void)pidfd_signal(fd, number); /* gone is as good */
	}
	free(pids);
	cgroup_free(cgroup);
	return r;
}

struct kill_args {
	bool all;
};

static const struct option_spec kill_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct kill_args, all), NULL,
	  "Send it to all processes of the container" },
	OPTION_END,
};

static int kill_container(struct program *program, void *arguments, int argc, char **argv,
			  struct err *err)
{
	struct kill_args *args = arguments;
	struct container *container;
	autoclose int pid_fd = -1;

	int number = parse_signal(argc > 1 ? argv[1] : "TERM", err);
	if (number < 0)
		return number;
	int r = container_find(program, argv[0], 0, &container, err);
	if (r < 0)
		return r;
	if (args->all && container->cgroup) {
		r = signal_all(container, number, err);
	} else {
		r = container_open_process(container, &pid_fd, err);
		if (r == 0 && pidfd_signal(pid_fd, number) < 0)
			r = err_errno(err, "send signal %d to container '%s'", number, argv[0]);
	}
	container_free(container);
	return r;
}

const struct verb verb_kill = {
	.name = "kill",
	.summary = "Send a signal to a container's first process",
	.operands = "CONTAINER [SIGNAL]",
	.min_operands = 1,
	.max_operands = 2,
	.options = kill_options,
	.args_size = sizeof(struct kill_args),
	.run = kill_container,
};

/* ---- delete ---- */

struct delete_args {
	bool force;
};

static const struct option_spec delete_options[] = {
	{ "force", 'f', OPTION_FLAG, offsetof(struct delete_args, force), NULL,
	  "Kill it before; what does not exist is no error" },
	OPTION_END,
};

static int delete (struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct delete_args *args = arguments;
	struct container *container;

	int r = container_find(program, argv[0], CONTAINER_LOCK | CONTAINER_MAY_BE_BROKEN,
			       &container, err);
	if (r == -ENOENT && args->force)
		return 0;
	if (r < 0)
		return r;
	if (!args->force && container_status(container) != CONTAINER_STOPPED)
		r = err_set(err, EBUSY, "container '%s' is %s; kill it first, or use --force",
			    argv[0], container_status_name(container));
	else
		r = container_remove(container, err);
	container_free(container);
	return r;
}

const struct verb verb_delete = {
	.name = "delete",
	.summary = "Remove a container that has stopped",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.options = delete_options,
	.args_size = sizeof(struct delete_args),
	.run = delete,
};

/* ---- pause and resume ---- */

static int freeze(struct program *program, const char *id, bool frozen, struct err *err)
{
	struct container *container;
	struct cgroup *cgroup = NULL;

	int r = container_find(program, id, CONTAINER_LOCK, &container, err);
	if (r < 0)
		return r;
	enum container_status status = container_status(container);
	if (frozen ? status != CONTAINER_RUNNING && status != CONTAINER_CREATED
		   : status != CONTAINER_PAUSED)
		r = err_set(err, EINVAL, "container '%s' is %s", id,
			    container_status_names[status]);
	if (r == 0)
		r = container_open_cgroup(container, &cgroup, err);
	if (r == 0 && !cgroup)
		r = err_set(err, ENOTSUP,
			    "container '%s' has no control group that could be frozen", id);
	if (r == 0)
		r = cgroup_freeze(cgroup, frozen, err);
	cgroup_free(cgroup);
	container_free(container);
	return r;
}

static int pause_container(struct program *program, void *arguments, int argc, char **argv,
			   struct err *err)
{
	return freeze(program, argv[0], true, err);
}

const struct verb verb_pause = {
	.name = "pause",
	.summary = "Freeze all processes of a container",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.run = pause_container,
};

static int resume(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	return freeze(program, argv[0], false, err);
}

const struct verb verb_resume = {
	.name = "resume",
	.summary = "Let a frozen container go on",
	.operands = "CONTAINER",
	.min_operands = 1,
	.max_operands = 1,
	.run = resume,
};
