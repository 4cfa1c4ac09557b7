/* Processes that outlive their container's first one. They cannot where the container has a process
 * namespace of its own; where it shares one they go on, and without a cgroup nothing in the kernel
 * holds them together. */
#pragma once

struct err;

/* Kill every process that sees the mounts of the container with this ID, and wait until they are gone.
 * What it was given by name from the run directory is what it is known by: no process can lose that
 * mount without rights over its mount namespace, and no other container has it. */
int leftover_processes_kill(const char *id, struct err *err);
