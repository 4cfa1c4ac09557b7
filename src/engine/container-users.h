/* Users and groups that a container runs as and its image does not know: they get a line in its /etc/passwd and
 * /etc/group, because many programs refuse to work for a user without a name. The image's files stay as they are; copies
 * of them with the new lines lie in the run directory and are mounted over them. */
#pragma once

#include "base/strlist.h"

struct container_spec;
struct err;
struct identity;

/* Sets identity->passwd_line and group_line where they are needed, and its home to that of the new line. An image
 * without these files gets none. */
void container_users_plan(const struct strlist *layer_dirs, const struct container_spec *spec,
			  struct identity *identity);

/* Write the files that the plan needs: RUN_DIR/passwd, RUN_DIR/group. */
int container_users_write(const struct strlist *layer_dirs, const struct identity *identity,
			  const char *run_dir, struct err *err);
