/* Where the milliseconds went: marks along the path of a command, printed by `davit --timing`. */
#pragma once

#include <stdint.h>

void timing_enable(void);
/* Note that the part called `name` has just ended. Free when timing is off. */
void timing_mark(const char *name);
/* Print the parts, in the order of their ends, to standard error. */
void timing_print(void);

int64_t clock_now_usec(void); /* monotonic */
