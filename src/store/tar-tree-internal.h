/* What the files of the tree writer share: tar-tree.c and tar-tree-xattr.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "store/tar-tree.h"

struct err;
struct id_map;
struct tar_extent;
struct tar_writer;
struct tar_xattr;

struct tar_tree {
	struct tar_writer *writer;
	struct tar_tree_options options;
	struct tar_tree_stats stats;
	struct strbuf path; /* of the current entry */
	void *links;	    /* tree of struct link: inodes with several names */
	unsigned depth;
	int self_fd; /* of /proc/self/fd; -1 until it is needed */
	/* Scratch, used between two entries only. */
	char *names;		  /* of getdents64(2) */
	char *attribute_names;	  /* XATTR_LIST_MAX */
	char *attribute_value;	  /* XATTR_SIZE_MAX */
	struct tar_xattr *xattrs; /* `name` is borrowed from attribute_names, `value` owned */
	size_t xattr_count;
	struct tar_extent *extents;
};

/* What overlayfs says about a directory. */
struct overlay_marks {
	bool is_opaque;
	bool has_whiteout_files; /* files with an attribute for whiteouts are in it */
};

/* -errno, naming the current entry. */
int tar_tree_fail(const struct tar_tree *tree, const char *what, struct err *err);

/* The archive's ID; -EOVERFLOW for one outside of the map. */
int tar_tree_map_id(const struct id_map *map, uint32_t id, uint32_t *ret_id);

/* Those for the archive are in tree->xattrs until they are cleared; overlayfs's become marks. */
int tar_tree_read_xattrs(struct tar_tree *tree, int fd, struct overlay_marks *ret_marks,
			 struct err *err);
void tar_tree_clear_xattrs(struct tar_tree *tree);
