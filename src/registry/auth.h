/* Credentials for registries: the auth.json files that podman, skopeo and docker share, and the
 * docker-credential-NAME programs. See containers-auth.json(5). */
#pragma once

#include "base/strlist.h"

struct err;
struct registries;
struct registry_paths;

struct credentials {
	char *user;	      /* NULL: none are known */
	char *password;	      /* wiped when cleared */
	char *identity_token; /* instead of a password, for bearer tokens */
};

#define CREDENTIALS_EMPTY ((struct credentials){ 0 })
#define autocredentials	  __attribute__((cleanup(credentials_clear)))
void credentials_clear(struct credentials *credentials);

/* The most specific entry for "HOST[:PORT][/PATH…]" wins, across all files in their order. No
 * credentials at all is success with user NULL; a file that cannot be understood is an error.
 *
 * @authfile:    the file of --authfile, which then is the only one; NULL: the usual places
 * @registries:  for its credential-helpers; may be NULL */
int auth_find(const struct registry_paths *paths, const char *authfile,
	      const struct registries *registries, const char *key,
	      struct credentials *ret_credentials, struct err *err);

/* Write an entry, into `authfile` or the usual file (mode 0600), or give it to the credential
 * helper that is set for this registry. Other entries stay. */
int auth_store(const struct registry_paths *paths, const char *authfile, const char *key,
	       const char *user, const char *password, struct err *err);
/* Forget an entry. -ENOENT when there is none there. */
int auth_remove(const struct registry_paths *paths, const char *authfile, const char *key,
		struct err *err);
int auth_remove_all(const struct registry_paths *paths, const char *authfile, struct err *err);
