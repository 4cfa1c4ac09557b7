/* Random names and IDs. */
#pragma once

#include <stddef.h>

/* Fill `text` with 2 * bytes hex digits and a NUL. */
void random_hex(char *text, size_t bytes);

/* A number below `limit`, which is > 0. */
unsigned random_below(unsigned limit);
