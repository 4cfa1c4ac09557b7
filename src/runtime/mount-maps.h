/* Bind mounts with IDs mapped otherwise than the container's (mounts[].uidMappings and gidMappings). */
#pragma once

struct err;
struct oci_runtime_config;

/* Make those mounts, detached, as their mount_fd: before runtime_spawn(), by root of the host, since the kernel lets nobody
 * else map the IDs of a file system. runtime_close_mapped_mounts() closes them again. Where the maps are the container's the
 * runtime itself does it. */
int runtime_map_mounts(struct oci_runtime_config *config, struct err *err);
void runtime_close_mapped_mounts(struct oci_runtime_config *config);
