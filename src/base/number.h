/* Whole numbers in text, read with their bounds. sscanf(3) and atol(3) overflow silently. */
#pragma once

#include <stdint.h>

/* Read a decimal number, perhaps with a sign, and leave *at behind it. No white space before it.
 * -EINVAL if there is none; -ERANGE if it is not from `min` to `max`; *at then stays. */
int number_take(const char **at, int64_t min, int64_t max, int64_t *ret_number);

/* The whole text is one number. */
int number_parse(const char *text, int64_t min, int64_t max, int64_t *ret_number);
