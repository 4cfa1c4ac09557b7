/* Copying a directory's content before a tmpfs covers it. */
#pragma once

#include <stdbool.h>

/* Copy everything below `from_fd` into the empty directory `to_fd`, and the directory's own owner
 * and mode where these are wanted. Both are borrowed and may be path descriptors.
 * Async-signal-safe. 0 or -errno. */
int copy_up_directory(int from_fd, int to_fd, bool with_mode);
