/* Each job walks its phases; nothing here waits. Three rules keep it short:
 *
 * - Whatever the next step is follows from what is known: no answered ping yet for the host → ping;
 *   the host wants a bearer token and there is none for our scope → token; else fetch. So after
 *   every success job_advance() simply looks again.
 * - A failure belongs to an endpoint; the next endpoint is tried at once. When all have failed and
 *   one of the failures may pass, the whole is tried again after a delay that doubles.
 * - A blob's file survives failures: each attempt asks for what is missing. An attempt that brought
 *   much is not counted against the limit. */
#include "registry/program/job.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "registry/program/failure.h"
#include "registry/protocol.h"

#define BLOBS_AT_ONCE	   6
#define ERROR_BODY_MAX	   ((size_t)64 * 1024)
#define TOKEN_BODY_MAX	   ((size_t)256 * 1024)
#define LOCK_POLL_USEC	   200000 /* flock() cannot be waited for beside sockets */
#define PROGRESS_BYTES	   (1024 * 1024)
#define PROGRESS_USEC	   100000
#define GOOD_ATTEMPT_BYTES (4 * 1024 * 1024)
#define WAIT_MAX_SEC	   60 /* whatever Retry-After says */
#define ENDPOINTS_MAX	   64

static const struct endpoint *endpoint_of(const struct job *job)
{
	return &job->endpoints[job->current];
}

/* ---- telling the parent ---- */

static struct json_object *event_new(const struct job *job, const char *event)
{
	struct json_object *message = json_object_new_object();

	json_add_string(message, "event", event);
	json_add_int(message, "id", job->id);
	return message;
}

static void tell(struct jobs *jobs, struct json_object *message, const void *data, size_t size)
{
	protocol_append(jobs->out, message, data, size);
	json_object_put(message);
}

static void tell_failure(struct jobs *jobs, struct job *job)
{
	struct json_object *message = event_new(job, "failed");

	if (job->kind == JOB_BLOB && job->partial.hashed == 0 && job->partial.old_size == 0)
		partial_remove(&job->partial); /* an empty file is of no use to a later attempt */
	json_add_int(message, "code", job->err.code);
	json_add_string(message, "text", job->err.text);
	tell(jobs, message, NULL, 0);
	job->phase = JOB_ENDED;
}

static void tell_progress(struct jobs *jobs, struct job *job)
{
	struct json_object *message = event_new(job, "progress");

	job->reported = job->partial.hashed;
	job->reported_usec = clock_now_usec();
	json_add_int(message, "bytes", job->reported);
	tell(jobs, message, NULL, 0);
}

/* Often enough to unpack along, not so often that telling costs; and nothing that would pile up
 * before a parent that is busy. */
static void maybe_tell_progress(struct jobs *jobs, struct job *job)
{
	int64_t more = job->partial.hashed - job->reported;

	if (jobs->out->size == 0 && more > 0 &&
	    (more >= PROGRESS_BYTES || clock_now_usec() - job->reported_usec >= PROGRESS_USEC))
		tell_progress(jobs, job);
}

/* ---- failing ---- */

static char *describe(const struct job *job)
{
	const struct endpoint *endpoint = endpoint_of(job);
	const char *domain = endpoint->host->domain;

	switch (job->kind) {
	case JOB_MANIFEST:
		return xasprintf("reading manifest %s in %s/%s", job->what, domain, endpoint->path);
	case JOB_TAGS:
		return xasprintf("listing tags of %s/%s", domain, endpoint->path);
	case JOB_LOGIN:
		return xasprintf("logging in to '%s'", domain);
	default:
		return xasprintf("reading blob %s in %s/%s", job->what, domain, endpoint->path);
	}
}

static bool has_password(const struct job *job)
{
	return endpoint_of(job)->user || endpoint_of(job)->identity_token;
}

static void job_advance(struct jobs *jobs, struct job *job);

/* The disk's or our own failures: no other endpoint would help. */
static void job_fail(struct jobs *jobs, struct job *job)
{
	if (job->kind == JOB_BLOB && job->err.code == ENOSPC)
		partial_remove(&job->partial); /* leave room for others */
	tell_failure(jobs, job);
}

static void forget_endpoint_state(struct job *job)
{
	job->was_challenged = false;
	free(take_ptr(&job->scope));
}

/* job->err says why this endpoint did not serve. */
static void endpoint_failed(struct jobs *jobs, struct job *job, bool may_pass)
{
	job->may_pass |= may_pass;
	if (job->current + 1 < job->endpoint_count) {
		log_debug("%s; trying the next location", job->err.text);
		if (!job->mirror_err.code)
			job->mirror_err = job->err;
		forget_endpoint_state(job);
		job->current++;
		job_advance(jobs, job);
		return;
	}
	if (job->kind == JOB_BLOB && job->partial.hashed - job->attempt_start >= GOOD_ATTEMPT_BYTES)
		job->attempt = 0;
	if (!job->may_pass || job->attempt >= jobs->retry) {
		if (job->may_pass && jobs->retry > 0)
			err_wrap(&job->err, "given up after %d retries", jobs->retry);
		if (job->mirror_err.code)
			err_wrap(&job->err, "mirrors failed too (%s)", job->mirror_err.text);
		tell_failure(jobs, job);
		return;
	}
	int64_t delay = jobs->retry_delay_usec << (job->attempt < 10 ? job->attempt : 10);
	if (job->wait_sec * 1000000 > delay)
		delay = job->wait_sec * 1000000;
	if (delay > WAIT_MAX_SEC * 1000000LL)
		delay = WAIT_MAX_SEC * 1000000LL;
	job->attempt++;
	log_warn("%s; retrying in %.3g s (%d/%d)", job->err.text, (double)delay / 1e6, job->attempt,
		 jobs->retry);
	job->due_usec = clock_now_usec() + delay;
	job->phase = JOB_WAITING;
}

static void note_retry_after(struct job *job)
{
	if (job->transfer.retry_after_sec > job->wait_sec)
		job->wait_sec = job->transfer.retry_after_sec;
}

/* ---- requests ---- */

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

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(take_ptr(text));
}
#define autosecret __attribute__((cleanup(wipe)))

static void start_ping(struct jobs *jobs, struct job *job)
{
	struct host *host = endpoint_of(job)->host;
	autofree char *url = host_url(host, host->trying, "");

	start(jobs, job, JOB_PING,
	      &(struct request){ .url = url, .tls = &host->tls, .body_limit = ERROR_BODY_MAX });
}

static char *scope_of(const struct job *job)
{
	if (job->scope)
		return xstrdup(job->scope);
	if (job->kind == JOB_LOGIN)
		return xstrdup("");
	return xasprintf("repository:%s:pull", endpoint_of(job)->path);
}

static const char *token_user(const struct job *job)
{
	const struct endpoint *endpoint = endpoint_of(job);

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
	const struct endpoint *endpoint = endpoint_of(job);
	const struct challenge *challenge = &endpoint->host->challenge;
	autofree char *scope = scope_of(job);
	autostrbuf struct strbuf url = STRBUF_EMPTY, form = STRBUF_EMPTY;
	autosecret char *authorization = NULL;

	if (strncmp(challenge->realm, "https://", 8) != 0 && !endpoint->host->insecure) {
		err_set(&job->err, EPROTO,
			"registry '%s' sends us for a token to a place that is not protected by "
			"TLS: %.100s",
			endpoint->host->domain, challenge->realm);
		endpoint_failed(jobs, job, false);
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
				       endpoint_of(job)->host->domain, job->what);
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
	const struct endpoint *endpoint = endpoint_of(job);
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

static void finish_blob(struct jobs *jobs, struct job *job);

/* Take the next step that what is known allows. */
static void job_advance(struct jobs *jobs, struct job *job)
{
	const struct endpoint *endpoint = endpoint_of(job);
	struct host *host = endpoint->host;

	if (job->kind == JOB_BLOB && job->partial.hashed == job->partial.size) {
		finish_blob(jobs, job);
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
		autofree char *scope = scope_of(job);
		const struct token *token =
			session_token(&jobs->session, host, scope, token_user(job));
		if (!token) {
			start_token(jobs, job);
			return;
		}
		authorization = xasprintf("Bearer %s", token->value);
	}
	start_fetch(jobs, job, authorization);
}

/* ---- answers ---- */

static void read_challenges(struct job *job, struct host *host)
{
	struct challenge challenge = { 0 };

	for (size_t i = 0; i < job->transfer.challenges.count; i++)
		challenge_parse(job->transfer.challenges.items[i], &challenge);
	challenge_clear(&host->challenge);
	host->challenge = challenge;
}

static void ping_ended(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = endpoint_of(job)->host;

	if (host->scheme != HOST_UNKNOWN) { /* another job was faster */
		job_advance(jobs, job);
		return;
	}
	if (transfer->result == CURLE_OK && (transfer->status == 200 || transfer->status == 401)) {
		host->scheme = host->trying;
		host->has_answered = true;
		read_challenges(job, host);
		job_advance(jobs, job);
		return;
	}
	if (transfer->result != CURLE_OK && host->insecure && host->trying == HOST_HTTPS) {
		log_debug("registry '%s' over HTTPS: %s; trying HTTP", host->domain,
			  transfer->error_text);
		host->trying = HOST_HTTP;
		job_advance(jobs, job);
		return;
	}
	host->trying = HOST_HTTPS; /* for the next attempt */
	if (transfer->result != CURLE_OK) {
		endpoint_failed(jobs, job, failure_of_transport(transfer, host, &job->err));
		return;
	}
	host->has_answered = true;
	note_retry_after(job);
	if (transfer->status == 404) {
		err_set(&job->err, EPROTO,
			"'%s' is no registry: it answers /v2/ with status 404; check the name",
			host->domain);
		endpoint_failed(jobs, job, false);
		return;
	}
	autofree char *doing = describe(job);
	endpoint_failed(jobs, job, failure_of_status(transfer, host, doing, false, &job->err));
}

static void token_ended(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = endpoint_of(job)->host;
	autojson struct json_object *root = NULL;
	struct err ignored = { 0 };

	if (transfer->result != CURLE_OK) {
		bool may_pass = failure_of_transport(transfer, host, &job->err);
		err_wrap(&job->err, "getting a token for '%s'", host->domain);
		endpoint_failed(jobs, job, may_pass);
		return;
	}
	if (transfer->status != 200) {
		autofree char *doing = describe(job);
		note_retry_after(job);
		endpoint_failed(
			jobs, job,
			failure_of_status(transfer, host, doing, has_password(job), &job->err));
		return;
	}
	if (transfer->body.size &&
	    json_parse(transfer->body.data, transfer->body.size, &root, &ignored) < 0)
		root = NULL;
	const char *value =
		json_get_string(root, "token", json_get_string(root, "access_token", ""));
	if (!*value || strpbrk(value, "\r\n")) {
		err_set(&job->err, EPROTO,
			"registry '%s': the answer to our request for a token "
			"holds none",
			host->domain);
		endpoint_failed(jobs, job, false);
		return;
	}
	autofree char *scope = scope_of(job);
	session_add_token(&jobs->session, host, scope, token_user(job), value,
			  json_get_int(root, "expires_in", 0));
	explicit_bzero(transfer->body.data, transfer->body.size);
	job_advance(jobs, job);
}

static bool check_digest(struct job *job, const char *expected, char digest[DIGEST_TEXT_SIZE])
{
	const struct transfer *transfer = &job->transfer;

	if (sha256_digest(strbuf_text(&transfer->body), transfer->body.size, digest, &job->err) < 0)
		return false;
	if (expected && strncmp(expected, "sha256:", 7) == 0 && strcmp(expected, digest) != 0) {
		err_set(&job->err, EBADMSG,
			"%s %s of %s was altered: what came has the digest %s; try again, or pull "
			"it from "
			"elsewhere",
			job->kind == JOB_MANIFEST ? "manifest" : "blob", expected, job->name,
			digest);
		return false;
	}
	return true;
}

static void finish_manifest(struct jobs *jobs, struct job *job)
{
	const struct transfer *transfer = &job->transfer;
	char digest[DIGEST_TEXT_SIZE];

	if (transfer->media_type && strcasecmp(transfer->media_type, "text/html") == 0) {
		autofree char *doing = describe(job);
		err_set(&job->err, EPROTO,
			"%s: '%s' answers with a web page and is no registry; check the name",
			doing, endpoint_of(job)->host->domain);
		endpoint_failed(jobs, job, false);
		return;
	}
	/* By digest the name itself is the measure; by tag the header is all there is. */
	const char *expected = strchr(job->what, ':') ? job->what : transfer->digest;
	if (!check_digest(job, expected, digest)) {
		endpoint_failed(jobs, job, false);
		return;
	}
	struct json_object *message = event_new(job, "manifest");
	json_add_string(message, "media_type", transfer->media_type);
	json_add_string(message, "digest", digest);
	json_add_int(message, "endpoint", (int64_t)job->current);
	tell(jobs, message, transfer->body.data, transfer->body.size);
	job->phase = JOB_ENDED;
}

/* What follows "tags/list" in the address of the next page; NULL when it leads elsewhere. */
static const char *next_query(const struct job *job)
{
	const char *next = job->transfer.next;
	const char *list = next ? strstr(next, "/tags/list?") : NULL;

	return list && !strpbrk(list, " #\\\"") ? list + strlen("/tags/list") : NULL;
}

static void finish_tags(struct jobs *jobs, struct job *job)
{
	struct json_object *message = event_new(job, "tags");

	json_add_string(message, "next", next_query(job));
	json_add_int(message, "endpoint", (int64_t)job->current);
	tell(jobs, message, job->transfer.body.data, job->transfer.body.size);
	job->phase = JOB_ENDED;
}

static void finish_memory(struct jobs *jobs, struct job *job)
{
	char digest[DIGEST_TEXT_SIZE];

	if (!check_digest(job, job->what, digest)) {
		endpoint_failed(jobs, job, false);
		return;
	}
	tell(jobs, event_new(job, "memory"), job->transfer.body.data, job->transfer.body.size);
	job->phase = JOB_ENDED;
}

/* All bytes are there. */
static void finish_blob(struct jobs *jobs, struct job *job)
{
	if (partial_check(&job->partial, &job->err) < 0) {
		bool old = job->partial.old_size > 0 && !job->restarted;
		struct err why = job->err;
		if (partial_restart(&job->partial, &job->err) < 0) {
			job_fail(jobs, job);
			return;
		}
		job->err = why;
		if (old) { /* the fault may lie in what an earlier attempt left */
			log_debug("%s; starting it again", why.text);
			job->restarted = true;
			job_advance(jobs, job);
			return;
		}
		err_wrap(&job->err, "%s", job->name);
		if (job->current + 1 == job->endpoint_count)
			partial_remove(&job->partial);
		endpoint_failed(jobs, job, false);
		return;
	}
	tell_progress(jobs, job);
	struct json_object *message = event_new(job, "done");
	json_add_int(message, "bytes", job->partial.hashed);
	tell(jobs, message, NULL, 0);
	job->phase = JOB_ENDED;
}

static void set_truncated(struct job *job)
{
	err_set(&job->err, EBADMSG,
		"blob %s of %s is truncated: the registry ended after %lld of %lld bytes",
		job->what, job->name, (long long)job->partial.hashed, (long long)job->partial.size);
}

/* What we have reaches beyond what is there: either it is no part of it, or that is too short. */
static void range_refused(struct jobs *jobs, struct job *job)
{
	if (job->restarted) {
		set_truncated(job);
		if (job->current + 1 == job->endpoint_count)
			partial_remove(&job->partial); /* nothing better will follow it */
		endpoint_failed(jobs, job, false);
		return;
	}
	job->restarted = true;
	if (partial_restart(&job->partial, &job->err) < 0)
		job_fail(jobs, job);
	else
		job_advance(jobs, job);
}

static void fetch_succeeded(struct jobs *jobs, struct job *job)
{
	switch (job->kind) {
	case JOB_MANIFEST:
		finish_manifest(jobs, job);
		break;
	case JOB_MEMORY:
		finish_memory(jobs, job);
		break;
	case JOB_TAGS:
		finish_tags(jobs, job);
		break;
	case JOB_LOGIN:
		tell(jobs, event_new(job, "login"), NULL, 0);
		job->phase = JOB_ENDED;
		break;
	case JOB_BLOB:
		if (job->partial.hashed == job->partial.size) {
			finish_blob(jobs, job);
			break;
		}
		set_truncated(job);
		endpoint_failed(jobs, job, true);
		break;
	}
}

static void unauthorized(struct jobs *jobs, struct job *job)
{
	struct host *host = endpoint_of(job)->host;
	struct challenge challenge = { 0 };

	for (size_t i = 0; i < job->transfer.challenges.count; i++)
		challenge_parse(job->transfer.challenges.items[i], &challenge);
	bool could_answer = challenge.scheme == CHALLENGE_BEARER ||
			    (challenge.scheme == CHALLENGE_BASIC && endpoint_of(job)->user &&
			     host->challenge.scheme != CHALLENGE_BASIC);
	if (job->was_challenged || !could_answer) {
		autofree char *doing = describe(job);
		challenge_clear(&challenge);
		failure_of_status(&job->transfer, host, doing, has_password(job), &job->err);
		endpoint_failed(jobs, job, false);
		return;
	}
	/* A token that has ended early, or a registry that only now tells what it wants. */
	autofree char *old_scope = scope_of(job);
	session_drop_token(&jobs->session, host, old_scope, token_user(job));
	free(job->scope);
	job->scope = xstrdup(challenge.scope);
	challenge_clear(&host->challenge);
	host->challenge = challenge;
	job->was_challenged = true;
	job_advance(jobs, job);
}

/* Nothing more will come, though less or other than we wanted did. */
static void fetch_broke(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = endpoint_of(job)->host;

	if (transfer->body_too_large && job->kind != JOB_BLOB) {
		autofree char *doing = describe(job);
		err_set(&job->err, EFBIG,
			"%s: it is larger than the %zu MiB allowed; check that the name is an "
			"image's",
			doing, PROTOCOL_PAYLOAD_MAX >> 20);
		endpoint_failed(jobs, job, false);
	} else if (job->err.code == EBADMSG || job->err.code == EPROTO) { /* from the sink */
		struct err why = job->err;
		if (partial_restart(&job->partial, &job->err) == 0)
			job->err = why;
		err_wrap(&job->err, "%s", job->name);
		if (job->current + 1 == job->endpoint_count)
			partial_remove(&job->partial);
		endpoint_failed(jobs, job, false);
	} else if (job->err.code) {
		job_fail(jobs, job);
	} else {
		bool may_pass = failure_of_transport(transfer, host, &job->err);
		if (job->kind == JOB_BLOB && may_pass)
			err_wrap(&job->err, "blob %s of %s, truncated at %lld of %lld bytes",
				 job->what, job->name, (long long)job->partial.hashed,
				 (long long)job->partial.size);
		else if (job->what)
			err_wrap(&job->err, "%s", job->name);
		endpoint_failed(jobs, job, may_pass);
	}
}

static void fetch_ended(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = endpoint_of(job)->host;

	if (transfer->result != CURLE_OK) {
		fetch_broke(jobs, job);
	} else if (transfer->status == 200 || transfer->status == 206) {
		fetch_succeeded(jobs, job);
	} else if (transfer->status == 401) {
		unauthorized(jobs, job);
	} else if (transfer->status == 416 && job->range_start > 0) {
		range_refused(jobs, job);
	} else {
		autofree char *doing = describe(job);
		note_retry_after(job);
		endpoint_failed(
			jobs, job,
			failure_of_status(transfer, host, doing, has_password(job), &job->err));
	}
}

void jobs_transfer_ended(struct jobs *jobs, struct transfer *transfer, CURLcode result)
{
	struct job *job = transfer->owner;

	transfer_finish(transfer, &jobs->transport, result);
	switch (job->phase) {
	case JOB_PING:
		ping_ended(jobs, job);
		break;
	case JOB_TOKEN:
		token_ended(jobs, job);
		break;
	case JOB_FETCH:
		fetch_ended(jobs, job);
		break;
	default:
		assert(!"a transfer in a phase without one");
	}
}

/* ---- coming and going ---- */

static void job_free(struct jobs *jobs, struct job *job)
{
	transfer_clear(&job->transfer, &jobs->transport);
	partial_clear(&job->partial);
	for (size_t i = 0; i < job->endpoint_count; i++) {
		free(job->endpoints[i].path);
		free(job->endpoints[i].user);
		wipe(&job->endpoints[i].password);
		wipe(&job->endpoints[i].identity_token);
	}
	free(job->endpoints);
	free(job->name);
	free(job->what);
	free(job->scope);
	free(job);
}

static int read_endpoints(struct jobs *jobs, struct job *job, struct json_object *array)
{
	size_t count =
		json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

	if (count == 0 || count > ENDPOINTS_MAX)
		return err_set(&job->err, EINVAL, "%zu places to fetch from", count);
	job->endpoints = xcalloc(count, sizeof(*job->endpoints));
	for (job->endpoint_count = 0; job->endpoint_count < count; job->endpoint_count++) {
		struct json_object *item = json_object_array_get_idx(array, job->endpoint_count);
		struct endpoint *endpoint = &job->endpoints[job->endpoint_count];
		endpoint->host = session_host(&jobs->session, json_get_string(item, "domain", ""),
					      json_get_bool(item, "insecure", false));
		endpoint->path = xstrdup(json_get_string(item, "path", ""));
		endpoint->user = xstrdup(json_get_string(item, "user", NULL));
		endpoint->password = xstrdup(json_get_string(item, "password", ""));
		endpoint->identity_token = xstrdup(json_get_string(item, "identity_token", NULL));
	}
	return 0;
}

void jobs_add(struct jobs *jobs, struct json_object *request)
{
	static const struct {
		const char *op;
		enum job_kind kind;
	} kinds[] = {
		{ "manifest", JOB_MANIFEST }, { "memory", JOB_MEMORY }, { "blob", JOB_BLOB },
		{ "tags", JOB_TAGS },	      { "login", JOB_LOGIN },
	};
	const char *op = json_get_string(request, "op", "");
	struct job *job = xcalloc(1, sizeof(*job)), **at = &jobs->first;
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) && strcmp(kinds[i].op, op) != 0)
		i++;
	job->id = (unsigned)json_get_int(request, "id", 0);
	job->name = xstrdup(json_get_string(request, "name", ""));
	job->what =
		xstrdup(json_get_string(request, "what", json_get_string(request, "digest", NULL)));
	job->size = json_get_int(request, "size", 0);
	job->partial.fd = -1;
	while (*at)
		at = &(*at)->next;
	*at = job;

	if (i == ARRAY_SIZE(kinds))
		err_set(&job->err, EINVAL, "an unknown request '%s'", op);
	else if (kinds[i].kind == JOB_BLOB && jobs->downloads_fd < 0)
		err_set(&job->err, EINVAL, "a blob without a directory to put it into");
	else if (!job->what && kinds[i].kind != JOB_LOGIN)
		err_set(&job->err, EINVAL, "a request without the name of what is wanted");
	else
		(void)read_endpoints(jobs, job, json_get(request, "endpoints"));
	if (job->err.code) {
		tell_failure(jobs, job);
		return;
	}
	job->kind = kinds[i].kind;
	if (job->kind == JOB_BLOB)
		partial_init(&job->partial, jobs->downloads_fd, job->what, job->size);
	else
		job_advance(jobs, job);
}

void jobs_cancel(struct jobs *jobs, unsigned id)
{
	for (struct job *job = jobs->first; job; job = job->next)
		if (job->id == id)
			job->phase = JOB_ENDED; /* jobs_step() takes it away */
}

static void sweep(struct jobs *jobs)
{
	for (struct job **at = &jobs->first; *at;) {
		struct job *job = *at;
		if (job->phase != JOB_ENDED) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		job_free(jobs, job);
	}
}

static void open_file(struct jobs *jobs, struct job *job)
{
	int r = partial_open(&job->partial, &job->err);

	if (r < 0) {
		job_fail(jobs, job);
	} else if (r == 0) {
		job->phase = JOB_OPENING;
		job->due_usec = clock_now_usec() + LOCK_POLL_USEC;
	} else {
		job->phase = JOB_HASHING;
	}
}

static void hash_some(struct jobs *jobs, struct job *job)
{
	int r = partial_read_old(&job->partial, &job->err);

	if (r < 0)
		job_fail(jobs, job);
	else if (r == 0)
		job_advance(jobs, job);
}

int jobs_step(struct jobs *jobs)
{
	int64_t now = clock_now_usec(), next = now + 60 * 1000000LL;
	bool more = false;
	int blobs = 0;

	sweep(jobs);
	for (struct job *job = jobs->first; job; job = job->next)
		if (job->kind == JOB_BLOB && job->phase != JOB_QUEUED && job->phase != JOB_OPENING)
			blobs++;
	for (struct job *job = jobs->first; job; job = job->next) {
		switch (job->phase) {
		case JOB_QUEUED:
			if (blobs >= BLOBS_AT_ONCE)
				break;
			blobs++;
			open_file(jobs, job);
			more = true;
			break;
		case JOB_OPENING:
			if (job->due_usec <= now)
				open_file(jobs, job);
			break;
		case JOB_WAITING:
			if (job->due_usec > now)
				break;
			job->current = 0;
			job->mirror_err.code = 0;
			job->may_pass = false;
			job->wait_sec = 0;
			forget_endpoint_state(job);
			job_advance(jobs, job);
			break;
		case JOB_HASHING:
			hash_some(jobs, job);
			more = true;
			break;
		case JOB_FETCH:
			if (job->kind == JOB_BLOB)
				maybe_tell_progress(jobs, job);
			break;
		default:
			break;
		}
		if ((job->phase == JOB_OPENING || job->phase == JOB_WAITING) &&
		    job->due_usec < next)
			next = job->due_usec;
		more |= job->phase == JOB_HASHING || job->phase == JOB_ENDED;
	}
	if (more)
		return 0;
	int64_t wait = (next - now) / 1000 + 1;
	return wait < 0 ? 0 : (int)wait;
}
