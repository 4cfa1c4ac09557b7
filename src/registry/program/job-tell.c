/* What the parent hears of a job: how far it is, and how it has ended. */
#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timing.h"
#include "registry/program/job-internal.h"
#include "registry/protocol.h"

#define PROGRESS_BYTES	   (1024 * 1024)
#define PROGRESS_USEC	   100000
#define GOOD_ATTEMPT_BYTES (4 * 1024 * 1024)
#define WAIT_MAX_SEC	   60 /* whatever Retry-After says */

struct json_object *job_event(const struct job *job, const char *event)
{
	struct json_object *message = json_object_new_object();

	json_add_string(message, "event", event);
	json_add_int(message, "id", job->id);
	return message;
}

void jobs_tell(struct jobs *jobs, struct json_object *message, const void *data, size_t size)
{
	protocol_append(jobs->out, message, data, size);
	json_object_put(message);
}

void job_tell_failure(struct jobs *jobs, struct job *job)
{
	struct json_object *message = job_event(job, "failed");

	if (job->kind == JOB_BLOB && job->partial.hashed == 0 && job->partial.old_size == 0)
		partial_remove(&job->partial); /* an empty file is of no use to a later attempt */
	json_add_int(message, "code", job->err.code);
	json_add_string(message, "text", job->err.text);
	jobs_tell(jobs, message, NULL, 0);
	job->phase = JOB_ENDED;
}

void job_tell_progress(struct jobs *jobs, struct job *job)
{
	struct json_object *message = job_event(job, "progress");

	job->reported = job->partial.hashed;
	job->reported_usec = clock_now_usec();
	json_add_int(message, "bytes", job->reported);
	jobs_tell(jobs, message, NULL, 0);
}

void job_tell_some_progress(struct jobs *jobs, struct job *job)
{
	int64_t more = job->partial.hashed - job->reported;

	if (jobs->out->size == 0 && more > 0 &&
	    (more >= PROGRESS_BYTES || clock_now_usec() - job->reported_usec >= PROGRESS_USEC))
		job_tell_progress(jobs, job);
}

char *job_describe(const struct job *job)
{
	const struct endpoint *endpoint = job_endpoint(job);
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

bool job_has_password(const struct job *job)
{
	return job_endpoint(job)->user || job_endpoint(job)->identity_token;
}

void job_fail(struct jobs *jobs, struct job *job)
{
	if (job->kind == JOB_BLOB && job->err.code == ENOSPC)
		partial_remove(&job->partial); /* leave room for others */
	job_tell_failure(jobs, job);
}

void job_forget_endpoint(struct job *job)
{
	job->was_challenged = false;
	free(take_ptr(&job->scope));
}

void job_endpoint_failed(struct jobs *jobs, struct job *job, bool may_pass)
{
	job->may_pass |= may_pass;
	if (job->current + 1 < job->endpoint_count) {
		log_debug("%s; trying the next location", job->err.text);
		if (!job->mirror_err.code)
			job->mirror_err = job->err;
		job_forget_endpoint(job);
		job->current++;
		job_advance(jobs, job);
		return;
	}
	if (job->kind == JOB_BLOB && job->partial.hashed - job->attempt_start >= GOOD_ATTEMPT_BYTES)
		job->attempt = 0;
	if (!job->may_pass || job->attempt >= jobs->retry) {
		if (job->may_pass && jobs->retry > 0)
			err_wrap(&job->err, "given up after %d %s", jobs->retry,
				 jobs->retry == 1 ? "retry" : "retries");
		if (job->mirror_err.code)
			err_wrap(&job->err, "mirrors failed too (%s)", job->mirror_err.text);
		job_tell_failure(jobs, job);
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

void job_note_retry_after(struct job *job)
{
	if (job->transfer.retry_after_sec > job->wait_sec)
		job->wait_sec = job->transfer.retry_after_sec;
}
