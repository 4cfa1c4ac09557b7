/* Which capabilities a system call needs, judged while it waits to be made.
 *
 * The kernel tells nobody but root which capabilities it asks for. What is found out here is an estimate from above: where
 * it cannot be seen that a call succeeds without the capability, it counts as used. A capability of whose use no call
 * tells (CAP_SYS_ADMIN, for instance) counts as used when it was granted. */
#pragma once

#include <stdint.h>

struct seccomp_notice;
struct strlist;

/* What was found for which number of a call. */
struct capability_use;
struct capability_use *capability_use_new(void);
void capability_use_free(struct capability_use *use);

/* The calls that have to be looked at. */
void capability_use_list_calls(struct strlist *names);

/* Of the capabilities `asked`, those that the caller holds and that the call may need. The caller stands still meanwhile. */
uint64_t capability_use_find(const struct capability_use *use, const struct seccomp_notice *notice,
			     uint64_t asked);

/* Of the granted ones, those whose use cannot be seen. */
uint64_t capability_use_unknown(uint64_t granted);
