/* The part of the plan that is about limits; update uses it, too. */
#pragma once

#include <stdint.h>

struct cgroup_resources;
struct container_spec;
struct err;
struct settings;

/* Fill an empty `limits`, but for its device rules. `settings` NULL: no defaults. Looks at block
 * devices that the spec names. */
int plan_limits(const struct container_spec *spec, const struct settings *settings,
		uint64_t host_memory_bytes, struct cgroup_resources *limits, struct err *err);
