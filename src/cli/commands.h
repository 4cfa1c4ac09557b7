/* All commands and groups of davit. */
#pragma once

#include "cli/command.h"

/* One line a command, in alphabetical order; each is `const struct command command_NAME` in its
 * own cmd-NAME.c. */
#define COMMANDS(X)                                                                                \
	X(attach)                                                                                  \
	X(clone)                                                                                   \
	X(commit)                                                                                  \
	X(complete)                                                                                \
	X(completion)                                                                              \
	X(container_checkpoint)                                                                    \
	X(container_cleanup)                                                                       \
	X(container_diff)                                                                          \
	X(container_exists)                                                                        \
	X(container_init)                                                                          \
	X(container_inspect)                                                                       \
	X(container_prune)                                                                         \
	X(container_record)                                                                        \
	X(container_restore)                                                                       \
	X(cp)                                                                                      \
	X(create)                                                                                  \
	X(diff)                                                                                    \
	X(events)                                                                                  \
	X(exec)                                                                                    \
	X(export)                                                                                  \
	X(healthcheck_run)                                                                         \
	X(help)                                                                                    \
	X(history)                                                                                 \
	X(image_diff)                                                                              \
	X(image_exists)                                                                            \
	X(image_inspect)                                                                           \
	X(image_mount)                                                                             \
	X(image_prune)                                                                             \
	X(image_tree)                                                                              \
	X(image_unmount)                                                                           \
	X(images)                                                                                  \
	X(import)                                                                                  \
	X(info)                                                                                    \
	X(inspect)                                                                                 \
	X(kill)                                                                                    \
	X(load)                                                                                    \
	X(login)                                                                                   \
	X(logout)                                                                                  \
	X(logs)                                                                                    \
	X(mount)                                                                                   \
	X(pause)                                                                                   \
	X(port)                                                                                    \
	X(ps)                                                                                      \
	X(pull)                                                                                    \
	X(rename)                                                                                  \
	X(restart)                                                                                 \
	X(revert)                                                                                  \
	X(rm)                                                                                      \
	X(rmi)                                                                                     \
	X(run)                                                                                     \
	X(save)                                                                                    \
	X(secret_create)                                                                           \
	X(secret_exists)                                                                           \
	X(secret_inspect)                                                                          \
	X(secret_ls)                                                                               \
	X(secret_rm)                                                                               \
	X(snapshot)                                                                                \
	X(snapshots)                                                                               \
	X(start)                                                                                   \
	X(stats)                                                                                   \
	X(stop)                                                                                    \
	X(system_check)                                                                            \
	X(system_df)                                                                               \
	X(system_prune)                                                                            \
	X(system_reset)                                                                            \
	X(tag)                                                                                     \
	X(top)                                                                                     \
	X(unmount)                                                                                 \
	X(unpause)                                                                                 \
	X(unshare)                                                                                 \
	X(untag)                                                                                   \
	X(update)                                                                                  \
	X(version)                                                                                 \
	X(volume_create)                                                                           \
	X(volume_exists)                                                                           \
	X(volume_export)                                                                           \
	X(volume_import)                                                                           \
	X(volume_inspect)                                                                          \
	X(volume_ls)                                                                               \
	X(volume_mount)                                                                            \
	X(volume_prune)                                                                            \
	X(volume_rm)                                                                               \
	X(volume_unmount)                                                                          \
	X(wait)

/* A noun under which commands are gathered: "davit volume …". */
struct command_group {
	const char *name;
	const char *summary;
};

extern const struct command *const commands[];	    /* ends with NULL */
extern const struct command_group command_groups[]; /* ends with an empty name */

/* The global options, as a table whose offsets are in struct cli_globals. */
extern const struct option_spec global_options[];

const struct command_group *command_group_find(const char *name);

/* Find a command by the words in front of argv. `ret_used` is how many words its name has. NULL
 * when there is none. */
const struct command *command_find(int argc, char **argv, int *ret_used);

/* Walk over the names of a command: start with `at` = command->names. Gives the start and the size
 * of the next name, or NULL. */
const char *command_next_name(const char **at, size_t *ret_size);

/* Does the group have a command that people should see? */
bool command_group_has_members(const struct command_group *group);

/* The name without its group when the command has a name in `group` (NULL: a name of one word);
 * owned by the caller. NULL when it has none. Only the first such name counts. */
char *command_name_in(const struct command *command, const char *group);
