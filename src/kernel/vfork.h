/* A process that works on our memory while we stand still, as after vfork(2), and may be born in
 * another control group. Copying the page tables, only to drop them at an execve(2), is what it
 * saves. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* `body` runs on `stack` and ends by _exit() or execve(). Its descriptors are its own. `cgroup_fd`
 * is the directory of a v2 group, or -1; where it cannot be born there, it is born where we are. The
 * process's number, or -1 with errno. */
pid_t vfork_into(int (*body)(void *arg), void *arg, void *stack, size_t stack_size, int cgroup_fd);
