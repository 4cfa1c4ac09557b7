/* The plan: from what a container shall be to what the runtime is told to do.
 *
 * Pure but for stat(2) of the devices asked for, and of what is mounted to be looked at: everything
 * else it needs is in the input, so that plans can be compared in tests without privileges. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

struct container_spec;
struct err;
struct identity;
struct mount_spec;
struct oci_runtime_config;
struct settings;
struct shared_namespaces;
struct userns_map;

struct plan_input {
	const struct container_spec *spec;
	const struct settings *settings;
	const struct identity *identity;
	const struct userns_map *map; /* the container's, to the host's IDs */
	bool is_rootless;
	const char *id, *name;
	/* Whose namespaces it shares; NULL: what the spec says, which then names no containers. */
	const struct shared_namespaces *shared;
	const char *hostname;	   /* that its processes see; NULL: the spec's, or the short ID */
	const char *container_dir; /* ROOT/containers/ID: the overlay's upper and work directory,
				      the log */
	const char *run_dir;	   /* RUNROOT/containers/ID: hosts, hostname, resolv.conf */
	const char
		*map_name; /* of copies of layers, see layer_remap_path(); NULL: none are needed */
	const char *volumes_dir;	  /* ROOT/volumes */
	const char *store_dir;		  /* ROOT */
	const char *init_path;		  /* davit-init, for spec->init */
	const struct strlist *secret_env; /* KEY=VALUE, see container-secrets.h; NULL: none */
	const struct strlist *layer_dirs; /* uppermost first; empty with spec->rootfs */
	const char *skeleton;		  /* lies below them; NULL: none */
	bool rootfs_is_mapped;	  /* the directory of spec->rootfs is to be seen with other IDs */
	const char *cgroups_path; /* container_cgroup_path(); NULL: no group */
	uint64_t host_memory_bytes;
	uint64_t available_capabilities; /* what davit has to give: all where it makes a user
					    namespace, else its own bounding set */
	bool host_has_mqueue;		 /* for --ipc host: /dev/mqueue is there to be shared */
};

int plan_container(const struct plan_input *input, struct oci_runtime_config **ret_config,
		   struct err *err);

/* Only the process, for one more of a container that runs: `spec` is the container's, changed to what is wanted of this
 * process. The rest of the configuration stays empty. */
int plan_process_only(const struct plan_input *input, struct oci_runtime_config **ret_config,
		      struct err *err);

/* Only the file systems that last, for who looks into a container that does not run: its root, which can be written, and
 * with `with_mounts` the user's directories, volumes and images in their places. There is no command, no device, and of
 * the namespaces only those for mounts and IDs. Mounts whose directory is not there any more are left out. */
int plan_files_only(const struct plan_input *input, bool with_mounts,
		    struct oci_runtime_config **ret_config, struct err *err);

/* With this label, as in podman, an image says which capabilities are enough for it. It gets just these if they are
 * among those that it would get without it. */
#define CAPABILITIES_LABEL "io.containers.capabilities"
/* 1: it has the label, 0: it has not, or is privileged. */
int plan_required_capabilities(const struct container_spec *spec, uint64_t *ret_required,
			       struct err *err);

/* The capabilities a container of this spec may have at most (its bounding set). */
int plan_capabilities(const struct container_spec *spec, const struct settings *settings,
		      uint64_t *ret_bounding, struct err *err);

/* The whole environment of the process: the spec's, and HOME and HOSTNAME where nobody set them. Appended
 * to `env`. */
void plan_environment(const struct container_spec *spec, const char *hostname, const char *home,
		      struct strlist *env);
