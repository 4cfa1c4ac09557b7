/* What a job asks next: whether the host is a registry, for a token, for the thing itself. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "registry/program/job-internal.h"
#include "registry/protocol.h"

#define TOKEN_BODY_MAX ((size_t)256 * 1024)

static void start(struct jobs *jobs, struct job *job, enum job_phase phase,
		  const struct request *request)
{
	transfer_clear(&job->transfer, &jobs->transport);
	job->transfer.owner = job;
	job->phase = phase;
	transfer_start(&job->transfer, &jobs->transport, request);
}

static char *basic_authorization(const char *user, const char *password)
{
	autofree char *plain = xasprintf("%s:%s", user, password);
	struct strbuf text = STRBUF_EMPTY;

	strbuf_adds(&text, "Basic ");
	base64_encode(plain, strlen(plain), &text);
	explicit_bzero(plain, strlen(plain));
	return strbuf_take(&text);
}

void secret_wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(take_ptr(text));
}

static void start_ping(struct jobs *jobs, struct job *job)
{
	struct host *host = job_endpoint(job)->host;
	autofree char *url = host_url(host, host->trying, "");

	start(jobs, job, JOB_PING,
	      &(struct request){ .url = url, .tls = &host->tls, .body_limit = ERROR_BODY_MAX });
}

char *job_scope(const struct job *job)
{
	if (job->scope)
		return xstrdup(job->scope);
	if (job->kind == JOB_LOGIN)
		return xstrdup("");
	return xasprintf("repository:%s:pull", job_endpoint(job)->path);
}

const char *job_token_user(const struct job *job)
{
	const struct endpoint *endpoint = job_endpoint(job);

	return endpoint->user ? endpoint->user : endpoint->identity_token ? "<token>" : "";
}

static void add_parameter(struct strbuf *text, char separator, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);

	if (escaped)
		strbuf_addf(text, "%c%s=%s", separator, name, escaped);
	curl_free(escaped);
}

/* A GET with basic authorisation, or an OAuth2 POST when all we have is a refresh token. */
static void start_token(struct jobs *jobs, struct job *job)
{
	const struct endpoint *endpoint = job_endpoint(job);
	const struct challenge *challenge = &endpoint->host->challenge;
	autofree char *scope = job_scope(job);
	autostrbuf struct strbuf url = STRBUF_EMPTY, form = STRBUF_EMPTY;
	autosecret char *authorization = NULL;

	if (strncmp(challenge->realm, "https://", 8) != 0 && !endpoint->host->insecure) {
		err_set(&job->err, EPROTO,
			"registry '%s' sends us for a token to a place that is not protected by "
			"TLS: %.100s",
			endpoint->host->domain, challenge->realm);
		job_endpoint_failed(jobs, job, false);
		return;
	}
	strbuf_adds(&url, challenge->realm);
	if (endpoint->identity_token) {
		strbuf_adds(&form, "grant_type=refresh_token");
		add_parameter(&form, '&', "service", challenge->service ? challenge->service : "");
		add_parameter(&form, '&', "client_id", "davit");
		add_parameter(&form, '&', "refresh_token", endpoint->identity_token);
		if (*scope)
			add_parameter(&form, '&', "scope", scope);
	} else {
		char separator = strchr(challenge->realm, '?') ? '&' : '?';
		if (challenge->service) {
			add_parameter(&url, separator, "service", challenge->service);
			separator = '&';
		}
		if (*scope) {
			add_parameter(&url, separator, "scope", scope);
			separator = '&';
		}
		if (endpoint->user) {
			add_parameter(&url, separator, "account", endpoint->user);
			authorization = basic_authorization(endpoint->user, endpoint->password);
		}
	}
	start(jobs, job, JOB_TOKEN,
	      &(struct request){
		      .url = strbuf_text(&url),
		      .authorization = authorization,
		      .form = form.size ? form.data : NULL,
		      .tls = &endpoint->host->tls,
		      .body_limit = TOKEN_BODY_MAX,
	      });
	if (form.size)
		explicit_bzero(form.data, form.size);
}

static int receive_blob(struct transfer *transfer, const void *data, size_t size)
{
	struct job *job = transfer->owner;
	const char *at = data;

	if (job->range_start > 0 && !job->range_checked) {
		/* The first bytes of the answer: is it the part we asked for? */
		job->range_checked = true;
		if (transfer_status(transfer) == 200)
			job->skip = job->range_start;
		else if (transfer->content_start != job->range_start)
			return err_set(&job->err, EPROTO,
				       "registry '%s' sent another part of blob %s than we asked "
				       "for",
				       job_endpoint(job)->host->domain, job->what);
	}
	/* A registry that knows no ranges begins at the start. We do not: the parent may be reading
	 * the file, and if what is in it were wrong, the digest would tell. */
	if (job->skip > 0) {
		size_t skipped = (int64_t)size < job->skip ? size : (size_t)job->skip;
		job->skip -= (int64_t)skipped;
		at += skipped;
		size -= skipped;
	}
	return partial_append(&job->partial, at, size, &job->err);
}

static void start_fetch(struct jobs *jobs, struct job *job, const char *authorization)
{
	static char *accepted[] = {
		"application/vnd.oci.image.index.v1+json",
		"application/vnd.oci.image.manifest.v1+json",
		"application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.docker.distribution.manifest.v2+json",
	};
	static const struct strlist accept = { .items = accepted, .count = ARRAY_SIZE(accepted) };
	const struct endpoint *endpoint = job_endpoint(job);
	autofree char *below = NULL;

	if (job->kind == JOB_LOGIN)
		below = xstrdup("");
	else if (job->kind == JOB_TAGS)
		below = xasprintf("%s/tags/list%s", endpoint->path, job->what);
	else
		below = xasprintf("%s/%s/%s", endpoint->path,
				  job->kind == JOB_MANIFEST ? "manifests" : "blobs", job->what);
	autofree char *url = host_url(endpoint->host, endpoint->host->scheme, below);

	job->range_start = job->kind == JOB_BLOB ? job->partial.hashed : 0;
	job->range_checked = false;
	job->skip = 0;
	job->attempt_start = job->range_start;
	job->err = (struct err){ 0 };
	transfer_clear(&job->transfer, &jobs->transport);
	if (job->kind == JOB_BLOB)
		job->transfer.sink = receive_blob;
	job->transfer.owner = job;
	job->phase = JOB_FETCH;
	transfer_start(&job->transfer, &jobs->transport,
		       &(struct request){
			       .url = url,
			       .authorization = authorization,
			       .accept = job->kind == JOB_MANIFEST ? &accept : NULL,
			       .tls = &endpoint->host->tls,
			       .range_start = job->range_start,
			       .body_limit = job->kind == JOB_BLOB || job->kind == JOB_LOGIN
						     ? ERROR_BODY_MAX
						     : PROTOCOL_PAYLOAD_MAX,
		       });
}

void job_advance(struct jobs *jobs, struct job *job)
{
	const struct endpoint *endpoint = job_endpoint(job);
	struct host *host = endpoint->host;

	if (job->kind == JOB_BLOB && job->partial.hashed == job->partial.size) {
		job_finish_blob(jobs, job);
		return;
	}
	if (host->scheme == HOST_UNKNOWN) {
		start_ping(jobs, job);
		return;
	}
	autosecret char *authorization = NULL;
	if (host->challenge.scheme == CHALLENGE_BASIC && endpoint->user) {
		authorization = basic_authorization(endpoint->user, endpoint->password);
	} else if (host->challenge.scheme == CHALLENGE_BEARER) {
		autofree char *scope = job_scope(job);
		const struct token *token =
			session_token(&jobs->session, host, scope, job_token_user(job));
		if (!token) {
			start_token(jobs, job);
			return;
		}
		authorization = xasprintf("Bearer %s", token->value);
	}
	start_fetch(jobs, job, authorization);
}
