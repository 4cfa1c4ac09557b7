#include "engine/time-offset.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"

#define USEC_PER_SEC 1000000

static const char *const clock_names[OCI_CLOCK_COUNT] = {
	[OCI_CLOCK_MONOTONIC] = "monotonic",
	[OCI_CLOCK_BOOTTIME] = "boottime",
};

static int parse_span(const char *text, struct oci_time_offset *ret_offset, struct err *err)
{
	int64_t usec;

	int r = duration_parse(text, &usec, err);
	if (r < 0)
		return r;
	int64_t seconds = usec / USEC_PER_SEC, rest = usec % USEC_PER_SEC;
	if (rest < 0) { /* the fraction is always added */
		seconds--;
		rest += USEC_PER_SEC;
	}
	*ret_offset = (struct oci_time_offset){
		.given = true,
		.seconds = seconds,
		.nanoseconds = (uint32_t)rest * 1000,
	};
	return 0;
}

static int parse_clock(const char *text, struct oci_time_offset *offsets, struct err *err)
{
	for (size_t i = 0; i < OCI_CLOCK_COUNT; i++) {
		size_t size = strlen(clock_names[i]);
		if (strncmp(text, clock_names[i], size) != 0 || text[size] != '=')
			continue;
		if (offsets[i].given)
			return err_set(err, EINVAL, "'%s' is given twice", clock_names[i]);
		return parse_span(text + size + 1, &offsets[i], err);
	}
	return err_set(err, EINVAL,
		       "'%s' is no clock's; write it as SPAN, such as +1d, or as "
		       "monotonic=SPAN,boottime=SPAN",
		       text);
}

int time_offset_parse(const char *text, struct oci_time_offset ret_offsets[OCI_CLOCK_COUNT],
		      struct err *err)
{
	struct oci_time_offset offsets[OCI_CLOCK_COUNT] = { 0 };
	autostrlist struct strlist parts = STRLIST_EMPTY;
	int r = 0;

	if (!strchr(text, '=')) {
		r = parse_span(text, &offsets[0], err);
		for (size_t i = 1; i < OCI_CLOCK_COUNT; i++)
			offsets[i] = offsets[0];
	} else {
		strlist_split(&parts, text, ',');
		for (size_t i = 0; r == 0 && i < parts.count; i++)
			r = parse_clock(parts.items[i], offsets, err);
	}
	if (r < 0)
		return err_wrap(err, "--time-offset '%s'", text);
	memcpy(ret_offsets, offsets, sizeof(offsets));
	return 0;
}
