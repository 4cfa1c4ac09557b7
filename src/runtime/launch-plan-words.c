/* A launch plan in words: what failed, for the user, and what was planned, for the debug log. */
#include "runtime/launch-plan.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "runtime/runtime.h"

static int explain_mount(const struct launch_plan *plan, const struct child_report *report,
			 struct err *err)
{
	const struct plan_mount *mount = &plan->mounts[report->index];

	errno = report->code;
	switch (report->step) {
	case CHILD_BIND_SOURCE:
		if (mount->subpath && report->code == ENOENT)
			return err_set(err, ENOENT,
				       "mount '%s': there is no '%s' in the volume; make it first",
				       mount->target, mount->subpath);
		if (report->code == ENOENT)
			return err_set(err, ENOENT,
				       "mount '%s': source '%s' does not exist; create it first",
				       mount->target, mount->source);
		if (report->code == EINVAL && plan->is_in_user_namespace &&
		    !mount->options.bind_recursive)
			return err_set(err, EINVAL,
				       "mount '%s': source '%s' has other mounts below it; use "
				       "'rbind' instead of 'bind'",
				       mount->target, mount->source);
		return err_errno(err, "mount '%s': open source '%s'", mount->target, mount->source);
	case CHILD_MOUNT_TARGET:
		if (report->code == ELOOP && mount->no_symlinks)
			return err_set(err, ELOOP,
				       "mount '%s': the image has a symbolic link there, which is "
				       "not followed",
				       mount->target);
		if (report->code == EROFS)
			return err_set(
				err, EROFS,
				"mount '%s': the image has no such mount point, and the root file "
				"system is read-only",
				mount->target);
		if (report->code == EACCES && plan->is_in_user_namespace && !plan->has_overlay)
			return err_set(
				err, EACCES,
				"mount '%s': the container's root may not create the mount point: "
				"the root file system '%s' belongs to another user; give it to "
				"that one",
				mount->target, plan->root_source);
		return err_errno(err, "mount '%s': open or create the mount point", mount->target);
	case CHILD_MOUNT_OPTION:
		return err_errno(err, "mount '%s': option '%s'%s%s", mount->target,
				 mount->options.options[report->detail].key,
				 *report->said ? ": " : "", report->said);
	case CHILD_MOUNT_MAP:
		if (report->code == EINVAL)
			return err_set(
				err, EINVAL,
				"mount '%s': the file system of '%s' has no ID-mapped mounts",
				mount->target, mount->source);
		return err_errno(err, "mount '%s': map the IDs of '%s'", mount->target,
				 mount->source);
	case CHILD_MOUNT_FLAGS:
		if (report->code == EPERM && plan->is_in_user_namespace)
			return err_set(
				err, EPERM,
				"mount '%s': its flags cannot be loosened in a user namespace",
				mount->target);
		return err_errno(err, "mount '%s': set its flags", mount->target);
	case CHILD_MOUNT_COPY_UP:
		return err_errno(err, "mount '%s': copy what the image has there", mount->target);
	default:
		if (report->code == ENOTDIR)
			return err_set(err, ENOTDIR,
				       "mount '%s': a file cannot be mounted on a directory, nor a "
				       "directory on a file",
				       mount->target);
		return err_errno(err, "mount '%s'%s%s%s%s", mount->target,
				 mount->kind == PLAN_MOUNT_BIND ? "" : " of type ",
				 mount->kind == PLAN_MOUNT_BIND ? "" : mount->type,
				 *report->said ? ": " : "", report->said);
	}
}

static int explain_overlay(const struct launch_plan *plan, const struct child_report *report,
			   struct err *err)
{
	const struct oci_overlay *overlay = &plan->config->overlay;
	const char *separator = *report->said ? ": " : "";

	errno = report->code;
	if (report->index >= 0 && (size_t)report->index < overlay->lowers.count)
		return err_errno(err, "root file system: layer '%s'%s%s",
				 overlay->lowers.items[report->index], separator, report->said);
	if (report->code == EBUSY)
		return err_set(err, EBUSY,
			       "root file system: '%s' is in use by another container's overlay",
			       overlay->upper ? overlay->upper : "");
	if (report->index < 0 && !*report->said && strlen(plan->overlay_fallback) >= 4096)
		return err_set(err, E2BIG,
			       "root file system: more layers than this kernel can join (Linux 6.8 "
			       "can)");
	if (report->code == ENODEV)
		return err_set(err, ENODEV,
			       "root file system: this kernel has no overlayfs; load it with "
			       "modprobe overlay");
	return err_errno(err, "root file system: mount the overlay%s%s", separator, report->said);
}

static int explain_exec(const struct launch_plan *plan, const struct child_report *report,
			struct err *err)
{
	const char *command = plan->config->process.args.items[0];
	const char *path = plan->candidates.items[report->index];

	switch (report->code) {
	case ENOENT:
		if (report->detail) /* the file is there, so what interprets it is not */
			return err_set(err, ENOENT,
				       "run '%s': its interpreter or dynamic linker does not exist "
				       "in the image (no such file or directory)",
				       path);
		if (plan->searched_path)
			return err_set(err, ENOENT,
				       "executable file '%s' not found in $PATH: no such file or "
				       "directory",
				       command);
		return err_set(err, ENOENT,
			       "executable file '%s' not found: no such file or directory",
			       command);
	case ENOEXEC:
		return err_set(err, ENOEXEC,
			       "run '%s': exec format error; built for another platform, or a "
			       "script without '#!' line?",
			       path);
	case EACCES:
	case EPERM:
		return err_set(err, report->code, "run '%s': permission denied", path);
	default:
		errno = report->code;
		return err_errno(err, "run '%s'", path);
	}
}

/* What is done in each step. Where it is done to one of several things, step_object() tells which. */
static const char *const step_words[CHILD_STEP_COUNT] = {
	[CHILD_START] = "start the container's first process",
	[CHILD_CLONE] = "make the container's first process",
	[CHILD_IDS] = "become root of the user namespace",
	[CHILD_TIME_NAMESPACE] = "make a time namespace",
	[CHILD_TIME_OFFSETS] = "set the time offsets",
	[CHILD_CGROUP] = "enter the control group",
	[CHILD_CGROUP_NAMESPACE] = "make a cgroup namespace",
	[CHILD_KEYRING] = "make a session keyring",
	[CHILD_HOSTNAME] = "set the host name",
	[CHILD_DOMAINNAME] = "set the domain name",
	[CHILD_LOOPBACK] = "bring up the loopback interface",
	[CHILD_PROPAGATION] = "make the mounts private",
	[CHILD_OVERLAY_MAP] = "root file system: map the IDs of its layers",
	[CHILD_ROOT] = "root file system",
	[CHILD_DEVICE] = "device",
	[CHILD_DEVICE_LINK] = "make the links of /dev",
	[CHILD_SYSCTL] = "sysctl",
	[CHILD_OWN_PATH] = "change the owner of",
	[CHILD_MASK] = "mask",
	[CHILD_READONLY] = "make read-only",
	[CHILD_TERMINAL] = "make a terminal; does the container have a devpts at /dev/pts?",
	[CHILD_STDIO] = "set up standard input and output",
	[CHILD_LABEL] = "set the security label; is the security module active on this host?",
	[CHILD_PIVOT] = "change the root directory",
	[CHILD_CWD] = "working directory",
	[CHILD_PERSONALITY] = "set the personality (linux.personality)",
	[CHILD_OOM_SCORE] = "OOM score adjustment",
	[CHILD_SCHEDULER] = "process.scheduler",
	[CHILD_IO_PRIORITY] = "process.ioPriority",
	[CHILD_AFFINITY] = "process.execCPUAffinity",
	[CHILD_CAPABILITIES] = "set the capabilities",
	[CHILD_GROUPS] = "set the groups",
	[CHILD_SECCOMP] = "set the seccomp filter",
	[CHILD_FORK] = "make the process in the container",
};

static const char *step_object(const struct launch_plan *plan, const struct child_report *report)
{
	const struct oci_runtime_config *config = plan->config;

	switch (report->step) {
	case CHILD_ROOT:
		return plan->root_source;
	case CHILD_DEVICE:
		return plan->devices[report->index].path;
	case CHILD_SYSCTL:
		return config->sysctls[report->index].key;
	case CHILD_OWN_PATH:
		return config->own_paths.items[report->index];
	case CHILD_MASK:
		return config->masked_paths.items[report->index];
	case CHILD_READONLY:
		return config->readonly_paths.items[report->index];
	case CHILD_CWD:
		return plan->cwd;
	case CHILD_OOM_SCORE:
		return plan->oom_score;
	case CHILD_AFFINITY:
		return report->index ? config->process.final_cpu_affinity
				     : config->process.initial_cpu_affinity;
	default:
		return NULL;
	}
}

/* What an error means there, and the remedy, where the kernel's word for it does not tell. */
static const struct reason {
	enum child_step step;
	int code;
	int meant; /* what it is for our caller; 0: the same */
	const char *words;
} reasons[] = {
	{ CHILD_CLONE, EAGAIN, 0,
	  "too many processes; raise the limit of processes of this user or cgroup" },
	{ CHILD_FORK, EAGAIN, 0,
	  "too many processes; raise the container's limit with --pids-limit of update, or end "
	  "some" },
	{ CHILD_TIME_NAMESPACE, EINVAL, ENOTSUP,
	  "this kernel has none (CONFIG_TIME_NS); leave --time-offset out" },
	{ CHILD_TIME_NAMESPACE, ENOENT, ENOTSUP,
	  "this kernel has none (CONFIG_TIME_NS); leave --time-offset out" },
	{ CHILD_TIME_OFFSETS, ERANGE, 0,
	  "a clock would be before its zero, the start of the host, or beyond the kernel's end of "
	  "time; give a smaller offset" },
	{ CHILD_OVERLAY_MAP, EINVAL, 0,
	  "their file system has no ID-mapped mounts; use another one or --userns=host" },
	{ CHILD_CWD, ENOENT, 0, "it does not exist in the container; name one that does" },
	{ CHILD_OOM_SCORE, EACCES, 0, "this user may only raise it above the caller's own" },
	{ CHILD_OOM_SCORE, EPERM, 0, "this user may only raise it above the caller's own" },
	{ CHILD_SCHEDULER, EPERM, 0,
	  "this user may not; it takes CAP_SYS_NICE, and a control group that has time for "
	  "real-time tasks" },
	{ CHILD_IO_PRIORITY, EPERM, 0,
	  "this user may not; class IOPRIO_CLASS_RT takes CAP_SYS_ADMIN or CAP_SYS_NICE" },
};

static int explain_step(const struct launch_plan *plan, const struct child_report *report,
			struct err *err)
{
	const char *words = report->step < CHILD_STEP_COUNT ? step_words[report->step] : NULL;
	const char *object = step_object(plan, report);
	const char *open = object ? " '" : "", *close = object ? "'" : "";

	words = words ?: "start the container";
	object = object ?: "";
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].step == report->step && reasons[i].code == report->code)
			return err_set(err, reasons[i].meant ?: report->code, "%s%s%s%s: %s", words,
				       open, object, close, reasons[i].words);
	errno = report->code;
	return err_errno(err, "%s%s%s%s", words, open, object, close);
}

static int explain_join(const struct launch_plan *plan, const struct child_report *report,
			struct err *err)
{
	const char *name = plan_namespaces[report->index].name;
	const char *path = plan->config->namespaces[report->index].path;

	if (report->code == EINVAL && path)
		return err_set(err, EINVAL,
			       "join the %s namespace: '%s' is none, or is already ours", name,
			       path);
	errno = report->code;
	return err_errno(err, "join the %s namespace", name);
}

static int explain_user(const struct launch_plan *plan, const struct child_report *report,
			struct err *err)
{
	const struct oci_process *process = &plan->config->process;

	if (report->code == EINVAL)
		return err_set(err, EINVAL,
			       "user %u, group %u: not mapped into the user namespace; give this "
			       "user a larger range in /etc/subuid and /etc/subgid",
			       process->uid, process->gid);
	errno = report->code;
	return err_errno(err, "become user %u, group %u", process->uid, process->gid);
}

/* The last words of a process that enters a container are spoken inside, where another one may have got hold of it. */
static bool is_possible(const struct launch_plan *plan, const struct child_report *report)
{
	switch (report->step) {
	case CHILD_EXEC:
		return report->index >= 0 && (size_t)report->index < plan->candidates.count;
	case CHILD_JOIN:
		return report->index >= 0 && report->index < OCI_NS_COUNT;
	case CHILD_AFFINITY:
		return plan->initial_cpus || plan->final_cpus;
	case CHILD_BIND_SOURCE ... CHILD_MOUNT_COPY_UP:
	case CHILD_DEVICE:
	case CHILD_SYSCTL:
	case CHILD_MASK:
	case CHILD_READONLY:
	case CHILD_HOOK:
		return !plan->enters_container;
	default:
		return report->step < CHILD_STEP_COUNT && report->code > 0;
	}
}

int launch_plan_explain(const struct launch_plan *plan, const struct child_report *report,
			struct err *err)
{
	if (plan->enters_container && !is_possible(plan, report))
		return err_set(err, EPROTO, "the new process says what it should not");
	switch (report->step) {
	case CHILD_JOIN:
		return explain_join(plan, report, err);
	case CHILD_CLONE:
		if (plan->has_own_user_namespace &&
		    (report->code == EPERM || report->code == ENOSPC))
			return userns_explain_refusal(report->code, err);
		return explain_step(plan, report, err);
	case CHILD_BIND_SOURCE:
	case CHILD_MOUNT_MAP:
	case CHILD_MOUNT_TARGET:
	case CHILD_MOUNT_OPTION:
	case CHILD_MOUNT:
	case CHILD_MOUNT_FLAGS:
	case CHILD_MOUNT_COPY_UP:
		return explain_mount(plan, report, err);
	case CHILD_OVERLAY:
		return explain_overlay(plan, report, err);
	case CHILD_HOOK:
		return runtime_explain_hook(
			plan->config, (enum oci_hook_point)report->detail, (size_t)report->index,
			report->wait_status ? 0 : report->code, report->wait_status, err);
	case CHILD_USER:
		return explain_user(plan, report, err);
	case CHILD_EXEC:
		return explain_exec(plan, report, err);
	default:
		return explain_step(plan, report, err);
	}
}

/* ---- the debug log ---- */

static void log_mount(const struct plan_mount *mount)
{
	static const struct {
		uint64_t attribute;
		const char *word;
	} attributes[] = {
		{ MOUNT_ATTR_RDONLY, "ro" },	   { MOUNT_ATTR_NOSUID, "nosuid" },
		{ MOUNT_ATTR_NODEV, "nodev" },	   { MOUNT_ATTR_NOEXEC, "noexec" },
		{ MOUNT_ATTR_NOATIME, "noatime" },
	};
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	const struct mount_options *options = &mount->options;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if ((options->set | options->tree_set) & attributes[i].attribute)
			strbuf_addf(&text, " %s", attributes[i].word);
	for (size_t i = 0; i < options->option_count; i++)
		strbuf_addf(&text, " %s%s%s", options->options[i].key,
			    options->options[i].value ? "=" : "",
			    options->options[i].value ? options->options[i].value : "");
	if (mount->kind == PLAN_MOUNT_BIND)
		log_debug("plan: %s '%s' on '%s'%s", options->bind_recursive ? "rbind" : "bind",
			  mount->source, mount->target, strbuf_text(&text));
	else
		log_debug("plan: %s on '%s'%s", mount->type, mount->target, strbuf_text(&text));
}

static void log_user_namespace(const struct launch_plan *plan)
{
	for (size_t i = 0; i < plan->map.uid_count; i++)
		log_debug("plan: users %u+%u are the host's %u", plan->map.uid[i].inside,
			  plan->map.uid[i].size, plan->map.uid[i].outside);
	for (size_t i = 0; i < plan->map.gid_count; i++)
		log_debug("plan: groups %u+%u are the host's %u", plan->map.gid[i].inside,
			  plan->map.gid[i].size, plan->map.gid[i].outside);
}

void launch_plan_log(const struct launch_plan *plan)
{
	const struct oci_runtime_config *config = plan->config;
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (log_level() < LOG_LEVEL_DEBUG)
		return;
	for (int i = 0; i < OCI_NS_COUNT; i++)
		if (config->namespaces[i].path)
			strbuf_addf(&text, " %s=%s", plan_namespaces[i].name,
				    config->namespaces[i].path);
		else if (plan->clone_flags & plan_namespaces[i].clone_flag)
			strbuf_addf(&text, " %s", plan_namespaces[i].name);
	log_debug("plan: namespaces%s", strbuf_text(&text));
	if (plan->is_in_user_namespace)
		log_user_namespace(plan);
	if (plan->has_overlay)
		log_debug("plan: root overlay, %s", plan->overlay_fallback);
	else
		log_debug("plan: root '%s'%s", plan->root_source,
			  plan->root_readonly ? " read-only" : "");
	for (size_t i = 0; i < plan->mount_count; i++)
		log_mount(&plan->mounts[i]);
	for (size_t i = 0; i < plan->device_count; i++)
		log_debug("plan: device '%s' %u:%u", plan->devices[i].path,
			  major(plan->devices[i].number), minor(plan->devices[i].number));
	for (size_t i = 0; i < plan->sysctl_count; i++)
		log_debug("plan: sysctl '%s' = '%s'", plan->sysctls[i].path,
			  plan->sysctls[i].value);
	log_debug("plan: user %u, group %u, bounding set %llx, %zu filter instructions%s%s",
		  config->process.uid, config->process.gid,
		  (unsigned long long)config->process.capabilities.bounding, config->seccomp.count,
		  config->process.no_new_privileges ? ", no new privileges" : "",
		  plan->use_stub ? ", through the stub" : "");
	autofree char *command = strlist_join(&config->process.args, "' '");
	log_debug("plan: run '%s' in '%s'", command, plan->cwd);
}
