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

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/timing.h"
#include "registry/program/job-internal.h"

#define BLOBS_AT_ONCE  6
#define LOCK_POLL_USEC 200000 /* flock() cannot be waited for beside sockets */
#define ENDPOINTS_MAX  64

static void job_free(struct jobs *jobs, struct job *job)
{
	transfer_clear(&job->transfer, &jobs->transport);
	partial_clear(&job->partial);
	for (size_t i = 0; i < job->endpoint_count; i++) {
		free(job->endpoints[i].path);
		free(job->endpoints[i].user);
		secret_wipe(&job->endpoints[i].password);
		secret_wipe(&job->endpoints[i].identity_token);
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
		job_tell_failure(jobs, job);
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
			job_forget_endpoint(job);
			job_advance(jobs, job);
			break;
		case JOB_HASHING:
			hash_some(jobs, job);
			more = true;
			break;
		case JOB_FETCH:
			if (job->kind == JOB_BLOB)
				job_tell_some_progress(jobs, job);
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
