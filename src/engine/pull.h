/* Pulling: from a name to an image in the store. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"
#include "registry/client.h"

struct engine;
struct err;
struct image;
struct progress;

enum pull_policy {
	PULL_ALWAYS,
	PULL_MISSING, /* only when there is no such image here */
	PULL_NEWER,   /* when the registry's differs; if it cannot be reached, the local one does */
	PULL_NEVER,
};

struct pull_options {
	enum pull_policy policy;
	bool all_tags;
	const char *platform;			 /* "OS[/ARCH[/VARIANT]]", NULL: this machine's */
	const char *os, *architecture, *variant; /* single parts, NULL */
	const char *user, *password;		 /* NULL: what the auth files say */
	const char *authfile, *cert_dir;	 /* NULL: the usual places */
	enum registry_tls tls;
	int retry;		   /* < 0: the default */
	int64_t retry_delay_usec;  /* < 0: the default */
	struct progress *progress; /* NULL: silent */
	/* A short name may mean several: the index of the user's choice, negative when he cannot be
	 * asked. NULL: nobody can. */
	int (*choose)(void *arg, const char *name, const struct strlist *full_names);
	void *choose_arg;
};

#define PULL_OPTIONS_DEFAULT                                                                       \
	((struct pull_options){ .policy = PULL_MISSING,                                            \
				.tls = REGISTRY_TLS_CONFIGURED,                                    \
				.retry = -1,                                                       \
				.retry_delay_usec = -1 })

int pull_policy_parse(const char *word, enum pull_policy *ret_policy, struct err *err);

/* Pull an image by name or transport ("docker://…", "oci:DIR", …). IDs of what was pulled, or was
 * there already as the policy has it, are appended to `ids`. Errors of the registry keep their
 * codes (registry/client.h). */
int image_pull(struct engine *engine, const char *name, const struct pull_options *options,
	       struct strlist *ids, struct err *err);

/* What run and create need: the image for a user's word by the policy, with its configuration
 * loaded. */
int image_obtain(struct engine *engine, const char *word, const struct pull_options *options,
		 struct image **ret_image, struct err *err);

/* Load all images of an archive or directory, whatever it is ("-": standard input); transports are
 * understood too. Full names, or IDs of nameless images, are appended to `loaded`. `name`: what to
 * call an image that has no name; may be NULL. */
int image_load_archive(struct engine *engine, const char *location, const char *name,
		       struct progress *progress, struct strlist *loaded, struct err *err);
