/* Control groups: one group a container, with its limits, on whatever hierarchy the host has.
 *
 * A host has cgroup v2 (one tree), v1 (a tree a controller), or both at once ("hybrid": v1
 * controllers beside a nearly empty v2 tree). Callers see one kind of group; the differences are
 * behind a table of functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct key_value {
	char *key;
	char *value;
};

struct cgroup_device_rule {
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	char access[4];	      /* of "rwm" */
};

struct cgroup_hugepage_limit {
	char *page_size; /* "2MB" */
	uint64_t limit_bytes;
};

struct cgroup_throttle {
	int64_t major, minor;
	uint64_t rate;
};

struct cgroup_weight {
	int64_t major, minor;
	uint16_t weight;
};

/* Of one adapter; UINT32_MAX: any number. */
struct cgroup_rdma_limit {
	char *device;
	uint32_t handles, objects;
};

struct cgroup_resources {
	int64_t pids_limit;   /* 0: not given, -1: unlimited */
	int64_t memory_limit; /* bytes; 0: not given, -1: unlimited */
	int64_t memory_swap;  /* memory + swap in bytes; 0: not given, -1: unlimited */
	int64_t memory_reservation;
	int64_t memory_swappiness; /* -1: not given; cgroup v1 only */
	bool memory_disable_oom_killer;
	int64_t memory_kernel, memory_kernel_tcp; /* cgroup v1 only */
	/* A new limit below what is in use is an error, instead of processes being killed. */
	bool memory_check_before_update;
	uint64_t cpu_shares;
	int64_t cpu_quota; /* microseconds in each period; 0: not given, -1: unlimited */
	uint64_t cpu_period;
	uint64_t cpu_burst; /* microseconds saved up for later periods */
	bool has_cpu_idle;
	bool cpu_idle; /* runs only when nobody else wants to */
	int64_t cpu_rt_runtime;
	uint64_t cpu_rt_period;
	char *cpuset_cpus, *cpuset_mems;
	uint16_t blkio_weight;
	struct cgroup_weight *weight_devices;
	size_t weight_device_count;
	struct cgroup_throttle *throttle[4]; /* read bps, write bps, read iops, write iops */
	size_t throttle_count[4];
	struct cgroup_hugepage_limit *hugepage_limits;
	size_t hugepage_limit_count;
	struct cgroup_rdma_limit *rdma;
	size_t rdma_count;
	uint32_t network_class;		      /* 0: not given; cgroup v1 only, as are the … */
	struct key_value *network_priorities; /* … numbers by interface */
	size_t network_priority_count;
	struct cgroup_device_rule *devices; /* in order, later rules win */
	size_t device_count;
	struct key_value *unified; /* raw cgroup v2 files */
	size_t unified_count;
	/* Which limits are davit's defaults, not the user's wish: where these cannot be applied the
	 * runtime warns, where others cannot it fails. */
	bool pids_limit_is_default, memory_limit_is_default;
	/* A swap limit that only follows from the memory limit: no word where it cannot be applied. */
	bool memory_swap_is_default;
};

struct cgroup; /* an existing group; knows every directory that belongs to it */

/* Make (or open) the group `path`, e.g. "davit/ID", below the root that this user may write to, and
 * set its limits. A limit that the user asked for and that cannot be applied is an error with the
 * remedy; a default limit that cannot is left out and named in *ret_left_out (comma-separated
 * words, owned by the caller, NULL when all were applied). Where no group can be made at all and
 * nothing but defaults was asked for, *ret_cgroup is NULL and 0 is returned. */
int cgroup_create(const char *path, const struct cgroup_resources *resources,
		  struct cgroup **ret_cgroup, char **ret_left_out, struct err *err);

/* Let nobody in the group use other devices than the resources allow. On v2 it is not part of making the
 * group, since it takes the kernel as long as making several groups: it may be done while what lives
 * in the group is still ours. */
int cgroup_limit_devices(const struct cgroup *cgroup, const struct cgroup_resources *resources,
			 struct err *err);

/* Whether this host has cgroup v2 alone. */
bool cgroup_is_v2(void);

/* The same below a scope that systemd makes for it (v2 only): the calling process is moved there, into a
 * group "monitor" beside the new one. *ret_is_there tells whether there is a scope, also after a
 * failure. */
struct systemd_scope;
int cgroup_create_in_scope(const char *socket_path, const struct systemd_scope *scope,
			   const struct cgroup_resources *resources, bool *ret_is_there,
			   struct cgroup **ret_cgroup, char **ret_left_out, struct err *err);

/* The same below the caller's own group (v2 only), which has to be delegated, as by Delegate=yes of
 * a unit. The caller moves to a group "monitor" in there, since a group with limits below it has no
 * processes of its own. */
int cgroup_create_split(const char *name, const struct cgroup_resources *resources,
			struct cgroup **ret_cgroup, char **ret_left_out, struct err *err);

/* A group for the processes that stay with containers, so that they do not end with what started
 * them: a descriptor for CLONE_INTO_CGROUP, the caller's, or -1 where there is none (v1). */
int cgroup_open_monitors(const struct cgroup *cgroup);

/* Remove the empty groups that stay on v2 where davit's groups are made. What is in use stays. */
void cgroup_tidy(void);

/* Find the group again by the path that cgroup_create() was given, or by cgroup_location(). -ENOENT
 * if there is none. */
int cgroup_open(const char *path, struct cgroup **ret_cgroup, struct err *err);
void cgroup_free(struct cgroup *cgroup); /* forgets; the group stays */

/* The path of the group NAME below `parent`, or, with NULL or "", where davit has its groups. On v1
 * that is the top of each hierarchy: a directory of our own would have to be made and removed with
 * the first and the last group. On v2 it is "davit", which keeps the controllers enabled that other
 * programs do not want. Owned by the caller. */
char *cgroup_path(const char *parent, const char *name);

/* Where the group is, absolute, borrowed: for cgroup_open() by a process that may be in another
 * group itself, which on v2 decides where an ordinary user's groups are. */
const char *cgroup_location(const struct cgroup *cgroup);

/* A descriptor for CLONE_INTO_CGROUP on pure v2, borrowed, or -1 where processes must be moved. */
int cgroup_clone_fd(const struct cgroup *cgroup);

/* The other way in: descriptors (borrowed, *ret_fds has as many as the result) into each of which a
 * process of one thread writes "0" to move itself. Only v1 has it. It takes 0.03 ms where
 * cgroup_add(), which moves a process that may have threads and not want to go, makes the kernel
 * wait for all processors to notice: 7 to 14 ms unless somebody else has just done the same. */
size_t cgroup_entry_fds(const struct cgroup *cgroup, const int **ret_fds);

int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct err *err);

/* Kill what is left in it (cgroup.kill, or SIGKILL in a loop), then remove it. Absence is success.
 */
int cgroup_remove(struct cgroup *cgroup, struct err *err);
/* Whether everything in it stands still, or is about to. */
bool cgroup_is_frozen(const struct cgroup *cgroup);
int cgroup_freeze(const struct cgroup *cgroup, bool frozen, struct err *err);

/* Change the limits that are given in `resources`; the others stay. Device rules are not changed. */
int cgroup_update(struct cgroup *cgroup, const struct cgroup_resources *resources, struct err *err);

/* All processes in the group and in those below it, as this process sees them; the array is the
 * caller's. */
int cgroup_processes(const struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count,
		     struct err *err);

/* What the group has used so far, and holds now. */
struct cgroup_statistics {
	bool has_cpu, has_memory, has_pids, has_io; /* which of them this host counts */
	uint64_t cpu_usec, cpu_user_usec, cpu_system_usec;
	uint64_t throttled_periods, throttled_usec;
	uint64_t memory_bytes; /* without files that the kernel can drop at once */
	uint64_t memory_limit_bytes, pids_limit; /* UINT64_MAX: none */
	uint64_t pids;
	uint64_t read_bytes, write_bytes; /* block devices */
	uint64_t oom_kills;
};

void cgroup_read_statistics(const struct cgroup *cgroup, struct cgroup_statistics *ret_statistics);
/* Whether the memory limit of this group has killed something. */
bool cgroup_was_oom_killed(const struct cgroup *cgroup);

/* The file that counts them, opened for reading, or -errno: memory.events (v2) or
 * memory.oom_control (v1), both with a line "oom_kill N". */
int cgroup_open_oom_events(const struct cgroup *cgroup);

static inline void cgroup_free_auto(struct cgroup **at)
{
	cgroup_free(*at);
}
#define autocgroup __attribute__((cleanup(cgroup_free_auto)))
