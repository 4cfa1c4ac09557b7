/* Failures in the user's words: what a transfer's end means, and what to do about it. */
#pragma once

#include <stdbool.h>

struct err;
struct host;
struct job;
struct transfer;

/* Sets `err` for a transfer that ended without an HTTP answer. Returns whether another try may
 * help. */
bool failure_of_transport(const struct transfer *transfer, const struct host *host,
			  struct err *err);

/* Sets `err` for an HTTP status that is no success. `doing` is what was asked for, such as
 * "reading manifest 1.0 in HOST/PATH"; `has_password` tells whether we had given credentials. */
bool failure_of_status(const struct transfer *transfer, const struct host *host, const char *doing,
		       bool has_password, struct err *err);
