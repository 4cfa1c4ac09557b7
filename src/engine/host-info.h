/* What davit knows about the host, its own storage and itself: for `davit info`. */
#pragma once

struct engine;
struct err;
struct json_object;

/* An object with the members host, store, registries and version, named as in podman. What cannot
 * be found out is left empty: an answer with a gap helps more than none. Opens the store. */
int host_info(struct engine *engine, struct json_object **ret_info, struct err *err);
