/* Asking the user for a word, on the terminal. */
#pragma once

#include <stdbool.h>

struct err;

/* Print `question` on standard error and read one line from standard input, without its line end;
 * owned by the caller. With `secret` the terminal does not show what is typed. -ENODATA at end of
 * file. */
int prompt_read(const char *question, bool secret, char **ret_line, struct err *err);
