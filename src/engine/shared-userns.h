/* --userns container:NAME and ns:PATH: a user namespace that is there already.
 *
 * Its maps are put into the record when the container is made, since its files have to follow them;
 * at each start the namespace is looked up again and has to have the same ones. */
#pragma once

struct container_map;
struct container_spec;
struct engine;
struct err;
struct strlist;
struct userns_mode;

/* Sets spec->userns_mode, uid_maps and gid_maps. -ENOENT, -EPERM with words. */
int shared_userns_resolve(struct engine *engine, const struct userns_mode *mode,
			  struct container_spec *spec, struct err *err);

/* The ID of the container that has it, appended. */
void shared_userns_needed(const struct container_spec *spec, struct strlist *ids);

/* At a start: a descriptor of it, the caller's; -1 if this container shares none. -ESRCH if the other
 * one does not run, -EINVAL if the IDs are others by now. */
int shared_userns_open(struct engine *engine, const struct container_spec *spec,
		       const struct container_map *map, int *ret_fd, struct err *err);
