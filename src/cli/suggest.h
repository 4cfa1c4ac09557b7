/* "Did you mean …": the known name nearest to a mistyped one. */
#pragma once

struct suggestion {
	const char *typed; /* borrowed */
	const char *name;  /* the nearest so far, borrowed; NULL while none is near enough */
	int distance;
};

struct suggestion suggestion_for(const char *typed);
void suggestion_offer(struct suggestion *best, const char *name);
