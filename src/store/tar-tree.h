/* Directory trees as tar archives: the other way round of store/extract.h.
 *
 * Modes, owners, times with nanoseconds, links of both kinds, devices, pipes, extended attributes
 * (user.*, ACLs, file capabilities) and holes go into the archive; sockets do not, as with tar(1). Names
 * are sorted, so the same tree gives the same archive. The tree may change meanwhile: what vanishes
 * is left out, what shrinks is filled up with zeros. */
#pragma once

#include <stdint.h>

#include "base/strlist.h"

struct err;
struct id_map;
struct tar_writer;

enum tar_tree_flags {
	/* The tree is the upper directory of an overlay: its whiteouts and opaque directories become
	 * those of an image's layer (".wh.NAME", ".wh..wh..opq"), and overlayfs's attributes go. */
	TAR_TREE_LAYER = 1 << 0,
	/* Directories that something else is mounted on are written without what is in there. */
	TAR_TREE_ONE_FILE_SYSTEM = 1 << 1,
	/* Nothing but the name of what cannot be read is lost: it is counted instead of an error. */
	TAR_TREE_SKIP_UNREADABLE = 1 << 2,
};

struct tar_tree_options {
	enum tar_tree_flags flags;
	/* From the IDs seen here to those for the archive; NULL: they are the same. */
	const struct id_map *uid_map, *gid_map;
	/* Paths in the archive that are left out with all below them; may be NULL. */
	const struct strlist *excluded;
	int proc_fd; /* of the host's /proc, where "/proc" is not that; 0: it is */
};

struct tar_tree_stats {
	uint64_t entries, content_bytes;
	uint64_t skipped_sockets, unreadable;
};

struct tar_tree;

/* Both are borrowed. Hard links are recognised between all trees that one tar_tree adds. */
struct tar_tree *tar_tree_new(struct tar_writer *writer, const struct tar_tree_options *options);
void tar_tree_free(struct tar_tree *tree);

/* Append `name` in dir_fd, and all below it when it is a directory, as `path` of the archive; links are
 * not followed. -ENOENT if there is no such name; -EOVERFLOW for an owner outside of the maps. */
int tar_tree_add(struct tar_tree *tree, int dir_fd, const char *name, const char *path,
		 struct err *err);
/* Append what is in the directory, each name as PATH/NAME, or NAME when `path` is "". */
int tar_tree_add_content(struct tar_tree *tree, int dir_fd, const char *path, struct err *err);

const struct tar_tree_stats *tar_tree_stats(const struct tar_tree *tree); /* borrowed */

/* A whole archive of what is in the directory, written to a descriptor and ended. */
int tar_tree_write(int root_fd, const struct tar_tree_options *options, int out_fd,
		   struct tar_tree_stats *ret_stats, struct err *err);

static inline void tar_tree_free_auto(struct tar_tree **at)
{
	tar_tree_free(*at);
}
#define autotartree __attribute__((cleanup(tar_tree_free_auto)))
