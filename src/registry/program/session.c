#include "registry/program/session.h"

#include <string.h>

#include "base/mem.h"
#include "base/timing.h"

#define TOKEN_LIFETIME_MIN_SEC 60 /* as the token specification says when a server says nothing */
#define TOKEN_MARGIN_SEC       10 /* a token that ends on the way is of no use */

struct host *session_host(struct session *session, const char *domain, bool insecure)
{
	for (struct host *host = session->hosts; host; host = host->next)
		if (strcmp(host->domain, domain) == 0 && host->insecure == insecure)
			return host;
	struct host *host = xcalloc(1, sizeof(*host));
	host->domain = xstrdup(domain);
	host->address = strcmp(domain, "docker.io") == 0 ? "registry-1.docker.io" : host->domain;
	host->insecure = insecure;
	host->trying = HOST_HTTPS;
	host->tls.insecure = insecure;
	tls_load(&host->tls, domain, &session->certs_dirs, session->cert_dir);
	host->next = session->hosts;
	session->hosts = host;
	return host;
}

char *host_url(const struct host *host, enum host_scheme scheme, const char *below)
{
	return xasprintf("%s://%s/v2/%s", scheme == HOST_HTTP ? "http" : "https", host->address,
			 below);
}

static bool token_is(const struct token *token, const struct host *host, const char *scope,
		     const char *user)
{
	return token->host == host && strcmp(token->scope, scope) == 0 &&
	       strcmp(token->user, user) == 0;
}

const struct token *session_token(const struct session *session, const struct host *host,
				  const char *scope, const char *user)
{
	for (const struct token *token = session->tokens; token; token = token->next)
		if (token_is(token, host, scope, user) && token->expires_usec > clock_now_usec())
			return token;
	return NULL;
}

void session_drop_token(struct session *session, const struct host *host, const char *scope,
			const char *user)
{
	for (struct token **at = &session->tokens; *at;) {
		struct token *token = *at;
		if (!token_is(token, host, scope, user)) {
			at = &token->next;
			continue;
		}
		*at = token->next;
		explicit_bzero(token->value, strlen(token->value));
		free(token->value);
		free(token->scope);
		free(token->user);
		free(token);
	}
}

void session_add_token(struct session *session, const struct host *host, const char *scope,
		       const char *user, const char *value, int64_t lifetime_sec)
{
	if (lifetime_sec < TOKEN_LIFETIME_MIN_SEC)
		lifetime_sec = TOKEN_LIFETIME_MIN_SEC;
	if (lifetime_sec > 86400)
		lifetime_sec = 86400;
	session_drop_token(session, host, scope, user);
	struct token *token = xcalloc(1, sizeof(*token));
	token->host = host;
	token->scope = xstrdup(scope);
	token->user = xstrdup(user);
	token->value = xstrdup(value);
	token->expires_usec = clock_now_usec() + (lifetime_sec - TOKEN_MARGIN_SEC) * 1000000;
	token->next = session->tokens;
	session->tokens = token;
}
