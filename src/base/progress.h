/* Progress of long work on standard error: bars on a terminal, plain lines elsewhere.
 *
 * Items are things that are fetched or made, with bytes when those are known. On a terminal the
 * live ones are a block at the bottom that is drawn anew at most ten times a second; what is
 * finished scrolls away above it. Elsewhere each item is one line when it ends, so that a log stays
 * readable.
 *
 * A NULL progress swallows everything, so callers need no test for --quiet. */
#pragma once

#include <stdint.h>

struct progress;

/* `fd` is borrowed. */
struct progress *progress_new(int fd);
void progress_free(struct progress *progress); /* takes the live block off the screen */

static inline void progress_free_auto(struct progress **at)
{
	progress_free(*at);
}
#define autoprogress __attribute__((cleanup(progress_free_auto)))

/* A line of its own, above the live block. */
void progress_say(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A new item, named by its number from now on. @total_bytes: 0 if not known. */
int progress_add(struct progress *progress, const char *label, int64_t total_bytes);
/* How far it is, and what is being done with it ("download", "unpack"); NULL: as before. Bytes that
 * were there from the start (a continued download) are told by the first call and do not count for
 * the rate. */
void progress_update(struct progress *progress, int item, int64_t bytes, const char *activity);
/* It is over: "done", "exists". NULL takes it away without a word. */
void progress_finish(struct progress *progress, int item, const char *outcome);

/* Draw when it is time to. Returns milliseconds until the next time, or -1 when there is no need.
 */
int progress_draw(struct progress *progress);
