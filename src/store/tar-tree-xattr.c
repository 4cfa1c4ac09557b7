/* Extended attributes of what goes into an archive. Those that mean the same on another host are kept, with their IDs
 * changed to the archive's; overlayfs's own say what a layer's directory or file is, and stay behind. */
#include <endian.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/err.h"
#include "base/mem.h"
#include "kernel/id-map.h"
#include "kernel/posix-acl.h"
#include "store/tar-tree-internal.h"
#include "store/tar.h"

/* Capabilities that are good for one user namespace's root are written without him when he is the
 * archive's root: whoever unpacks it binds them anew. See capabilities(7), "File capability extended
 * attribute versioning". */
static size_t map_capability(const struct tar_tree *tree, char *value, size_t size)
{
	const uint32_t revision_mask = 0xff000000, revision_2 = 0x02000000;
	uint32_t magic, root;

	if (size != 24)
		return size;
	memcpy(&magic, value, sizeof(magic));
	memcpy(&root, value + 20, sizeof(root));
	if (tar_tree_map_id(tree->options.uid_map, le32toh(root), &root) < 0 || root != 0)
		return size;
	magic = htole32((le32toh(magic) & ~revision_mask) | revision_2);
	memcpy(value, &magic, sizeof(magic));
	return 20;
}

static bool is_wanted(const struct tar_tree *tree, const char *name)
{
	return tar_xattr_is_portable(name) &&
	       !(tree->options.flags & TAR_TREE_LAYER && strncmp(name, "user.overlay.", 13) == 0);
}

void tar_tree_clear_xattrs(struct tar_tree *tree)
{
	for (size_t i = 0; i < tree->xattr_count; i++)
		free((void *)tree->xattrs[i].value);
	tree->xattr_count = 0;
}

static void note_mark(struct overlay_marks *marks, int fd, const char *name)
{
	const char *mark = strncmp(name, "trusted.overlay.", 16) == 0 ? name + 16
			   : strncmp(name, "user.overlay.", 13) == 0  ? name + 13
								      : "";
	char value;

	if (strcmp(mark, "opaque") != 0 || fgetxattr(fd, name, &value, 1) != 1)
		return;
	marks->is_opaque |= value == 'y';
	marks->has_whiteout_files |= value == 'x';
}

/* A directory moved by overlayfs, or a file whose data stayed below, is no whole part of a layer.
 * davit's mounts do not make them. */
static bool leads_below(const char *name)
{
	static const char *const marks[] = { "trusted.overlay.redirect", "user.overlay.redirect",
					     "trusted.overlay.metacopy", "user.overlay.metacopy" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strcmp(name, marks[i]) == 0)
			return true;
	return false;
}

static int read_xattr(struct tar_tree *tree, int fd, const char *name, struct err *err)
{
	/* One look: a size that was asked for first would not be that of what comes then. */
	ssize_t got = fgetxattr(fd, name, tree->attribute_value, XATTR_SIZE_MAX);

	if (got < 0) /* EOVERFLOW: capabilities for a root that is none here */
		return errno == ENODATA || errno == EOPNOTSUPP || errno == EOVERFLOW
			       ? 0
			       : tar_tree_fail(tree, "read attributes of", err);
	size_t size = (size_t)got;
	if (posix_acl_is_name(name) &&
	    posix_acl_map_ids(tree->attribute_value, size, tree->options.uid_map,
			      tree->options.gid_map, id_map_to_inside) < 0)
		return err_set(err, EOVERFLOW,
			       "the ACL of '/%s' names an ID that the container does not have",
			       strbuf_text(&tree->path));
	if (strcmp(name, "security.capability") == 0)
		size = map_capability(tree, tree->attribute_value, size);
	tree->xattrs = xreallocarray(tree->xattrs, tree->xattr_count + 1, sizeof(*tree->xattrs));
	tree->xattrs[tree->xattr_count++] =
		(struct tar_xattr){ name, xmemdup(tree->attribute_value, size), size };
	return 0;
}

int tar_tree_read_xattrs(struct tar_tree *tree, int fd, struct overlay_marks *ret_marks,
			 struct err *err)
{
	bool is_layer = tree->options.flags & TAR_TREE_LAYER;
	ssize_t size = flistxattr(fd, tree->attribute_names, XATTR_LIST_MAX);
	int r = 0;

	*ret_marks = (struct overlay_marks){ 0 };
	if (size < 0)
		return errno == ENOTSUP ? 0 : tar_tree_fail(tree, "read attributes of", err);
	for (const char *name = tree->attribute_names;
	     r == 0 && name < tree->attribute_names + size; name += strlen(name) + 1) {
		if (is_layer)
			note_mark(ret_marks, fd, name);
		if (is_layer && leads_below(name))
			return err_set(err, EOPNOTSUPP,
				       "'/%s' was moved by overlayfs and is not whole",
				       strbuf_text(&tree->path));
		if (is_wanted(tree, name))
			r = read_xattr(tree, fd, name, err);
	}
	return r;
}
