/* Sizes and ages in the words that container tools use, and sizes as users write them. Results are
 * owned by the caller. */
#pragma once

#include <stdint.h>

struct err;

/* "512m", "1g", "1.5GiB", "10kb", "4096", "20b": powers of 1024 whatever the spelling, as for
 * memory limits. Negative and empty texts are EINVAL, what does not fit is ERANGE. */
int human_parse_bytes(const char *text, int64_t *ret_bytes, struct err *err);

/* Powers of 1000 with `digits` significant digits: "331 MB" for digits = 3 and separator " ",
 * "1.998MB" for 4 and "". */
char *human_size(double bytes, int digits, const char *separator);

/* Powers of 1024 with four digits: "1.5GiB", "512MiB". */
char *human_size_binary(double bytes);

/* "Less than a second", "1 second", "About a minute", "3 hours", "2 weeks". */
char *human_duration(int64_t usec);

/* The same with " ago"; the epoch itself means never: "". */
char *human_ago(int64_t then_usec, int64_t now_usec);
