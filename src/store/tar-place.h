/* A tar archive unpacked into a directory tree that is there already, as cp(1) would put it: names that begin with
 * ".wh." mean nothing, existing directories are joined, existing files replaced.
 *
 * The archive and the tree may both be hostile. What comes from a container is put on the host by paths without links
 * below the directory; what a user brings into a container may go by way of links that are there, which is for a
 * process only whose "/" is that of the container. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tar_reader;

enum tar_place_flags {
	/* A directory may take the place of something else, and the other way round. */
	TAR_PLACE_REPLACE_KINDS = 1 << 0,
	/* Links among the directories of a path are followed, to wherever this process's root lets them lead. */
	TAR_PLACE_FOLLOW_LINKS = 1 << 1,
	/* Devices are left out, and counted. */
	TAR_PLACE_SKIP_DEVICES = 1 << 2,
	/* All belongs to options->uid and gid, whatever the archive says. */
	TAR_PLACE_SET_OWNER = 1 << 3,
};

struct tar_place_options {
	enum tar_place_flags flags;
	uid_t uid;
	gid_t gid;
	/* What the archive's entry "." becomes in the directory, be it a directory or a file, and with it what is
	 * below; NULL: the directory itself, whose owner, mode and time stay as they are. */
	const char *name;
};

struct tar_place_stats {
	uint64_t entries, content_bytes;
	uint64_t skipped_devices;
};

/* `dir_fd` is borrowed and may be a path descriptor. The process should have umask 0. -EEXIST for what is not replaced;
 * -EXDEV for a path that leads out; -EBADMSG if this is no archive, or not a whole one. What was done before an error
 * stays, and *ret_stats tells of it, but a file that is not whole goes. */
int tar_place(int dir_fd, struct tar_reader *reader, const struct tar_place_options *options,
	      struct tar_place_stats *ret_stats, struct err *err);
