/* What the container's first process tells its parent. */
#pragma once

/* In the order in which they happen. */
enum child_step {
	CHILD_START, /* the parent went away before the start */
	CHILD_JOIN,  /* index: enum oci_namespace */
	CHILD_OOM_SCORE,
	CHILD_CLONE,
	CHILD_CLONED,	  /* no failure: index is the pid */
	CHILD_NAMESPACES, /* no failure; carries the mount and the network namespace */
	CHILD_TIME_NAMESPACE,
	CHILD_TIME_OFFSETS,
	CHILD_CGROUP, /* index: hierarchy */
	CHILD_IDS,
	CHILD_CGROUP_NAMESPACE,
	CHILD_KEYRING,
	CHILD_HOSTNAME,
	CHILD_DOMAINNAME,
	CHILD_LOOPBACK,
	CHILD_BIND_SOURCE, /* index: mount */
	CHILD_PROPAGATION,
	CHILD_OWN_PATH,	     /* index: path */
	CHILD_OVERLAY,	     /* index: lower layer, -1 for the whole; detail: enum overlay_part */
	CHILD_OVERLAY_MAP,   /* index: lower layer, -1: the upper directory */
	CHILD_ROOT,	     /* the directory that becomes the root */
	CHILD_MOUNT_MAP,     /* index: mount */
	CHILD_MOUNT_TARGET,  /* index: mount */
	CHILD_MOUNT_OPTION,  /* index: mount, detail: option */
	CHILD_MOUNT,	     /* index: mount */
	CHILD_MOUNT_FLAGS,   /* index: mount */
	CHILD_MOUNT_COPY_UP, /* index: mount */
	CHILD_DEVICE,	     /* index: device */
	CHILD_DEVICE_LINK,
	CHILD_TERMINAL,
	CHILD_STDIO,
	CHILD_SYSCTL,	/* index: sysctl */
	CHILD_MASK,	/* index: masked path */
	CHILD_READONLY, /* index: read-only path */
	CHILD_LABEL,
	CHILD_HOOKS, /* no failure: now the hooks beside the container, then "go" */
	CHILD_HOOK,  /* index: hook, detail: enum oci_hook_point */
	CHILD_PIVOT,
	CHILD_CWD,
	CHILD_READY, /* no failure; carries the terminal */
	CHILD_HELD,  /* no failure: waits for its start by another process */
	CHILD_PERSONALITY,
	CHILD_SCHEDULER,
	CHILD_IO_PRIORITY,
	CHILD_AFFINITY,
	CHILD_CAPABILITIES,
	CHILD_GROUPS,
	CHILD_USER,
	CHILD_SECCOMP,
	CHILD_LISTENER, /* no failure; carries the listener of the filter */
	CHILD_FORK,	/* into the PID namespace of a container that is entered */
	CHILD_EXEC,	/* index: candidate */
	CHILD_STEP_COUNT,
};

/* What stopped the child. One packet. */
struct child_report {
	enum child_step step;
	int index;
	int detail;
	int code;	 /* errno, 0 for what is no failure */
	int wait_status; /* CHILD_HOOK: of the hook, if it ran */
	char said[160];	 /* what the kernel's file system context had to say, may be empty */
};
