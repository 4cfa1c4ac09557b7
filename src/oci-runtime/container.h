/* A container as davit-runtime remembers it: a directory ROOT/ID with
 *
 *	config.json	a copy, so that a bundle that changes meanwhile changes nothing
 *	state.json	process, start time, control group, times
 *	start		the socket its first process listens on until it is started
 *
 * What it is doing is asked of the kernel each time. The directory is locked by who changes something; a runtime that is
 * killed at any moment leaves what `delete --force` takes away. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;
struct err;
struct json_object;
struct oci_runtime_config;
struct program;
struct strlist;

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED,
};

extern const char *const container_status_names[];

struct container {
	char *directory;
	int directory_fd;
	bool is_locked; /* by us, through directory_fd */
	struct oci_runtime_config *config;
	pid_t pid; /* 0: none yet */
	uint64_t start_time;
	char *cgroup; /* cgroup_location(), or the path it is being made at; NULL: none */
	char *created;
	uid_t owner;
};

/* The container's directory, made and locked. `config_text` is kept. -EEXIST. */
int container_make(const struct program *program, const char *id, const char *config_text,
		   size_t config_size, const char *bundle, struct container **ret_container,
		   struct err *err);

enum container_find_flags {
	CONTAINER_LOCK = 1 << 0,
	CONTAINER_MAY_BE_BROKEN = 1 << 1, /* what cannot be read is empty: for removal */
};
/* -ENOENT. */
int container_find(const struct program *program, const char *id, enum container_find_flags flags,
		   struct container **ret_container, struct err *err);
void container_free(struct container *container);

int container_save(const struct container *container, struct err *err);
enum container_status container_status(const struct container *container);
const char *container_status_name(const struct container *container);

/* The process, if it is there; -ESRCH with words otherwise. */
int container_open_process(const struct container *container, int *ret_pid_fd, struct err *err);
/* NULL without a group. */
int container_open_cgroup(const struct container *container, struct cgroup **ret_cgroup,
			  struct err *err);

/* Make the socket, or connect to it. */
int container_listen(const struct container *container, struct err *err);
int container_connect(const struct container *container, struct err *err);
/* It has been started. */
void container_unlink_socket(const struct container *container);

/* Take away process, control group and directory; then the hooks poststop. */
int container_remove(struct container *container, struct err *err);

/* As `state` prints it. Owned by the caller. */
struct json_object *container_state(const struct container *container);

/* All names, sorted. */
int container_names(const struct program *program, struct strlist *names, struct err *err);

/* The filter of the configuration, from the cache where it is there. */
int container_load_filter(const struct program *program, struct oci_runtime_config *config,
			  struct err *err);
