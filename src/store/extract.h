/* Extraction: turns the entries of one layer's tar archive into a directory tree, whiteouts in the
 * form overlayfs knows. */
#pragma once

#include <stdint.h>

struct err;
struct tar_reader;

enum extract_flags {
	/* The caller is root of a user namespace only: overlay will be mounted with userxattr, and
	 * what such a root may not make (device nodes, trusted.* attributes) is left out. */
	EXTRACT_IN_USERNS = 1 << 0,
	/* What belongs to IDs outside of the mapping becomes root's instead of an error. */
	EXTRACT_IGNORE_OWNERS = 1 << 1,
	/* An archive that is no layer: ".wh.NAME" is a name as any other, and the tree need not be
	 * empty: what is there stays, or is replaced by what has its name. */
	EXTRACT_PLAIN = 1 << 2,
};

struct extract_options {
	enum extract_flags flags;
	/* Stop with ENOSPC before the file system has less free. 0: 64 MiB, or a twentieth of a
	 * small one. */
	uint64_t min_free_bytes;
};

struct extract_stats {
	uint64_t entries;
	uint64_t content_bytes; /* data written to files; holes do not count */
	uint64_t skipped_devices;
	uint64_t skipped_xattrs;
	uint64_t changed_owners; /* see EXTRACT_IGNORE_OWNERS */
};

/* Unpack all entries below `root_fd`, an empty directory opened for reading. The process should
 * have umask 0 and root's capabilities, at least in its user namespace. On failure the tree is in
 * an undefined state; remove it. */
int extract_tree(int root_fd, struct tar_reader *reader, const struct extract_options *options,
		 struct extract_stats *ret_stats, struct err *err);
