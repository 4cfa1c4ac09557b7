/* What a container shall be: everything the user asked for and the image contributed, in one plain
 * struct.
 *
 * It is complete: with it, the image's layers and the host a container can be started again and
 * again. It is stored as JSON in the container's row; one table (container-spec.c) names every
 * field once, for reading and for writing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;
struct json_object;

struct container_spec {
	/* The image. With `rootfs` a directory takes its place. */
	char *image_name; /* as the user gave it, normalised */
	char *image_id;	  /* 64 hex digits */
	char *image_digest;
	struct strlist layers; /* diff IDs, lowest first */
	char *base_layer;      /* the frozen layer that it began on, above these; NULL: none */
	char *base_container;  /* ID of whose that was; may be gone */
	char *rootfs;
	bool rootfs_is_lower; /* written to is a layer of the container: --rootfs DIR:O */
	bool rootfs_idmap; /* whoever it belongs to, its IDs are the image's: --rootfs DIR:idmap */

	/* The process */
	struct strlist entrypoint, command; /* joined they are argv */
	struct strlist env;		    /* KEY=VALUE, complete but for HOME */
	char *workdir;			    /* absolute */
	bool workdir_is_given;		    /* not the image's: it has to be there */
	char *user;			    /* "name|uid[:group|gid]", "" or NULL: root */
	struct strlist groups;		    /* --group-add */
	char *user_name;		    /* of the caller, who is `user` inside; else NULL */
	bool keep_groups;		    /* the caller's */
	/* Users and groups that the image lacks are added to its files, by these lines if there are any. */
	bool no_passwd;
	char *passwd_entry, *group_entry;
	struct strlist host_users; /* lines of /etc/passwd that are added */
	char *personality;	   /* "LINUX32" */
	char *timezone;		   /* "Europe/Berlin", "local": the host's, NULL: the image's */
	bool tty, open_stdin;
	bool init;		 /* davit-init as PID 1 */
	char *init_path;	 /* with it, another program instead; NULL: davit-init */
	char *hostname;		 /* NULL: the short ID */
	char *umask;		 /* octal */
	char *stop_signal;	 /* name or number, NULL: SIGTERM */
	int64_t stop_timeout;	 /* seconds before SIGKILL */
	int64_t timeout;	 /* seconds it may run, 0: as long as it likes */
	char *restart_policy;	 /* "always", "unless-stopped", "on-failure", NULL: none */
	int64_t restart_retries; /* of on-failure; 0: any number */

	/* Namespaces: "", "private", "host", "container:ID", "ns:PATH"; see namespace-mode.h */
	char *network_mode; /* or "none", "bridge", "pasta" */
	char *pid_mode, *ipc_mode, *uts_mode, *cgroupns_mode;
	char *userns_mode; /* as --userns was given; "" with --uidmap */
	/* "CONTAINER:INTERMEDIATE:SIZE", see userns-mode.h; both empty: the caller's mapping. */
	struct strlist uid_maps, gid_maps;
	int64_t userns_size;	 /* of --userns auto: how many IDs were wanted; else 0 */
	char *time_offset;	 /* as of time_offset_parse(); NULL: the host's clocks */
	struct strlist requires; /* IDs of containers that have to run when this one starts */

	/* Network */
	struct strlist
		ports; /* "[ip:]host:container/proto", resolved: no ranges, no random host ports */
	struct strlist expose; /* "80/tcp" */
	bool publish_all;
	struct strlist dns_servers, dns_searches, dns_options;
	struct strlist add_hosts;	       /* "name:ip" */
	bool no_hosts, no_resolv, no_hostname; /* the image's own files stay */
	char *hosts_file; /* what /etc/hosts begins with: a path, "none", "image"; NULL: the host's */
	char *static_ip, *static_mac, *interface_name; /* on a bridge; NULL: the default ones */
	struct strlist network_aliases;		       /* more names on a bridge */
	struct strlist pasta_options;

	/* Files */
	struct strlist mounts; /* "type=…,…" in the words of --mount, volumes resolved to names */
	bool read_only, read_only_tmpfs;
	struct strlist chroot_dirs; /* where davit's files of /etc are mounted too */
	struct strlist secrets;	    /* see secret-use.h */
	int64_t shm_size;	    /* bytes */

	/* Confinement */
	bool privileged;
	struct strlist cap_add, cap_drop;
	bool no_new_privileges;
	char *seccomp_profile; /* path or "unconfined", NULL: the default */
	char *seccomp_text;    /* the profile itself, which the image brought; goes before that */
	char *seccomp_record,
		*cap_record; /* files to write, see recording.h; NULL: nothing is recorded */
	char *apparmor_profile, *selinux_label;
	struct strlist mask, unmask; /* paths; "ALL" */
	char *proc_options;	     /* of the mount of /proc: "hidepid=2,subset=pid" */
	struct strlist devices;	     /* "HOST:CONTAINER:rwm" */
	struct strlist device_rules;
	struct strlist sysctls; /* KEY=VALUE */
	struct strlist ulimits; /* "nofile=1024:2048" */

	/* Limits. -1 unlimited, 0 the default */
	char *cgroups; /* "enabled", "disabled", "no-conmon", "split" */
	char *cgroup_parent;
	int64_t memory, memory_swap, memory_reservation;
	int64_t pids_limit;
	int64_t cpu_shares, cpu_quota, cpu_period; /* quota and period in microseconds */
	int64_t cpu_rt_period, cpu_rt_runtime;
	char *cpuset_cpus, *cpuset_mems;
	bool has_memory_swappiness, oom_kill_disable;
	int64_t memory_swappiness;
	int64_t blkio_weight;				    /* 10 to 1000 */
	struct strlist blkio_weight_devices;		    /* "DEVICE:WEIGHT" */
	struct strlist device_read_bps, device_write_bps;   /* "DEVICE:SIZE" */
	struct strlist device_read_iops, device_write_iops; /* "DEVICE:NUMBER" */
	struct strlist cgroup_conf;			    /* "FILE=VALUE", cgroup v2 */
	bool has_oom_score_adj;
	int64_t oom_score_adj;

	/* Log */
	char *log_driver; /* "k8s-file", "json-file" (the same), "journald", "none", "passthrough" */
	char *log_path;	  /* NULL: in the container's directory */
	int64_t log_size_max;	   /* -1: unlimited */
	int64_t log_files;	   /* how many rotation keeps, 0: the default */
	char *log_tag;		   /* a template over what inspect shows */
	struct strlist log_labels; /* NAME=VALUE, of each entry in the journal */

	/* Health checks */
	struct strlist
		health_test; /* as in an image: "CMD" words, "CMD-SHELL" text, "NONE"; empty: none */
	int64_t health_interval_nsec; /* 0: only when asked for */
	int64_t health_timeout_nsec, health_start_period_nsec, health_retries;
	char *health_on_failure; /* "kill", "restart", "stop", NULL or "none" */
	/* Until it has succeeded so often, this one takes the place of the other. */
	struct strlist health_startup_test;
	int64_t health_startup_interval_nsec, health_startup_timeout_nsec;
	int64_t health_startup_retries; /* failures in a row before a restart; 0: never */
	int64_t health_startup_success;
	char *health_log_destination;		   /* NULL or "local": nowhere else; a directory */
	int64_t health_log_count, health_log_size; /* 0: the default, -1: unlimited */

	/* The rest */
	struct strlist labels, annotations; /* KEY=VALUE */
	bool auto_remove;
	bool detached;
	char *detach_keys;
	struct strlist attach; /* "stdout", …: streams that attaching means; empty: all */
	bool remove_image;     /* with the container, unless others use it */
	char *pid_file, *monitor_pid_file, *cid_file;
};

struct container_spec *container_spec_new(void);
void container_spec_free(struct container_spec *spec);

/* Both directions. Unknown members are passed over, absent ones leave the field empty. */
struct json_object *container_spec_to_json(const struct container_spec *spec);
int container_spec_from_json(struct json_object *json, struct container_spec **ret_spec,
			     struct err *err);

static inline void container_spec_free_auto(struct container_spec **at)
{
	container_spec_free(*at);
}
#define autocontainer_spec __attribute__((cleanup(container_spec_free_auto)))
