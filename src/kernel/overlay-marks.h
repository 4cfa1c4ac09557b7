/* How overlayfs says in an upper directory that something below is gone: a whiteout hides one name, an opaque directory all
 * that lower directories of its path have. Each attribute has two names, "trusted." of what the host's root mounts, "user." of
 * mounts in user namespaces. See the kernel's Documentation/filesystems/overlayfs.rst. */
#pragma once

#include <stdbool.h>

struct stat;

bool overlay_is_whiteout_device(const struct stat *st);
/* An empty file whose attribute makes it a whiteout, where devices cannot be made. */
bool overlay_is_whiteout_file(int fd);
/* Either of them: `st` is what fstatat(2) says of the name. */
bool overlay_is_whiteout(int dir_fd, const char *name, const struct stat *st);

bool overlay_is_opaque(int fd);
