/* Which containers a user means by --filter KEY=VALUE. Values of one key are alternatives, of
 * `label` they must all hold; different keys must all hold. */
#pragma once

#include <stdbool.h>

#include "base/strlist.h"

struct container;
struct container_filter;
struct engine;
struct err;

/* Unknown keys and values that cannot be are errors that name what is known. */
int container_filter_parse(struct engine *engine, const struct strlist *words,
			   struct container_filter **ret_filter, struct err *err);
void container_filter_free(struct container_filter *filter);

/* The container was found with CONTAINER_WITH_SPEC when there is any filter. */
bool container_filter_matches(const struct container_filter *filter,
			      const struct container *container);
/* Whether it speaks about the state, so that containers that do not run are meant too. */
bool container_filter_has_state(const struct container_filter *filter);

static inline void container_filter_free_auto(struct container_filter **at)
{
	container_filter_free(*at);
}
#define autocontainer_filter __attribute__((cleanup(container_filter_free_auto)))
