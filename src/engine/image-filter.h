/* Which images a user means by --filter KEY=VALUE and by the operand of `davit images`. Values of
 * one key are alternatives, of `label` they must all hold; different keys must all hold. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct engine;
struct err;
struct image;
struct image_filter;

/* Unknown keys and values that cannot be are errors that name what is known. */
int image_filter_parse(struct engine *engine, const struct strlist *words,
		       struct image_filter **ret_filter, struct err *err);
void image_filter_free(struct image_filter *filter);

/* The image has its names; its configuration is loaded when labels ask for it. Returns 1, 0 or an
 * error. */
int image_filter_matches(struct engine *engine, const struct image_filter *filter,
			 struct image *image, struct err *err);

/* "nginx", "nginx:1.2*", "docker.io/library/nginx": does the full name match the pattern? */
bool image_name_matches(const char *name, const char *pattern);

static inline void image_filter_free_auto(struct image_filter **at)
{
	image_filter_free(*at);
}
#define autoimage_filter __attribute__((cleanup(image_filter_free_auto)))
