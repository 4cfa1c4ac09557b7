#include "base/timing.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define MARKS 64

static struct {
	bool enabled;
	int64_t start_usec;
	int count;
	struct {
		const char *name;
		int64_t at_usec;
	} marks[MARKS];
} timing;

int64_t clock_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

void timing_enable(void)
{
	timing.enabled = true;
	timing.start_usec = clock_now_usec();
}

void timing_mark(const char *name)
{
	if (!timing.enabled || timing.count == MARKS)
		return;
	timing.marks[timing.count].name = name;
	timing.marks[timing.count++].at_usec = clock_now_usec();
}

void timing_print(void)
{
	int64_t previous = timing.start_usec;

	if (!timing.enabled)
		return;
	for (int i = 0; i < timing.count; i++) {
		fprintf(stderr, "%9.3f ms  %s\n",
			(double)(timing.marks[i].at_usec - previous) / 1000, timing.marks[i].name);
		previous = timing.marks[i].at_usec;
	}
	fprintf(stderr, "%9.3f ms  total\n", (double)(previous - timing.start_usec) / 1000);
}
