#include "cli/complete.h"

void complete_names(struct cli *cli, enum completion_source source, struct strlist *names)
{
}
