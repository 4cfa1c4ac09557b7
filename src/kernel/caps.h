/* Capabilities: names, masks and the system calls that set them. See capabilities(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* Bit N is capability number N. */
struct capability_sets {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* "CAP_CHOWN", "chown", "NET_ADMIN" → number; -EINVAL if there is no such capability. */
int capability_from_name(const char *name);
const char *capability_name(int number); /* "CAP_…", NULL out of range */
/* All the capabilities this kernel has. */
uint64_t capability_all(void);

/* Those that this process may still gain or pass on: its bounding set. */
uint64_t capability_bounding(void);

/* Give up all that this thread has but `keep`. */
int capability_keep(uint64_t keep, struct err *err);
