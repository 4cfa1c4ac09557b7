/* --hostuser: users of the host that a container knows too. */
#pragma once

struct container_args;
struct container_spec;
struct err;

/* Look them up now, so that the container starts whatever becomes of them. With --user NAME and a NAME of these, the
 * process has their numbers. */
int host_users_apply(const struct container_args *args, struct container_spec *spec,
		     struct err *err);
