/* The launch plan: everything the container's first process will do before its command, decided and
 * allocated beforehand.
 *
 * Between clone3(2) and execve(2) nothing may be allocated, parsed or worded. So the parent makes
 * this plan out of the configuration, the child walks it from top to bottom, and reports the step
 * and index that failed; the parent finds the words in the same plan. Strings marked "config's" are
 * borrowed from the configuration, which outlives the plan. Making a plan needs no privileges. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "oci/runtime-config.h"
#include "oci/runtime-state.h"
#include "runtime/child-report.h"
#include "runtime/mount-options.h"

struct err;

struct plan_namespace {
	const char *name;
	unsigned long clone_flag;
};

extern const struct plan_namespace plan_namespaces[OCI_NS_COUNT];

enum plan_mount_kind {
	PLAN_MOUNT_BIND,
	PLAN_MOUNT_FILE_SYSTEM,
	PLAN_MOUNT_CGROUP,
};

/* How many mounts the mapper makes at most; they travel in one message, see unix(7). */
#define PLAN_MAPPED_MAX 250

struct plan_mount {
	enum plan_mount_kind kind;
	const char *target; /* config's, absolute inside the container */
	const char *type;   /* the kernel's name of the file system */
	const char *source; /* config's */
	const char *
		subpath; /* of a bind mount: what is mounted of the source, seen from there; NULL: all of it */
	/* Where the kernel refuses such a mount in a user namespace, this directory of the host is
	 * bound instead. */
	const char *fallback_source;
	bool by_mapper; /* of directories of the host that the child may not be able to reach */
	size_t first_directory; /* overlay: of its directories among all, see directory_count */
	bool no_symlinks;	/* the target's path must be free of links */
	int mount_fd;		/* a detached mount to be put there, config's; 0: none */
	struct mount_options options;
};

struct plan_device {
	const char *path; /* absolute inside the container */
	const char *source;
	mode_t type_and_mode;
	dev_t number;
	uid_t uid;
	gid_t gid;
	bool is_default; /* of the standard set: an existing entry is good enough */
};

/* What a hook in the container's first process reads; see oci_runtime_state_text(). */
struct plan_state {
	char *text; /* owned; NULL without hooks */
	size_t pid_at;
};

struct plan_sysctl {
	char *path; /* below /proc/sys, owned */
	const char *value;
};

struct plan_rlimit {
	int resource;
	struct rlimit limit;
	bool is_default;
};

struct launch_plan {
	const struct oci_runtime_config *config;

	unsigned long clone_flags; /* namespaces to make with the process */
	bool unshare_cgroup;	   /* to be made once the process is in its group */
	bool shows_cgroup_v1; /* the container sees its groups, on a host with v1 hierarchies */
	bool has_own_user_namespace;
	bool has_own_pid_namespace, has_own_network_namespace, has_own_time_namespace;
	char *time_offsets;	   /* as the kernel reads them, owned; NULL: none */
	bool is_in_user_namespace; /* a new or joined one: no device nodes, no init rights */
	bool pid_namespace_is_joined;
	cpu_set_t *initial_cpus, *final_cpus; /* owned; NULL: as they are */
	/* No new container but one more process in a container that runs: of all this only what
	 * concerns the command is there. */
	bool enters_container;
	struct oci_runtime_config
		*own_config; /* then: what `config` points to; its members are borrowed */
	uid_t root_uid;	     /* who sets everything up, inside */
	gid_t root_gid;
	/* Root inside is not who makes the container outside: an ordinary user with --userns keep-id or
	 * the like. Paths of the host are opened as the user; then the child becomes root in the eyes of
	 * file systems only, so that the user may still look into it. */
	bool root_is_other;
	bool keeps_groups;     /* the caller's additional groups stay */
	bool groups_are_fixed; /* setgroups(2) is denied by a one-ID mapping */
	struct userns_map map; /* extents are config's */

	/* What only the host's root can mount or reach, see mapper.h: the root first, then mounts in
	 * order. */
	bool by_host_root; /* the host's root makes a container in a user namespace */
	bool map_root;
	size_t mapped_count;

	/* root file system */
	bool has_overlay, overlay_userxattr;
	const char *root_source; /* without an overlay: the directory that is the root; config's */
	bool root_readonly;
	bool root_is_layer;	  /* shared with others: read-only before anything is made in it */
	char *overlay_fallback;	  /* the options as one string for mount(2), owned */
	char *volatile_mark;	  /* what a volatile overlay leaves in its work directory, owned */
	bool bind_before_private; /* some bind mount stays connected with the host's */
	bool opens_early;	  /* root and sources, while we still are who may look for them */
	unsigned long root_propagation;

	/* Hooks run before the root is entered, and may look for it, or mount something, at its path. */
	bool has_creation_hooks;
	struct plan_state hook_states[OCI_HOOK_POINT_COUNT];

	struct plan_mount *mounts;
	size_t mount_count;
	size_t directory_count; /* of overlays that are not the root, opened early where root_is_other */
	bool make_default_devices;
	struct plan_device *devices;
	size_t device_count;
	struct plan_sysctl *sysctls;
	size_t sysctl_count;
	char oom_score[12];
	struct plan_rlimit *rlimits;
	size_t rlimit_count;

	/* A filter that has a listener is set first, with a door (kernel/seccomp.h): the other one, if there is any,
	 * has to come through. Where a container is entered both have one, for the fork. */
	struct seccomp_filter listening; /* instructions owned; count 0: none */
	uint64_t filter_key[SECCOMP_KEY_WORDS];
	struct seccomp_filter
		filter; /* instructions are config's, or own_filter's; count 0: none */
	struct seccomp_filter own_filter;

	/* the command */
	bool use_stub; /* execute by exec-stub.c, see exec-command.h */
	struct strlist
		stub_args; /* the stub's; the command's own end it, borrowed from the config */
	char **stub_argv;
	struct strlist candidates; /* what to try to execute, in order */
	bool searched_path;
	const char *cwd;
};

/* Whether the option of an overlay mount is a directory of the host. */
bool plan_option_is_directory(const struct file_system_option *option);

/* -EINVAL, -ENOTSUP with words. `joins_user_namespace`: the process will be put into an existing
 * user namespace with the configuration's map. */
int launch_plan_make(const struct oci_runtime_config *config, bool joins_user_namespace,
		     struct launch_plan **ret_plan, struct err *err);
void launch_plan_free(struct launch_plan *plan);

/* The plan of one more process in a container that runs. Process and filter are borrowed; the maps, those of the
 * container's user namespace if it is not our own, become the plan's. */
int launch_plan_make_entry(const struct oci_process *process, const struct seccomp_filter *filter,
			   const struct seccomp_filter *recording, const struct userns_map *map,
			   bool groups_are_fixed, struct launch_plan **ret_plan, struct err *err);

/* Put a failure into words. Returns -report->code. */
int launch_plan_explain(const struct launch_plan *plan, const struct child_report *report,
			struct err *err);

/* Print it, at the log level debug. */
void launch_plan_log(const struct launch_plan *plan);
