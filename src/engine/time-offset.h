/* --time-offset: how much more than the host's the clocks of a container show that count from the
 * host's start. */
#pragma once

#include "oci/runtime-config.h"

struct err;

/* "+1d", "-90s": both clocks; "monotonic=1h,boottime=1d": each by itself. Spans as of
 * duration_parse(). -EINVAL */
int time_offset_parse(const char *text, struct oci_time_offset ret_offsets[OCI_CLOCK_COUNT],
		      struct err *err);
