/* RFC 3339 times as OCI documents carry them, to the nanosecond, which re-printing must keep. */
#pragma once

#include <stdint.h>

/* "2023-11-23T14:05:41.123456789Z", or with an offset, to nanoseconds since 1970. Returns 0 or
 * -EINVAL. */
int oci_time_parse(const char *text, int64_t *ret_nsec);

/* In UTC, with as many digits behind the point as are needed; owned by the caller. */
char *oci_time_print(int64_t nsec);
