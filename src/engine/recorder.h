/* The recorder: answers what the filter of a container that is recorded notifies, and writes down what it was. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct strlist;

/* What it is born with, from RECORDER_FIRST_FD on. */
#define RECORDER_FIRST_FD 3
enum recorder_fd {
	RECORDER_LISTENER, /* of the container's first process */
	RECORDER_SOCKET,   /* brings further ones */
	RECORDER_LOCK,	   /* held until the end */
	RECORDER_FD_COUNT,
};

struct recorder_request {
	const char *seccomp_file, *capability_file; /* to be written; NULL: not wanted */
	const char *state_file; /* what earlier runs of the same container have recorded */
	const char *profile;	/* the path of the one in force; NULL: the default */
	bool is_unconfined;	/* no profile is in force */
	uint64_t granted;	/* the container's bounding set */
};

/* Calls that are in every profile: nobody can do without them, so they are not even notified. */
void recorder_list_assumed(struct strlist *names);

/* Work until the container has ended. The files are replaced in one step each time something new was seen and then
 * nothing for a while, so that a killed recorder has lost no more than its last moments. */
int recorder_run(const struct recorder_request *request, struct err *err);
