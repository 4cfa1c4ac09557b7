/* Settings: what containers.conf says, with davit's defaults where it is silent.
 *
 * The files and their order are those of containers.conf(5): /usr/share/containers, /etc/containers
 * (and its containers.conf.d), then the user's; CONTAINERS_CONF replaces them all and
 * CONTAINERS_CONF_OVERRIDE comes last. Keys that davit has no use for are passed over: the file
 * belongs to several programs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;

struct settings {
	/* [containers] */
	struct strlist default_capabilities; /* without "CAP_" */
	struct strlist default_sysctls;	     /* "KEY=VALUE" */
	struct strlist default_ulimits;	     /* "nofile=1024:2048" */
	struct strlist env;		     /* "KEY=VALUE" */
	struct strlist volumes, devices, annotations;
	struct strlist dns_servers, dns_searches, dns_options;
	bool env_host, http_proxy, init, no_hosts, read_only;
	int64_t pids_limit;   /* 0: unlimited */
	int64_t log_size_max; /* bytes, -1: unlimited */
	int64_t memory_limit; /* davit's own key, bytes; 0: unlimited, -1: a share of the host's
				 memory */
	char *cgroups, *netns, *userns, *ipcns, *utsns, *pidns, *cgroupns, *log_driver, *log_tag,
		*shm_size, *tz, *umask;
	char *seccomp_profile, *apparmor_profile, *base_hosts_file, *host_containers_internal_ip;
	/* [engine] */
	char *cgroup_manager, *pull_policy, *detach_keys;
	char *events_logger;	       /* "none", or whatever else means the log of ours; NULL */
	char *events_logfile_max_size; /* as written there, NULL: not given */
	int64_t events_max_bytes;
	int64_t stop_timeout; /* seconds */
	int64_t retry;
	/* [network] */
	char *default_subnet, *default_rootless_network_cmd;
	struct strlist pasta_options;
};

/* `environment` and `home` tell where the files are. Fails on a file that cannot be parsed, naming
 * file and line. */
int settings_load(struct settings *settings, const struct strlist *environment, const char *home,
		  bool is_rootless, struct err *err);
void settings_clear(struct settings *settings);
