/* Pausing: all processes of a container stand still, by its control group, and go on later. */
#pragma once

struct container;
struct engine;
struct err;

/* -EALREADY if it is paused, -ESRCH if it does not run. `container` was found with its spec. */
int container_pause(struct engine *engine, struct container *container, struct err *err);

/* -EALREADY if it is not paused. */
int container_unpause(struct engine *engine, struct container *container, struct err *err);

/* For those who end it: nothing hears of its end while it is paused. Whatever cannot be done is left. */
void container_thaw(struct engine *engine, struct container *container);
