/* What the files of the jobs share: job.c, their coming and going; job-request.c, what is asked next; job-answer.c, what
 * comes of it; job-tell.c, what the parent hears, failures above all. */
#pragma once

#include "registry/program/job.h"

#define ERROR_BODY_MAX ((size_t)64 * 1024)
static inline const struct endpoint *job_endpoint(const struct job *job)
{
	return &job->endpoints[job->current];
}

/* Take the next step that what is known allows. */
void job_advance(struct jobs *jobs, struct job *job);
/* The file has all its bytes: check them. */
void job_finish_blob(struct jobs *jobs, struct job *job);

/* What is asked of the token server, and for whom; the scope is the caller's. */
char *job_scope(const struct job *job);
const char *job_token_user(const struct job *job);
void secret_wipe(char **text);
#define autosecret __attribute__((cleanup(secret_wipe)))

/* A message about the job, and its way to the parent: it is released. */
struct json_object *job_event(const struct job *job, const char *event);
void jobs_tell(struct jobs *jobs, struct json_object *message, const void *data, size_t size);
void job_tell_failure(struct jobs *jobs, struct job *job);
void job_tell_progress(struct jobs *jobs, struct job *job);
/* Often enough to unpack along, not so often that telling costs; and nothing that would pile up before a parent that is
 * busy. */
void job_tell_some_progress(struct jobs *jobs, struct job *job);

/* What it was doing, for messages; the caller's. */
char *job_describe(const struct job *job);
bool job_has_password(const struct job *job);
/* The disk's or our own failures: no other endpoint would help. */
void job_fail(struct jobs *jobs, struct job *job);
/* job->err says why this endpoint did not serve: the next one, or later again, or the end. */
void job_endpoint_failed(struct jobs *jobs, struct job *job, bool may_pass);
void job_forget_endpoint(struct job *job);
void job_note_retry_after(struct job *job);
