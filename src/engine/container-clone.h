/* A container like another one: the same options, and its files as they were at a snapshot or are now. */
#pragma once

struct container_base;
struct container_spec;
struct engine;
struct err;

/* The description of a clone, to be changed and given to container_create() while `base` is open. What can
 * be had only once is left out: fixed addresses, files that IDs and process numbers are written into. */
int container_clone_spec(struct engine *engine, const struct container_base *base,
			 struct container_spec **ret_spec, struct err *err);
