/* What `run` and `create` have in common: their options, and the container that the options
 * describe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"
#include "cli/health-options.h"
#include "cli/limit-options.h"
#include "cli/options.h"
#include "cli/pull-options.h"

struct cli;
struct container_base;
struct container_spec;
struct err;
struct image;

struct container_args {
	/* mode */
	struct strlist attach;
	bool interactive, tty, remove, remove_image, replace, quiet;
	const char *seccomp_record, *cap_record;
	const char *name, *cid_file, *pid_file, *monitor_pid_file, *restart;
	int64_t timeout_sec;
	/* process */
	struct strlist env, env_files, env_merge, unset_env, groups;
	bool env_host, unset_env_all, init;
	enum option_tristate http_proxy;
	const char *entrypoint, *workdir, *user, *stop_signal, *umask, *timezone;
	enum option_tristate passwd;
	struct strlist host_users;
	const char *passwd_entry, *group_entry, *personality, *init_path;
	int64_t stop_timeout_sec;
	/* limits */
	struct limit_args limits;
	int64_t shm_size, oom_score_adj;
	const char *cgroups, *cgroup_parent;
	struct strlist ulimits;
	/* confinement */
	bool privileged, read_only;
	enum option_tristate read_only_tmpfs;
	struct strlist cap_add, cap_drop, secrets, security_opts, devices, device_rules, sysctls,
		gpus;
	const char *seccomp_policy;
	/* namespaces */
	const char *pid_mode, *ipc_mode, *uts_mode, *cgroupns_mode, *userns, *time_offset;
	const char *subuid_name, *subgid_name;
	struct strlist uid_maps, gid_maps, requires;
	/* network */
	struct strlist publish, expose, add_hosts, dns, dns_searches, dns_options;
	bool publish_all, no_hosts, no_hostname;
	struct strlist networks;
	const char *hostname, *hosts_file, *ip, *ip6, *mac_address;
	struct strlist network_aliases;
	/* files */
	struct strlist volumes, mounts, tmpfs, volumes_from;
	struct strlist chroot_dirs;
	const char *image_volume;
	bool rootfs;
	struct health_args health;
	/* log and labels */
	const char *log_driver;
	struct strlist log_opts, labels, label_files, annotations;
	struct pull_args pull;
	const struct container_base *base; /* what it begins with instead of an image; borrowed */
};

/* Rows whose offsets count from the beginning of struct container_args. */
extern const struct option_spec container_option_specs[];

/* Turn what the user wrote into a complete spec: the image (pulled when missing), its defaults, the
 * options. Volumes that were asked for are made. argv: IMAGE [COMMAND [ARG…]], with a base [COMMAND [ARG…]]. Owned by the caller.
 */
int container_args_to_spec(struct cli *cli, const struct container_args *args, int argc,
			   char **argv, struct container_spec **ret_spec, struct err *err);
