/* Mount options: the words of mount(8) and of the OCI runtime specification, as what the kernel's
 * mount calls take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct strlist;

/* KEY or KEY=VALUE for fsconfig(2). */
struct file_system_option {
	char *key;
	char *value; /* NULL: a flag */
};

struct mount_options {
	bool bind, bind_recursive; /* the latter implies the former */
	/* MOUNT_ATTR_*, of the mount itself and of the whole tree below it */
	uint64_t set, clear;
	uint64_t tree_set, tree_clear;
	unsigned long propagation; /* MS_PRIVATE, …; 0: not given */
	bool propagation_recursive;
	bool copy_up;			    /* tmpfs: begins with what the image has there */
	bool idmap, idmap_recursive;	    /* shows the IDs of the container's user namespace */
	struct file_system_option *options; /* owned */
	size_t option_count;
};

/* -EINVAL names the option that makes no sense. */
int mount_options_parse(const struct strlist *words, struct mount_options *ret_options,
			struct err *err);
/* All the words that are known, for who asks what this runtime can do. */
void mount_options_list(struct strlist *list);
/* One more option for the file system; both are copied. */
void mount_options_add(struct mount_options *options, const char *key, const char *value);
void mount_options_clear(struct mount_options *options);
