/* Processes that are not our children, known by number and start time: the pair that no other process has until the
 * next boot. See proc(5), /proc/PID/stat. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Field 22 of /proc/PID/stat, in clock ticks since boot; 0 when there is no such process. */
uint64_t process_start_time(pid_t pid);

/* Whether the process that began then still runs. One that has ended and waits for its parent does not. */
bool process_is_alive(pid_t pid, uint64_t start_time);
