/* Volumes as tar archives. Both work as root of the caller's mapping, so owners in the archive are those that containers
 * without a mapping of their own see. */
#pragma once

struct engine;
struct err;
struct volume;

/* Write what is in the volume. -ENOTSUP for one that has nothing outside of containers (tmpfs). */
int volume_export(struct engine *engine, const struct volume *volume, int out_fd, struct err *err);

/* Add what is in an archive, which may be compressed (gzip, zstd): what is there stays, or is replaced by what has its
 * name. On failure a part may have been added. */
int volume_import(struct engine *engine, const struct volume *volume, int in_fd, struct err *err);
