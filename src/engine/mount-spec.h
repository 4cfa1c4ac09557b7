/* What a user wants mounted: `-v`, `--mount` and `--tmpfs` in one form. Pure: nothing is looked up
 * or made here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;

enum mount_kind {
	MOUNT_BIND,
	MOUNT_VOLUME,
	MOUNT_TMPFS,
	MOUNT_RAMFS,
	MOUNT_DEVPTS,
	MOUNT_IMAGE,
	MOUNT_KIND_COUNT
};

struct mount_spec {
	enum mount_kind kind;
	char *source; /* host path, volume name (NULL: an anonymous one), image; NULL for tmpfs and
			 its like */
	struct strlist layers;	/* of an image, diff IDs, lowest first */
	char *destination;	/* absolute, without a trailing slash */
	struct strlist options; /* for the kernel and the runtime: "ro", "rslave", "size=64m",
				   "tmpcopyup", … */
	bool read_only;
	bool chown_to_user; /* U: give the tree to the process's user */
	bool no_copy;	    /* a new volume is not filled from the image */
	bool is_overlay; /* O: changes go to a layer of the container and the source stays as it is.
			  * With "upperdir=" and "workdir=" among the options, to that of the user */
	bool is_glob;	 /* the source is a pattern, see mount_spec_expand(); never stored */
};

/* "[SRC:]DST[:OPTIONS]". A relative SRC with a leading dot is made absolute by `cwd`; one without a
 * leading dot or slash is a volume's name. */
int mount_spec_parse_volume(const char *text, const char *cwd, struct mount_spec *ret_mount,
			    struct err *err);
/* "type=bind,src=…,dst=…[,OPTION…]", fields may be in double quotes as in CSV. */
int mount_spec_parse_mount(const char *text, const char *cwd, struct mount_spec *ret_mount,
			   struct err *err);
/* "DST[:OPTIONS]" */
int mount_spec_parse_tmpfs(const char *text, struct mount_spec *ret_mount, struct err *err);
void mount_spec_clear(struct mount_spec *mount);
/* Of a volume: the directory or file in it that is to be mounted; NULL: all of it. Borrowed. */
const char *mount_spec_subpath(const struct mount_spec *mount);
/* "bind", as --mount calls it. */
const char *mount_kind_name(enum mount_kind kind);

/* As it is kept in struct container_spec, and back. */
char *mount_spec_store(const struct mount_spec *mount);
int mount_spec_load(const char *stored, struct mount_spec *ret_mount, struct err *err);

/* [a-zA-Z0-9][a-zA-Z0-9_.-]* */
bool object_name_is_valid(const char *name);
