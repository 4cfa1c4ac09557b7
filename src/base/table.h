/* Columns of text that line up: every cell is padded to the widest of its column and two spaces, at
 * least to twelve columns. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* Columns that `size` bytes of UTF-8 take on a terminal: wide East Asian characters and emoji count
 * two, combining ones none. */
size_t text_width(const char *text, size_t size);

/* Print lines whose cells are separated by tabs. The last cell of a line is not padded. */
void table_print(const char *text, FILE *out);
