/* One end of a copy: where a path leads, in a root file system that is not to be trusted, or on the host.
 *
 * Links are followed to the end, also one that leads to nothing yet, by looking at one name at a time; so what comes out
 * is a directory, by descriptor, and a name in it that was no link when it was looked at. Whoever goes on from there
 * without following links stays inside. */
#pragma once

#include <stdbool.h>

struct err;

struct copy_root {
	int root_fd; /* of the root that links lead to; -1: the host, by our own root and directory */
	int proc_fd; /* of the host's /proc */
};

struct copy_path {
	int parent_fd;
	char *name; /* in it; "." is the parent itself */
	bool exists, is_directory;
	bool wants_directory; /* it was written with a slash at the end */
	bool is_content;      /* "DIR/.": what is in it, not the directory itself */
	bool is_root;
	char *own_name;	  /* of the directory or file; "" for a root */
	char *given_name; /* the last name of the path as it was written; NULL where that is none */
};

#define COPY_PATH_EMPTY ((struct copy_path){ .parent_fd = -1 })

/* -ENOENT, -ENOTDIR and the like if there is no directory that it could be in, or it is no directory and should be one;
 * err->text is the cause alone. */
int copy_path_resolve(const struct copy_root *root, const char *text, struct copy_path *ret_path,
		      struct err *err);
void copy_path_clear(struct copy_path *path);
#define autocopypath __attribute__((cleanup(copy_path_clear)))
