/* Short names: what "nginx" means. See containers-registries.conf(5), "Short-Name Aliasing". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct reference;
struct registries;
struct registry_paths;

struct short_name_candidates {
	struct reference *items; /* full names with tag or digest, in the order to try */
	size_t count;
	bool must_ask;	  /* let the user choose one; without a terminal this is an error in the
			     enforcing mode and a list to try in the permissive one */
	bool may_try_all; /* when asking is not possible */
	bool is_alias;	  /* the one name is what an alias says */
	char *from;	  /* where they come from, for "Resolved … (FROM)"; owned */
};

#define autocandidates __attribute__((cleanup(short_name_candidates_clear)))
void short_name_candidates_clear(struct short_name_candidates *candidates);

/* The full names that `name` may stand for. A full name stands for itself. The default tag is
 * added. -ENOENT with podman's words when nothing is configured for it. */
int short_name_resolve(const struct registries *registries, const struct registry_paths *paths,
		       const struct reference *name, struct short_name_candidates *ret_candidates,
		       struct err *err);

/* Remember the user's choice: a later short_name_resolve() gives `chosen` alone. */
int short_name_remember(const struct registry_paths *paths, const struct reference *name,
			const struct reference *chosen, struct err *err);
