/* What has come of what a job asked. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/program/failure.h"
#include "registry/program/job-internal.h"
#include "registry/protocol.h"

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
	struct host *host = job_endpoint(job)->host;

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
		job_endpoint_failed(jobs, job, failure_of_transport(transfer, host, &job->err));
		return;
	}
	host->has_answered = true;
	job_note_retry_after(job);
	if (transfer->status == 404) {
		err_set(&job->err, EPROTO,
			"'%s' is no registry: it answers /v2/ with status 404; check the name",
			host->domain);
		job_endpoint_failed(jobs, job, false);
		return;
	}
	autofree char *doing = job_describe(job);
	job_endpoint_failed(jobs, job, failure_of_status(transfer, host, doing, false, &job->err));
}

static void token_ended(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = job_endpoint(job)->host;
	autojson struct json_object *root = NULL;
	struct err ignored = { 0 };

	if (transfer->result != CURLE_OK) {
		bool may_pass = failure_of_transport(transfer, host, &job->err);
		err_wrap(&job->err, "getting a token for '%s'", host->domain);
		job_endpoint_failed(jobs, job, may_pass);
		return;
	}
	if (transfer->status != 200) {
		autofree char *doing = job_describe(job);
		job_note_retry_after(job);
		job_endpoint_failed(
			jobs, job,
			failure_of_status(transfer, host, doing, job_has_password(job), &job->err));
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
		job_endpoint_failed(jobs, job, false);
		return;
	}
	autofree char *scope = job_scope(job);
	session_add_token(&jobs->session, host, scope, job_token_user(job), value,
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
		autofree char *doing = job_describe(job);
		err_set(&job->err, EPROTO,
			"%s: '%s' answers with a web page and is no registry; check the name",
			doing, job_endpoint(job)->host->domain);
		job_endpoint_failed(jobs, job, false);
		return;
	}
	/* By digest the name itself is the measure; by tag the header is all there is. */
	const char *expected = strchr(job->what, ':') ? job->what : transfer->digest;
	if (!check_digest(job, expected, digest)) {
		job_endpoint_failed(jobs, job, false);
		return;
	}
	struct json_object *message = job_event(job, "manifest");
	json_add_string(message, "media_type", transfer->media_type);
	json_add_string(message, "digest", digest);
	json_add_int(message, "endpoint", (int64_t)job->current);
	jobs_tell(jobs, message, transfer->body.data, transfer->body.size);
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
	struct json_object *message = job_event(job, "tags");

	json_add_string(message, "next", next_query(job));
	json_add_int(message, "endpoint", (int64_t)job->current);
	jobs_tell(jobs, message, job->transfer.body.data, job->transfer.body.size);
	job->phase = JOB_ENDED;
}

static void finish_memory(struct jobs *jobs, struct job *job)
{
	char digest[DIGEST_TEXT_SIZE];

	if (!check_digest(job, job->what, digest)) {
		job_endpoint_failed(jobs, job, false);
		return;
	}
	jobs_tell(jobs, job_event(job, "memory"), job->transfer.body.data, job->transfer.body.size);
	job->phase = JOB_ENDED;
}

/* All bytes are there. */
void job_finish_blob(struct jobs *jobs, struct job *job)
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
		job_endpoint_failed(jobs, job, false);
		return;
	}
	job_tell_progress(jobs, job);
	struct json_object *message = job_event(job, "done");
	json_add_int(message, "bytes", job->partial.hashed);
	jobs_tell(jobs, message, NULL, 0);
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
		job_endpoint_failed(jobs, job, false);
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
		jobs_tell(jobs, job_event(job, "login"), NULL, 0);
		job->phase = JOB_ENDED;
		break;
	case JOB_BLOB:
		if (job->partial.hashed == job->partial.size) {
			job_finish_blob(jobs, job);
			break;
		}
		set_truncated(job);
		job_endpoint_failed(jobs, job, true);
		break;
	}
}

static void unauthorized(struct jobs *jobs, struct job *job)
{
	struct host *host = job_endpoint(job)->host;
	struct challenge challenge = { 0 };

	for (size_t i = 0; i < job->transfer.challenges.count; i++)
		challenge_parse(job->transfer.challenges.items[i], &challenge);
	bool could_answer = challenge.scheme == CHALLENGE_BEARER ||
			    (challenge.scheme == CHALLENGE_BASIC && job_endpoint(job)->user &&
			     host->challenge.scheme != CHALLENGE_BASIC);
	if (job->was_challenged || !could_answer) {
		autofree char *doing = job_describe(job);
		challenge_clear(&challenge);
		failure_of_status(&job->transfer, host, doing, job_has_password(job), &job->err);
		job_endpoint_failed(jobs, job, false);
		return;
	}
	/* A token that has ended early, or a registry that only now tells what it wants. */
	autofree char *old_scope = job_scope(job);
	session_drop_token(&jobs->session, host, old_scope, job_token_user(job));
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
	struct host *host = job_endpoint(job)->host;

	if (transfer->body_too_large && job->kind != JOB_BLOB) {
		autofree char *doing = job_describe(job);
		err_set(&job->err, EFBIG,
			"%s: it is larger than the %zu MiB allowed; check that the name is an "
			"image's",
			doing, PROTOCOL_PAYLOAD_MAX >> 20);
		job_endpoint_failed(jobs, job, false);
	} else if (job->err.code == EBADMSG || job->err.code == EPROTO) { /* from the sink */
		struct err why = job->err;
		if (partial_restart(&job->partial, &job->err) == 0)
			job->err = why;
		err_wrap(&job->err, "%s", job->name);
		if (job->current + 1 == job->endpoint_count)
			partial_remove(&job->partial);
		job_endpoint_failed(jobs, job, false);
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
		job_endpoint_failed(jobs, job, may_pass);
	}
}

static void fetch_ended(struct jobs *jobs, struct job *job)
{
	struct transfer *transfer = &job->transfer;
	struct host *host = job_endpoint(job)->host;

	if (transfer->result != CURLE_OK) {
		fetch_broke(jobs, job);
	} else if (transfer->status == 200 || transfer->status == 206) {
		fetch_succeeded(jobs, job);
	} else if (transfer->status == 401) {
		unauthorized(jobs, job);
	} else if (transfer->status == 416 && job->range_start > 0) {
		range_refused(jobs, job);
	} else {
		autofree char *doing = job_describe(job);
		job_note_retry_after(job);
		job_endpoint_failed(
			jobs, job,
			failure_of_status(transfer, host, doing, job_has_password(job), &job->err));
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
