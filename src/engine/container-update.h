/* Other limits for a container, also while it runs. */
#pragma once

struct container;
struct container_spec;
struct engine;
struct err;

/* `change` puts what is new into a spec: into that of the container, and into an empty one, by which
 * the limits of a running container are changed. Nothing is changed when it fails. `container` is
 * found again. */
int container_update(struct engine *engine, struct container *container,
		     int (*change)(struct container_spec *spec, void *arg, struct err *err),
		     void *arg, struct err *err);
