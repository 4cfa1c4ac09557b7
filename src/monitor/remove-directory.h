/* Removing the directories of a container that is gone, for the monitor: no memory is allocated. */
#pragma once

/* Remove the directory with all that is in it, without following links. What cannot be removed
 * stays, for the next command that looks for what belongs to no container. */
void remove_directory(const char *path);
