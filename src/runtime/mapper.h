/* Mounts that need the host's root although the container has a user namespace.
 *
 * Layers keep the IDs of the image. A container with another range of IDs sees them through
 * ID-mapped mounts, which only the owner of the file system may make: not the container's first
 * process. So a short-lived helper process makes them in a mount namespace of its own, joins layers
 * to the root overlay, and sends the detached mounts to the child with its "go". The upper
 * directory is mapped as well: what the container writes has an image's IDs on disk, ready to
 * become a layer. */
#pragma once

struct err;
struct launch_plan;

/* Run the helper and wait for it. `user_ns_fd` has the map; `control_fd` is the parent's end of the
 * socket to the child. */
int mapper_send_mounts(const struct launch_plan *plan, int user_ns_fd, int control_fd,
		       struct err *err);
