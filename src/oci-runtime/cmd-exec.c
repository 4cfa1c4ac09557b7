/* exec: one more process in a container. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "oci-runtime/container.h"
#include "oci-runtime/launch.h"
#include "oci-runtime/program.h"
#include "oci/runtime-config.h"
#include "runtime/runtime.h"

#define MAX_PROCESS_BYTES (4 << 20)

struct exec_args {
	const char *process, *console_socket, *pid_file, *cwd, *user, *apparmor, *label;
	struct strlist env, groups, caps;
	bool tty, detach, no_new_privileges, ignore_paused;
	int64_t preserve_fds;
};

#define FIELD(f) offsetof(struct exec_args, f)
static const struct option_spec options[] = {
	{ "process", 'p', OPTION_STRING, FIELD(process), "FILE",
	  "The process as in config.json; instead of a command" },
	{ "detach", 'd', OPTION_FLAG, FIELD(detach), NULL, "Do not wait for the command's end" },
	{ "tty", 't', OPTION_FLAG, FIELD(tty), NULL, "Give it a terminal" },
	{ "console-socket", 0, OPTION_STRING, FIELD(console_socket), "SOCKET",
	  "Send the master side of the terminal to this socket" },
	{ "pid-file", 0, OPTION_STRING, FIELD(pid_file), "FILE",
	  "Write the process number to this file" },
	{ "cwd", 0, OPTION_STRING, FIELD(cwd), "DIR", "Its working directory" },
	{ "env", 'e', OPTION_STRINGS, FIELD(env), "NAME=VALUE", "Set a variable; repeatable" },
	{ "user", 'u', OPTION_STRING, FIELD(user), "UID[:GID]", "Who runs it" },
	{ "additional-gids", 'g', OPTION_STRINGS, FIELD(groups), "GID",
	  "A further group; repeatable" },
	{ "cap", 'c', OPTION_STRINGS, FIELD(caps), "CAPABILITY",
	  "A further capability; repeatable" },
	{ "no-new-privs", 0, OPTION_FLAG, FIELD(no_new_privileges), NULL,
	  "Nothing it executes gains privileges" },
	{ "apparmor", 0, OPTION_STRING, FIELD(apparmor), "PROFILE", "Its AppArmor profile" },
	{ "process-label", 0, OPTION_STRING, FIELD(label), "LABEL", "Its SELinux label" },
	{ "preserve-fds", 0, OPTION_INT, FIELD(preserve_fds), "N",
	  "Let the command inherit so many descriptors from 3 on" },
	{ "ignore-paused", 0, OPTION_FLAG, FIELD(ignore_paused), NULL,
	  "Also in a paused container, where it waits until that is resumed" },
	OPTION_END,
};

static int read_process(const char *path, struct oci_process **process, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, path, &text, MAX_PROCESS_BYTES, err);
	return r < 0 ? r : oci_process_parse(strbuf_text(&text), text.size, path, process, err);
}

/* ---- the process from options: as the container's own, with changes ---- */

static int set_user(struct oci_process *process, const char *text, struct err *err)
{
	const char *at = text;
	int64_t uid, gid = process->gid;

	if (number_take(&at, 0, UINT32_MAX - 1, &uid) < 0 ||
	    (*at == ':' && (at++, number_take(&at, 0, UINT32_MAX - 1, &gid)) < 0) || *at)
		return err_set(err, EINVAL, "--user '%s': not UID or UID:GID, both numbers", text);
	process->uid = (uint32_t)uid;
	process->gid = (uint32_t)gid;
	return 0;
}

static int add_groups(struct oci_process *process, const struct strlist *groups, struct err *err)
{
	for (size_t i = 0; i < groups->count; i++) {
		int64_t gid;
		if (number_parse(groups->items[i], 0, UINT32_MAX - 1, &gid) < 0)
			return err_set(err, EINVAL, "--additional-gids '%s': not a number",
				       groups->items[i]);
		process->additional_gids =
			xreallocarray(process->additional_gids, process->additional_gid_count + 1,
				      sizeof(uint32_t));
		process->additional_gids[process->additional_gid_count++] = (uint32_t)gid;
	}
	return 0;
}

static int add_capabilities(struct oci_process *process, const struct strlist *names,
			    struct err *err)
{
	struct capability_sets *sets = &process->capabilities;

	for (size_t i = 0; i < names->count; i++) {
		int number = capability_from_name(names->items[i]);
		if (number < 0)
			return err_set(err, EINVAL, "--cap '%s': unknown capability",
				       names->items[i]);
		uint64_t bit = UINT64_C(1) << number;
		sets->bounding |= bit;
		sets->effective |= bit;
		sets->permitted |= bit;
		/* Ambient ones are those that a command of an ordinary user keeps. */
		if (process->uid != 0) {
			sets->inheritable |= bit;
			sets->ambient |= bit;
		}
	}
	return 0;
}

static void replace(char **text, const char *by)
{
	if (!by)
		return;
	free(*text);
	*text = xstrdup(by);
}

/* `process` is the container's, which nobody needs any more. */
static int change_process(struct oci_process *process, const struct exec_args *args, int argc,
			  char **argv, struct err *err)
{
	strlist_clear(&process->args);
	for (int i = 0; i < argc; i++)
		strlist_add(&process->args, argv[i]);
	for (size_t i = 0; i < args->env.count; i++) {
		const char *entry = args->env.items[i], *equals = strchr(entry, '=');
		if (!equals || equals == entry)
			return err_set(err, EINVAL, "--env '%s': not NAME=VALUE", entry);
		autofree char *name = xstrndup(entry, (size_t)(equals - entry));
		strlist_env_set(&process->env, name, equals + 1);
	}
	replace(&process->cwd, args->cwd);
	replace(&process->apparmor_profile, args->apparmor);
	replace(&process->selinux_label, args->label);
	/* What ends with a fork was for the first process. */
	if (process->scheduler.policy == SCHED_DEADLINE ||
	    process->scheduler.flags & SCHED_FLAG_RESET_ON_FORK)
		process->scheduler.policy = -1;
	process->terminal = args->tty;
	process->console_rows = process->console_columns = 0;
	if (args->no_new_privileges)
		process->no_new_privileges = true;
	int r = args->user ? set_user(process, args->user, err) : 0;
	if (r == 0)
		r = add_groups(process, &args->groups, err);
	return r == 0 ? add_capabilities(process, &args->caps, err) : r;
}

/* ---- running it ---- */

static int check_status(const struct container *container, const struct exec_args *args,
			struct err *err)
{
	enum container_status status = container_status(container);

	if (status == CONTAINER_PAUSED && !args->ignore_paused)
		return err_set(err, EBUSY,
			       "container '%s' is paused; resume it first, or use --ignore-paused",
			       container->config->id);
	if (status == CONTAINER_STOPPED || status == CONTAINER_CREATING)
		return err_set(err, ESRCH, "container '%s' is not running", container->config->id);
	return 0;
}

static int enter(const struct program *program, struct container *container,
		 const struct oci_process *process, const struct exec_args *args,
		 struct runtime_child *child, struct err *err)
{
	struct runtime_target target = { .pid = container->pid };
	struct runtime_stdio stdio = { { 0, 1, 2 } };
	struct cgroup *cgroup = NULL;
	autoclose int pid_fd = -1;
	int code;

	int r = container_open_process(container, &pid_fd, err);
	if (r == 0)
		r = container_open_cgroup(container, &cgroup, err);
	if (r == 0)
		r = container_load_filter(program, container->config, err);
	target.pid_fd = pid_fd;
	target.cgroup = cgroup;
	if (r == 0)
		r = runtime_enter(&target, process, &container->config->seccomp, NULL, &stdio,
				  child, err);
	cgroup_free(cgroup);
	if (r == 0)
		r = runtime_ready(child, err);
	if (r < 0)
		return r;
	r = launch_send_console(args->console_socket, child, err);
	child->take_listener = launch_pass_listener;
	child->listener_data = container;
	if (r == 0) {
		r = runtime_exec(child, &code, err);
		if (r < 0)
			return r;
		r = launch_write_pid_file(args->pid_file, child->pid, err);
	}
	if (r < 0)
		runtime_abandon(child);
	return r;
}

static int exec(struct program *program, void *arguments, int argc, char **argv, struct err *err)
{
	struct exec_args *args = arguments;
	struct oci_process *own = NULL;
	struct container *container;
	struct runtime_child child;

	if (!args->process == (argc < 2))
		return err_set(err, EINVAL,
			       args->process ? "exec: either --process or a command, not both"
					     : "exec: no command; give one, or --process FILE");
	/* Before anything is opened that would take such a number. */
	int r = launch_check_preserved(args->preserve_fds, err);
	if (r == 0)
		r = container_find(program, argv[0], 0, &container, err);
	if (r < 0)
		return r;
	struct oci_process *process = &container->config->process;
	r = check_status(container, args, err);
	if (r == 0 && args->process) {
		r = read_process(args->process, &own, err);
		process = own;
		if (r == 0 && args->tty)
			process->terminal = true;
	} else if (r == 0) {
		r = change_process(process, args, argc - 1, argv + 1, err);
	}
	if (r == 0 && process->terminal && args->detach && !args->console_socket)
		r = err_set(err, EINVAL, "exec: a terminal with --detach needs --console-socket");
	if (r == 0) {
		process->preserve_fds = (unsigned)args->preserve_fds;
		launch_limit_capabilities(container->config, process);
		r = enter(program, container, process, args, &child, err);
	}
	if (r == 0) {
		if (!args->detach)
			r = launch_wait(&child, err);
		runtime_child_clear(&child);
	}
	oci_process_free(own);
	container_free(container);
	return r;
}

const struct verb verb_exec = {
	.name = "exec",
	.summary = "Run another process in a container",
	.operands = "CONTAINER [COMMAND [ARG...]]",
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.options = options,
	.args_size = sizeof(struct exec_args),
	.run = exec,
};
