/* Changing a container that is there, also while it runs. */
#pragma once

#include <stdbool.h>

struct container;
struct container_spec;
struct engine;
struct err;

struct container_update {
	/* Puts what is new into the spec. */
	int (*change)(struct container_spec *spec, void *arg, struct err *err);
	/* The same for limits: into the spec of the container, and into an empty one, by which those of a running container
	 * are changed. NULL: they stay. */
	int (*change_limits)(struct container_spec *spec, void *arg, struct err *err);
	void *arg;
	bool is_restart; /* the restart policy is among what is new, … */
	bool is_health;	 /* … or the checks of health */
};

/* Nothing is changed when it fails; what the kernel refuses is not remembered either. `container` is found again. */
int container_update(struct engine *engine, struct container *container,
		     const struct container_update *update, struct err *err);
