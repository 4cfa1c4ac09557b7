/* Landlock: a process takes the right to write files from itself. See landlock(7). */
#pragma once

struct err;

/* From now on this thread, and what it starts, can change the tree only below `dir_fd`, executes
 * nothing, and mounts nothing. Reading, and descriptors that are open, stay as they are. Sets
 * no_new_privs. Returns 1, or 0 where the kernel has no Landlock that knows links between
 * directories (before 5.19). */
int landlock_write_only_below(int dir_fd, struct err *err);
