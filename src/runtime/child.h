/* The container's first process, from clone3(2) to execve(2). Shared by the files child*.c only.
 *
 * Everything here runs in a process that was cloned out of another and has to be
 * async-signal-safe: system calls, the stack, and the plan. A function returns 0, or -1 after
 * noting in child->report what failed. */
#pragma once

#include "kernel/seccomp.h"
#include "runtime/launch-plan.h"

struct child {
	const struct launch_plan *plan;
	int control_fd;
	const int *stdio; /* three, as in struct runtime_stdio */
	bool wait_for_start;
	bool time_namespace_is_made; /* by the helper that joins others */
	int net_ns_fd;		     /* a network namespace that was made before, borrowed; -1 */
	const int *cgroup_fds;	     /* to write "0" to, see cgroup_entry_fds() */
	size_t cgroup_fd_count;
	int root_fd;	   /* the container's root */
	int outer_root_fd; /* of the mount namespace, where our "/" is below it (chroot); -1 */
	int mapped_fds[PLAN_MAPPED_MAX]; /* as the mapper sent them */
	int *layer_fds; /* lower directories, upper, work; NULL: they are mounted by their names */
	int *directory_fds; /* of overlays that are not the root; as layer_fds */
	int *bind_fds;	    /* the detached bind mounts, by index of mount; -1 */
	int null_fd;	    /* the host's /dev/null: what files are masked with */
	int terminal_fd;    /* the slave side */
	int label_fd;
	int proc_fd; /* the host's /proc, where "/proc" is the container's already; -1: where it is not */
	bool cwd_is_open;   /* root was not let in; the user may be */
	int stub_fd;	    /* a memfd, -1: the command is executed without it */
	char cgroups[4096]; /* /proc/self/cgroup, where it is needed */
	struct child_report report;
};

/* Note the failure with errno as the code. Returns -1. */
int child_fail(struct child *child, enum child_step step, int index);
/* The same with a result of the -errno kind. */
int child_fail_code(struct child *child, enum child_step step, int index, int code);

/* child-mounts.c */
int child_open_layers(struct child *child);
int child_open_bind_sources(struct child *child);
/* A detached clone of what a bind mount shows, -1 with errno. */
int child_clone_source(const struct plan_mount *mount);
/* A detached clone of the directory that becomes the root. */
int child_open_root(struct child *child);
/* Cut the mounts off from the host's, and find out whether our "/" is their root. */
int child_make_private(struct child *child);
int child_mount_root(struct child *child);
/* A detached mount of the root overlay; also for the mapper, which is no child. */
int child_make_overlay(struct child *child);
int child_mount_all(struct child *child);
int child_mask_paths(struct child *child);
int child_pivot(struct child *child);

/* A detached mount of a new file system of the plan's; also for the mapper. */
int child_make_file_system(struct child *child, const struct plan_mount *mount, int index,
			   const char *type);

/* Put the mount in its place inside the root. */
int child_attach(struct child *child, int fd, const struct plan_mount *mount, int index,
		 bool directory);

/* child-cgroups.c */
int child_read_cgroups(struct child *child);
int child_mount_cgroup_v1(struct child *child, const struct plan_mount *mount, int index);

/* child-devices.c */
int child_make_devices(struct child *child);
int child_make_terminal(struct child *child, int *ret_master_fd);
/* A descriptor of the container's own /dev/null, or of the host's where it has none. */
int child_open_null(struct child *child);

/* child-time.c: make it for children; make it and go there. Nothing where none is wanted. */
int child_make_time_namespace(struct child *child);
int child_enter_time_namespace(struct child *child);

/* child-privileges.c */
int child_become_user(struct child *child);
int child_drop_privileges(struct child *child);

/* child-exec.c */
extern const size_t child_stub_size;
void child_make_stub(struct child *child);
int child_execute(struct child *child);
/* What the stub does otherwise; nothing where no container is entered. */
int child_enter_pid_namespace(struct child *child);

/* Open /proc/PATH of the host; `path` is relative. */
int child_open_proc(struct child *child, const char *path, int flags);

/* child-enter.c: what comes before the command, in a container that runs. */
int child_enter(struct child *child, int *ret_master_fd);

/* child-schedule.c */
int child_set_scheduling(struct child *child);
int child_set_final_affinity(struct child *child);

/* child-hooks.c */
int child_run_hooks(struct child *child, enum oci_hook_point point);

/* child-hold.c: returns when the container is to be started. */
void child_hold(struct child *child, int listen_fd);

/* child.c */
_Noreturn void child_report_and_exit(struct child *child);
int child_become_root(struct child *child);
int child_begin_session(struct child *child);
int child_enter_cgroups(struct child *child);
void child_wait_for_parent(struct child *child);
int child_open_label(struct child *child);
int child_set_up_stdio(struct child *child);
/* Does not return. */
_Noreturn void child_main(struct child *child);
