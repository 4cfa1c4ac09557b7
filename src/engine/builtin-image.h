/* The image that davit carries: localhost/davit/helloweb:latest, a tiny web server, so that there
 * is something to run where there is neither registry nor network. */
#pragma once

#include <stdbool.h>

struct engine;
struct err;
struct progress;
struct reference;

/* Does the name mean the built-in image? "davit/helloweb" or "localhost/davit/helloweb", both with
 * the tag "latest" or none. */
bool builtin_image_is(const struct reference *reference);

/* Make it, unless it is there. *ret_id is owned by the caller. */
int builtin_image_make(struct engine *engine, struct progress *progress, char **ret_id,
		       struct err *err);
