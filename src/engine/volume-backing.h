/* What a volume is made of, when that is not a directory of davit's: the options of `volume create`, in the words of
 * mount(8) that docker and podman share.
 *
 *	-o type=none -o device=/srv/data -o o=bind	a directory of the host
 *	-o type=tmpfs -o device=tmpfs -o o=size=64m	memory, of each container its own */
#pragma once

#include "base/strlist.h"

struct err;
struct mount_spec;

/* Check options "KEY=VALUE" when a volume is made. */
int volume_backing_check(const struct strlist *options, struct err *err);

/* What options mean: the directory, "tmpfs", or NULL for one of davit's own; the caller's. */
int volume_backing_path(const struct strlist *options, char **ret_backing, struct err *err);

/* Put what these options mean into a mount of the volume: "backing=PATH" or "backing=tmpfs" in front of options for the
 * mount itself. Nothing for a volume without options. */
int volume_backing_apply(const struct strlist *options, struct mount_spec *mount, struct err *err);

/* What was put there: a path, "tmpfs", or NULL. Borrowed. */
const char *volume_backing_of(const struct mount_spec *mount);
