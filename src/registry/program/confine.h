/* The helper's walls, put up before it speaks to anybody: no capabilities, no new privileges, a
 * file system of which it can write one directory and read what naming and TLS need, and only the
 * system calls of a network client. */
#pragma once

#include "base/strlist.h"

struct err;

/* @download_fd:  the directory that stays writable; -1 for none
 * @read_paths:   files and directories that stay readable; missing ones are passed over
 *
 * What the kernel does not offer is left out with a note in the log; what it offers and refuses is
 * an error. */
int confine(int download_fd, const struct strlist *read_paths, struct err *err);
