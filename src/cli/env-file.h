/* Files of variables: --env-file and --label-file. */
#pragma once

struct cli;
struct err;
struct strlist;

/* Add to `env` the lines of KEY=VALUE; KEY alone takes the caller's value; comments begin with '#'. */
int env_file_read(struct cli *cli, const char *path, struct strlist *env, struct err *err);

/* Add KEY=VALUE words; later ones replace earlier ones of the same key. */
void env_merge(struct strlist *env, const struct strlist *more);
