/* What a container can do to its host: facts, and a score in the manner of systemd-analyze(1) security. */
#pragma once

struct container;
struct engine;
struct err;
struct json_object;

/* A document of what it has and may do, of each option that loosened something, and of the checks that make the score:
 *
 *	Exposure   0.0 (can do nothing) to 10.0 (is the host), the weighted mean of the checks
 *	Level      a word for it: PERFECT, SAFE, OK, MEDIUM, EXPOSED, UNSAFE, DANGEROUS
 *	Checks     [{Name, Good, Text, Exposure, Remedy}], Exposure being the part of the sum
 *	Loosened   [{Option, Effect}]
 *
 * Owned by the caller. The container was found with CONTAINER_WITH_SPEC; it need not run. */
int container_security(struct engine *engine, const struct container *container,
		       struct json_object **ret_json, struct err *err);
