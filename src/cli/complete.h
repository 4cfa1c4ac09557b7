/* Shell completion: what may stand where the cursor is, worked out from the tables. The shells'
 * scripts only ask and show, so that all of them know the same. */
#pragma once

#include "cli/options.h"

struct cli;
struct strbuf;

/* Append one candidate a line, "WORD" or "WORD\tWHAT IT IS"; the line ":files" stands for names of
 * files.
 *
 * @words: behind "davit" on the command line; the last one is being written and may be empty */
void complete(struct cli *cli, int count, char **words, struct strbuf *out);

/* Names that only the store knows: of containers, images, volumes. Failing finds none. */
void complete_names(struct cli *cli, enum completion_source source, struct strlist *names);
