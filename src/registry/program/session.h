/* What the helper has learnt about registries: how they are reached, how they want to be spoken to,
 * and the tokens they gave. Lives as long as the process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"
#include "registry/program/challenge.h"
#include "registry/program/tls.h"

enum host_scheme { HOST_UNKNOWN, HOST_HTTPS, HOST_HTTP };

struct host {
	struct host *next;
	char *domain;	     /* as in the name: docker.io */
	const char *address; /* who really answers for it: registry-1.docker.io */
	bool insecure;
	enum host_scheme trying; /* what the next ping uses */
	enum host_scheme scheme; /* HOST_UNKNOWN until one has been answered */
	bool has_answered;	 /* ever, so that a refused connection may be a passing thing */
	struct challenge challenge;
	struct tls tls;
};

struct token {
	struct token *next;
	const struct host *host;
	char *scope, *user; /* user "" for anonymous ones */
	char *value;
	int64_t expires_usec;
};

struct session {
	struct host *hosts;
	struct token *tokens;
	struct strlist certs_dirs;
	char *cert_dir; /* NULL: certs_dirs */
};

/* Found or made; never NULL. */
struct host *session_host(struct session *session, const char *domain, bool insecure);

/* "https://registry-1.docker.io/v2/" and what follows; owned by the caller. */
char *host_url(const struct host *host, enum host_scheme scheme, const char *below);

/* NULL when there is none that still holds. */
const struct token *session_token(const struct session *session, const struct host *host,
				  const char *scope, const char *user);
void session_add_token(struct session *session, const struct host *host, const char *scope,
		       const char *user, const char *value, int64_t lifetime_sec);
void session_drop_token(struct session *session, const struct host *host, const char *scope,
			const char *user);
