/* --userns and the options beside it: from words to the maps in the container's description. */
#pragma once

struct cli;
struct container_args;
struct container_spec;
struct engine;
struct err;

/* Before the image is known: what is wrong is told before anything is pulled. Sets the user of a
 * container under keep-id, unless --user does; the image's comes before it. */
int userns_options_apply(struct engine *engine, const struct container_args *args,
			 struct container_spec *spec, struct err *err);
