/* --systemd-cgroup: the container's control group is below a scope that systemd makes. */
#pragma once

struct cgroup;
struct err;
struct oci_runtime_config;

/* linux.cgroupsPath is SLICE:PREFIX:NAME then, as runc and crun have it, for the unit PREFIX-NAME.scope. What is left
 * empty or out has a default. *ret_slice is NULL for systemd's choice; both are the caller's. */
int scope_names(const char *cgroups_path, const char *id, char **ret_slice, char **ret_unit,
		struct err *err);

/* Make the scope around this process, which stays in there, and in it the container's group with its limits. */
int scope_make_cgroup(const struct oci_runtime_config *config, struct cgroup **ret_cgroup,
		      struct err *err);
