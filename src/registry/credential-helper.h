/* Programs named docker-credential-NAME that keep passwords elsewhere, such as in a desktop's
 * keyring. See github.com/docker/docker-credential-helpers. */
#pragma once

struct credentials;
struct err;

/* No entry for this server is success with user NULL. */
int credential_helper_get(const char *name, const char *server, struct credentials *ret_credentials,
			  struct err *err);
int credential_helper_store(const char *name, const char *server, const char *user,
			    const char *password, struct err *err);
int credential_helper_erase(const char *name, const char *server, struct err *err);
