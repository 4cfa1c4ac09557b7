/* Who the container's process is: "user[:group]" looked up in the container's own /etc/passwd and
 * /etc/group.
 *
 * The files are read from the layers, before anything is mounted and without privileges. They are
 * the image's, so hostile: a line that does not parse is passed over, numbers are bounded, and
 * links in the image cannot lead outside of its layer. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/strlist.h"

struct err;

struct identity {
	uint32_t uid, gid;
	uint32_t *groups; /* additional ones; owned */
	size_t group_count;
	char *home; /* owned; "/" if the user has no entry */
	bool is_listed,
		group_is_listed; /* in the image's /etc/passwd; the group that was asked for in /etc/group */
	/* What container_users_plan() adds to the image's files, a line or several; owned, NULL: nothing. */
	char *passwd_line, *group_line;
};

/* @layer_dirs:   directories of the root file system, uppermost first
 * @user:         "", NULL, "name", "uid", each with ":group" or ":gid" behind
 * @extra_groups: --group-add, names or numbers
 *
 * -ENOENT if a name is in neither file; the message says so. See the OCI image specification,
 * config.User. */
int identity_resolve(const struct strlist *layer_dirs, const char *user,
		     const struct strlist *extra_groups, struct identity *ret_identity,
		     struct err *err);
/* The highest user or group ID that the image's files name or `user` says as a number; the overflow
 * user "nobody" does not count, as for podman. */
uint32_t identity_highest_id(const struct strlist *layer_dirs, const char *user);
void identity_clear(struct identity *identity);

/* Open a file of the root file system that the layers make up, as overlayfs would find it, without
 * mounting. Whiteouts and opaque directories are honoured, links are followed within the layer
 * only. Returns a descriptor or -errno. */
int layers_open_file(const struct strlist *layer_dirs, const char *path);
