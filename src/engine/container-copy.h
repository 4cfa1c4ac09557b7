/* Copying between the host and containers, and between containers, whether they run or not; see container-inside.h.
 *
 * Each end works in a process of its own: in the container as its root, on the host under the caller's ID mapping. A tar
 * archive goes from one to the other. What comes out of a container is put on the host as the caller's, and by no link
 * that the container could have made; what comes into one can lead nowhere but into it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct container;
struct engine;
struct err;

struct copy_end {
	struct container *container; /* NULL: the host */
	const char *name;	     /* of the container, as the user calls it */
	const char *
		path; /* in a container from its "/"; "-" on the host: a tar archive on standard input or output */
};

enum copy_flags {
	COPY_OWN =
		1
		<< 0, /* in a container it all belongs to the user its processes run as; else owners are kept */
	COPY_REPLACE =
		1
		<< 1, /* a directory may take the place of something else, and the other way round */
};

struct copy_result {
	uint64_t skipped_devices, skipped_sockets;
};

/* Containers were found with their specs, and are found again. -ENOENT, -ENOTDIR and -EEXIST with words. */
int container_copy(struct engine *engine, const struct copy_end *source,
		   const struct copy_end *destination, enum copy_flags flags,
		   struct copy_result *ret_result, struct err *err);
