/* Trees of overlayfs's upper directories put on top of each other: of several, one that shows the same.
 *
 * Nothing is copied but directories: files get one more name. So it takes as long as the trees have names, and the room
 * of their directories. Whiteouts stay whiteouts and opaque directories opaque, since there may be an image below. */
#pragma once

#include "base/strlist.h"

struct err;

struct tree_merge {
	const struct strlist *trees; /* lowest first; nobody writes into them */
	const char *
		target; /* made, on their file system; what there is after a failure is the caller's to remove */
	const char *
		opaque_name; /* the attribute of directories that hide what is below: overlayfs's of this mount */
};

/* For userns_run(): `merge` is a struct tree_merge. -EOPNOTSUPP: a tree is none that davit's mounts make. */
int tree_merge_make(void *merge, struct err *err);
