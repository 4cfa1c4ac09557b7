/* Running a hook: one program that is told the container's state on its standard input. Async-signal-safe, because hooks
 * run in the container's first process as well. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct oci_hook;

struct hook_end {
	int code;	 /* errno of what went wrong before the program ran, ETIMEDOUT, or 0 */
	int wait_status; /* with code 0 */
};

/* `directory`: where it runs, NULL: here. True: it ended with 0. */
bool hook_run(const struct oci_hook *hook, const char *state, size_t state_size,
	      const char *directory, struct hook_end *ret_end);
