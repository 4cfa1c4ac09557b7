/* The runtime configuration: what a container's first process shall see, as a plain struct.
 *
 * Mirrors config.json of the OCI runtime specification 1.2, with the specification's own words for
 * fields. The plan of a container (engine) fills it, the runtime carries it out; neither knows the
 * other's reasons. Everything in it is owned by the struct and released by
 * oci_runtime_config_clear(). Zero means "not given" unless a field says otherwise; numbers whose
 * zero has a meaning carry a `has_` flag or use -1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strlist.h"
#include "kernel/caps.h"
#include "kernel/cgroup.h"
#include "kernel/seccomp.h"
#include "kernel/userns.h"

/* Indexes into oci_runtime_config.namespaces. */
enum oci_namespace {
	OCI_NS_USER,
	OCI_NS_MOUNT,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_COUNT,
};

extern const char *const oci_namespace_names[OCI_NS_COUNT]; /* as the specification has them */

struct oci_namespace_config {
	bool wanted; /* a new one, or the one at `path`; false: the runtime's own */
	char *path;  /* join this one instead of making one */
};

struct oci_mount {
	char *destination; /* absolute inside the container */
	char *type;	   /* "bind", "tmpfs", "proc", … ; NULL with a bind option means bind */
	char *source;
	struct strlist options; /* as in mount(8) and the specification, e.g. "ro", "rbind",
				   "nosuid", "size=64m", and the runtime's own "tmpcopyup" */
	/* Of an ID-mapped mount; none: those of the container's user namespace. */
	struct id_extent *uid_maps, *gid_maps;
	size_t uid_map_count, gid_map_count;
	int mount_fd; /* of a bind mount: a detached mount that takes the source's place, the
			 caller's; 0: there is none */
};

struct oci_device {
	char type; /* 'c', 'b', 'p' or 'u' */
	char *path;
	int64_t major, minor;
	mode_t file_mode; /* default 0666 */
	uint32_t uid, gid;
	char *source; /* the host's node, bound where nodes cannot be made; NULL: `path` */
};

struct oci_rlimit {
	char *type; /* "RLIMIT_NOFILE" */
	uint64_t soft, hard;
	bool is_default; /* not the user's wish: where raising it is refused, the most that is
			    allowed is taken instead of failing */
};

/* sched_setattr(2) */
struct oci_scheduler {
	int policy; /* SCHED_*, -1: not given */
	int nice;
	int priority;
	uint64_t flags; /* SCHED_FLAG_* */
	uint64_t runtime_nsec, deadline_nsec, period_nsec;
};

/* RLIMIT_* of "RLIMIT_NOFILE" or "nofile"; -EINVAL if there is no such limit. */
int oci_rlimit_from_name(const char *name);

struct oci_process {
	bool terminal;
	uint16_t console_rows, console_columns; /* 0: the default */
	struct strlist args;
	struct strlist env;
	char *cwd;
	bool cwd_must_exist;   /* not in config.json: runtimes make a directory that is missing */
	unsigned preserve_fds; /* so many of our descriptors from 3 on are the command's, too */
	uint32_t uid, gid;
	uint32_t *additional_gids;
	size_t additional_gid_count;
	int umask; /* -1: not given */
	struct capability_sets capabilities;
	bool no_new_privileges;
	bool has_oom_score_adj;
	int oom_score_adj;
	struct oci_rlimit *rlimits;
	size_t rlimit_count;
	char *apparmor_profile;
	char *selinux_label;
	struct oci_scheduler scheduler;
	int io_priority; /* as ioprio_set(2) takes it; -1: not given */
	char *initial_cpu_affinity,
		*final_cpu_affinity; /* "0-3,7"; of processes that are added later only */
};

/* When hooks run; see the specification, "POSIX-platform Hooks". */
enum oci_hook_point {
	OCI_HOOK_PRESTART, /* deprecated */
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_POINT_COUNT,
};

extern const char *const oci_hook_point_names[OCI_HOOK_POINT_COUNT]; /* "createRuntime" */

struct oci_hook {
	char *path; /* absolute */
	struct strlist args, env;
	unsigned timeout_seconds; /* 0: none */
};

struct oci_hooks {
	struct oci_hook *items;
	size_t count;
};

/* What a clock of a time namespace shows more than the host's. See time_namespaces(7). */
struct oci_time_offset {
	bool given;
	int64_t seconds;
	uint32_t nanoseconds;
};

enum oci_clock {
	OCI_CLOCK_MONOTONIC,
	OCI_CLOCK_BOOTTIME,
	OCI_CLOCK_COUNT,
};

/* Where the root file system comes from when it is not a directory that lies ready: layers, which
 * the runtime joins by overlayfs inside the container's own mount namespace. */
struct oci_overlay {
	struct strlist lowers; /* uppermost first, as overlayfs wants them; empty: no overlay,
				  root_path is the root */
	char *upper, *work;    /* NULL both: read-only without an upper directory */
	bool has_user_xattrs;  /* its attributes are user.*, though no user namespace is made */
	bool is_volatile;      /* no sync: the content goes with the container */
};

struct oci_runtime_config {
	char *id;
	char *bundle_path;   /* where the configuration came from: for hooks; NULL: from nowhere */
	bool no_pivot;	     /* change the root without pivot_root(2), as on an initial ramdisk */
	bool no_new_keyring; /* keep the caller's session keyring */
	char *hostname, *domainname;
	char *root_path; /* the root directory, or where the overlay is put */
	bool root_is_mapped; /* that directory has an image's IDs: the host's root maps it into its user namespace */
	struct oci_overlay overlay;
	/* Not the specification's: files of the caller that are given to the container's root before
	 * anything is mounted; where they are missing that is fine. */
	struct strlist own_paths;
	bool no_devices; /* leave /dev as it is: no nodes or links that every container has */
	bool root_readonly;
	char *rootfs_propagation; /* "private", "slave", "shared", "unbindable"; NULL: private */
	struct oci_mount *mounts; /* in order */
	size_t mount_count;
	struct oci_process process;
	struct oci_namespace_config namespaces[OCI_NS_COUNT];
	struct id_extent *uid_maps, *gid_maps;
	size_t uid_map_count, gid_map_count;
	struct oci_device *devices; /* made in /dev besides the default ones */
	size_t device_count;
	char *cgroups_path; /* below the cgroup root; NULL: stay in the caller's cgroup */
	struct cgroup_resources resources;
	struct key_value *sysctls;
	size_t sysctl_count;
	struct strlist masked_paths, readonly_paths;
	struct seccomp_filter seccomp;
	struct seccomp_filter
		seccomp_recording; /* a second one, which notifies and refuses nothing */
	char *seccomp_profile; /* what the filter is to be made of, as JSON; the runtime knows the filter only */
	char *seccomp_listener_path; /* a socket that is sent the listener of SCMP_ACT_NOTIFY */
	char *seccomp_listener_metadata;
	struct oci_time_offset time_offsets[OCI_CLOCK_COUNT];
	bool has_personality;
	unsigned long personality; /* of personality(2) */
	char *mount_label;	   /* SELinux, of the container's own file systems */
	struct oci_hooks hooks[OCI_HOOK_POINT_COUNT];
	struct strlist annotations; /* KEY=VALUE */
};

struct err;

struct oci_runtime_config *oci_runtime_config_new(void);
void oci_runtime_config_free(struct oci_runtime_config *config);

/* Read a config.json, strictly: what is malformed, contradicts itself or is not supported is an error that names its
 * place: "config.json: linux.namespaces[2].type: unknown namespace 'foo'". `bundle` is the absolute path of the directory
 * that relative paths of the root and of bind mounts start from. What the specification lets a runtime go on without,
 * such as a capability this kernel does not know, is warned about. */
int oci_runtime_config_parse(const char *text, size_t size, const char *bundle,
			     struct oci_runtime_config **ret_config, struct err *err);

/* The process alone, as `exec --process` takes it; errors name `document`. Release it by oci_process_free(). */
int oci_process_parse(const char *text, size_t size, const char *document,
		      struct oci_process **ret_process, struct err *err);
struct oci_process *oci_process_new(void);
void oci_process_free(struct oci_process *process);

/* The object linux.resources alone, as `update` takes it; what it does not name stays as it is. */
int oci_resources_parse(const char *text, size_t size, struct cgroup_resources *resources,
			struct err *err);

/* The configuration as config.json, owned by the caller (json_object_put()). */
struct json_object;
struct json_object *oci_runtime_config_to_json(const struct oci_runtime_config *config);

/* Append; the strings are copied, `options` is comma-separated and may be NULL. Returns the new
 * entry. */
struct oci_mount *oci_runtime_config_add_mount(struct oci_runtime_config *config,
					       const char *destination, const char *type,
					       const char *source, const char *options);
void oci_runtime_config_remove_mount(struct oci_runtime_config *config, size_t index);
void oci_runtime_config_add_sysctl(struct oci_runtime_config *config, const char *key,
				   const char *value);
struct oci_rlimit *oci_runtime_config_add_rlimit(struct oci_runtime_config *config,
						 const char *type, uint64_t soft, uint64_t hard);
struct oci_device *oci_runtime_config_add_device(struct oci_runtime_config *config, char type,
						 const char *path, int64_t major, int64_t minor,
						 mode_t mode);
void oci_runtime_config_add_device_rule(struct oci_runtime_config *config, bool allow, char type,
					int64_t major, int64_t minor, const char *access);
