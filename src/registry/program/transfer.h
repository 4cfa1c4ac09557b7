/* One HTTP request and its answer: what we ask of libcurl, in one place. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/strlist.h"

struct err;
struct tls;

struct request {
	const char *url;
	const char *authorization; /* the value of the header; NULL: none. Is not sent to another
				      host, port or scheme that we are redirected to */
	const char *form;	   /* body of a POST; NULL: GET */
	const struct strlist *accept;
	const struct tls *tls;
	int64_t range_start; /* > 0: only what lies behind it */
	size_t body_limit;   /* bytes of the body that are kept in memory */
};

/* The answer, filled in while it comes. */
struct transfer {
	CURL *easy; /* NULL: not running */
	struct curl_slist *headers;
	void *owner; /* whoever started it */
	/* When set, the body of an answer of status 200 or 206 goes here instead of into `body`;
	 * < 0 ends the transfer. `restarted` tells that the range was not honoured. */
	int (*sink)(struct transfer *transfer, const void *data, size_t size);

	struct strbuf body;
	size_t body_limit;
	bool body_too_large;
	struct strlist challenges; /* values of WWW-Authenticate */
	char *media_type, *digest; /* of Content-Type, Docker-Content-Digest */
	char *next;		   /* of Link: where the list goes on */
	int64_t content_start;	   /* of Content-Range; -1 without one */
	int64_t content_length;	   /* -1 unknown */

	/* after its end */
	CURLcode result;
	long status; /* of HTTP, 0 when there was no answer */
	long os_errno;
	int64_t retry_after_sec;
	char error_text[CURL_ERROR_SIZE];
};

/* What holds for all requests. */
struct transport {
	CURLM *multi;
	const char *user_agent;
	const char *ca_file, *ca_directory; /* from SSL_CERT_FILE, SSL_CERT_DIR; NULL: built in */
};

void transfer_start(struct transfer *transfer, const struct transport *transport,
		    const struct request *request);
/* The status of the answer whose body comes now. */
long transfer_status(struct transfer *transfer);
/* Note how it ended, and give libcurl's part back. The answer stays. */
void transfer_finish(struct transfer *transfer, const struct transport *transport, CURLcode result);
/* Forget it, running or not. */
void transfer_clear(struct transfer *transfer, const struct transport *transport);
