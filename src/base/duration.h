/* Spans of time and points in time as users write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* "1h30m", "1.5s", "300ms", "-2m"; units ns, us, ms, s, m, h, d, w. A bare number counts seconds.
 * EINVAL when it is neither, ERANGE when it does not fit. */
int duration_parse(const char *text, int64_t *ret_usec, struct err *err);

/* A point in time for --since, --until and filters: a duration before `now_usec` ("10m"), Unix
 * seconds ("1700000000", "1700000000.5"), RFC 3339 ("2024-01-02T15:04:05.5Z", "…+02:00"; date or
 * seconds may be left out: "2024-01-02", "2024-01-02T15:04"; a space may stand for the T). Without
 * a zone the local one is meant. Both are microseconds since the epoch. */
int timestamp_parse(const char *text, int64_t now_usec, int64_t *ret_usec, struct err *err);

/* RFC 3339 as container tools print it: "2024-01-02T15:04:05.123456Z", without zeros at the end of
 * the fraction; owned by the caller. */
char *timestamp_format(int64_t usec);

int64_t timestamp_now_usec(void); /* the wall clock */
int64_t timestamp_now_nsec(void);
