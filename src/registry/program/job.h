/* What the parent asked for, each on its way through the states below; job.c has the rules.
 *
 *            ┌────────────────────── again, after a delay ──────────────────────┐
 *   QUEUED → OPENING → HASHING → PING → TOKEN → FETCH → (answered)              │
 *    blobs only ─────────────┘     └──── next endpoint ────┘──── failed → WAITING ┘
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/program/partial.h"
#include "registry/program/session.h"
#include "registry/program/transfer.h"

struct json_object;

enum job_kind { JOB_MANIFEST, JOB_MEMORY, JOB_BLOB, JOB_TAGS, JOB_LOGIN };

enum job_phase {
	JOB_QUEUED,
	JOB_OPENING, /* the file; again after a while if another process has it */
	JOB_HASHING, /* what an earlier attempt left */
	JOB_PING,    /* /v2/: which scheme, which kind of authorisation */
	JOB_TOKEN,
	JOB_FETCH,
	JOB_WAITING, /* for the next attempt */
	JOB_ENDED,   /* answered: to be removed */
};

struct endpoint {
	struct host *host;
	char *path; /* repository */
	char *user, *password, *identity_token;
};

struct job {
	struct job *next;
	unsigned id;
	enum job_kind kind;
	enum job_phase phase;
	char *name; /* for messages */
	char *what; /* tag, digest or query; NULL for a login */
	int64_t size;
	struct endpoint *endpoints;
	size_t endpoint_count, current;

	struct transfer transfer;
	struct partial partial;		 /* JOB_BLOB */
	bool range_checked;		 /* the answer's first bytes have come */
	int64_t skip;			 /* bytes of the answer that we have already */
	int64_t range_start;		 /* of the running fetch */
	int64_t attempt_start;		 /* bytes there were when the attempt began */
	int64_t reported, reported_usec; /* progress told last */
	bool was_challenged; /* by this endpoint in this attempt, so a second 401 is final */
	char *scope;	     /* that a challenge asked for; NULL: ours */
	bool restarted;	     /* once, because what an earlier attempt left was no good */

	int attempt;
	int64_t due_usec;      /* JOB_OPENING, JOB_WAITING: go on then */
	bool may_pass;	       /* one of the failures of this attempt is worth another try */
	int64_t wait_sec;      /* asked for by a registry */
	struct err err;	       /* the last failure */
	struct err mirror_err; /* the first one of this attempt, when others followed */
};

struct jobs {
	struct job *first;
	struct session session;
	struct transport transport;
	struct strbuf *out; /* frames for the parent */
	int downloads_fd;
	int retry;
	int64_t retry_delay_usec;
};

/* Take a request; a broken one is answered with "failed". */
void jobs_add(struct jobs *jobs, struct json_object *request);
void jobs_cancel(struct jobs *jobs, unsigned id);

/* A transfer of libcurl has ended. */
void jobs_transfer_ended(struct jobs *jobs, struct transfer *transfer, CURLcode result);

/* Do what can be done without waiting: start queued blobs, hash, begin what is due. Returns the
 * milliseconds until something will be due, 0 when there is more to do at once. */
int jobs_step(struct jobs *jobs);
