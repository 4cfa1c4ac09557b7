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

struct oci_process {
	bool terminal;
	uint16_t console_rows, console_columns; /* 0: the default */
	struct strlist args;
	struct strlist env;
	char *cwd;
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
};

/* Where the root file system comes from when it is not a directory that lies ready: layers, which
 * the runtime joins by overlayfs inside the container's own mount namespace. */
struct oci_overlay {
	struct strlist lowers; /* uppermost first, as overlayfs wants them; empty: no overlay,
				  root_path is the root */
	char *upper, *work;    /* NULL both: read-only without an upper directory */
	bool is_volatile;      /* no sync: the content goes with the container */
};

struct oci_runtime_config {
	char *id;
	char *hostname, *domainname;
	char *root_path; /* the root directory, or where the overlay is put */
	struct oci_overlay overlay;
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
	struct strlist annotations; /* KEY=VALUE */
};

struct oci_runtime_config *oci_runtime_config_new(void);
void oci_runtime_config_free(struct oci_runtime_config *config);

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
