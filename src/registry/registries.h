/* registries.conf(5): which registries a short name may mean, and where a registry's images really
 * come from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/strlist.h"

struct err;
struct reference;
struct registries;
struct registry_paths;

enum short_name_mode {
	SHORT_NAME_PERMISSIVE, /* ask on a terminal, else try all */
	SHORT_NAME_ENFORCING,  /* ask on a terminal, else fail */
	SHORT_NAME_DISABLED,   /* try all */
};

/* Read the main file and its drop-ins; missing files are no error, unless the environment named
 * the file. The version 1 format ([registries.search]) is understood too. */
int registries_load(const struct registry_paths *paths, struct registries **ret_registries,
		    struct err *err);
void registries_free(struct registries *registries);

static inline void registries_free_auto(struct registries **at)
{
	registries_free(*at);
}
#define autoregistries __attribute__((cleanup(registries_free_auto)))

const struct strlist *registries_search(const struct registries *registries);
enum short_name_mode registries_short_name_mode(const struct registries *registries);
/* The full repository an alias stands for, borrowed; NULL when there is none. */
const char *registries_alias(const struct registries *registries, const char *short_name);
/* "containers-auth.json" or names of credential helpers, in order; empty: the former. */
const struct strlist *registries_credential_helpers(const struct registries *registries);
/* The files that were read, for messages and `davit info`. */
const struct strlist *registries_files(const struct registries *registries);

/* One place to fetch an image from. */
struct registry_endpoint {
	char *domain;  /* "HOST[:PORT]" as configured: docker.io stays docker.io */
	char *path;    /* repository below it */
	bool insecure; /* any certificate and plain HTTP will do */
};

struct registry_endpoints {
	struct registry_endpoint *items;
	size_t count;
};

#define autoendpoints __attribute__((cleanup(registry_endpoints_clear)))
void registry_endpoints_clear(struct registry_endpoints *endpoints);

/* Where to fetch a full name from, in order: its mirrors, then the place itself. -EPERM when the
 * configuration blocks it. */
int registries_endpoints(const struct registries *registries, const struct reference *reference,
			 struct registry_endpoints *ret_endpoints, struct err *err);
