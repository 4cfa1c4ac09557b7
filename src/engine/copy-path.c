#include "engine/copy-path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "kernel/mount.h"

#define LINKS_MAX 40

void copy_path_clear(struct copy_path *path)
{
	fd_close(&path->parent_fd);
	free(path->name);
	free(path->own_name);
	free(path->given_name);
	*path = COPY_PATH_EMPTY;
}

static int say(int code, struct err *err)
{
	return err_set(err, code, "%s", strerror(code));
}

static int open_directory(const struct copy_root *root, const char *path)
{
	if (root->root_fd >= 0)
		return mount_open_in_root(root->root_fd, path, O_DIRECTORY, 0);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A path in two: where its last name begins, without slashes behind it. */
static char *split(char *text)
{
	size_t size = strlen(text);

	while (size > 0 && text[size - 1] == '/')
		text[--size] = '\0';
	char *slash = strrchr(text, '/');
	return slash ? slash + 1 : text;
}

static bool is_dots(const char *name)
{
	return !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The last part of where the directory is. The kernel knows it by its place below our own root. */
static char *name_of(const struct copy_root *root, int dir_fd)
{
	char link[32], path[PATH_MAX];

	snprintf(link, sizeof(link), "self/fd/%d", dir_fd);
	ssize_t n = readlinkat(root->proc_fd, link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return xstrdup("");
	path[n] = '\0';
	return xstrdup(strrchr(path, '/') + 1);
}

/* "", ".", ".." and "/" are directories that are there. */
static int take_directory(const struct copy_root *root, const char *text, bool is_absolute,
			  struct copy_path *path, struct err *err)
{
	path->parent_fd = open_directory(root, *text ? text : is_absolute ? "/" : ".");
	if (path->parent_fd < 0)
		return say(-path->parent_fd, err);
	path->name = xstrdup(".");
	path->own_name = name_of(root, path->parent_fd);
	path->exists = path->is_directory = true;
	path->is_root = !*path->own_name;
	return 0;
}

/* One step: 1 if the name is a link, whose target *text is then. */
static int look(const struct copy_root *root, char **text, struct copy_path *path, struct err *err)
{
	bool is_absolute = **text == '/';
	struct stat st;

	char *name = split(*text);
	if (is_dots(name))
		return take_directory(root, *text, is_absolute, path, err);
	autofree char *parent =
		name > *text ? xstrndup(*text, (size_t)(name - *text)) : xstrdup(".");
	autoclose int parent_fd = open_directory(root, parent);
	if (parent_fd < 0)
		return say(-parent_fd, err);
	path->exists = fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!path->exists && errno != ENOENT)
		return say(errno, err);
	if (!path->exists || !S_ISLNK(st.st_mode)) {
		path->is_directory = path->exists && S_ISDIR(st.st_mode);
		path->parent_fd = take_fd(&parent_fd);
		path->name = xstrdup(name);
		path->own_name = xstrdup(name);
		return 0;
	}
	char target[PATH_MAX];
	ssize_t n = readlinkat(parent_fd, name, target, sizeof(target) - 1);
	if (n <= 0)
		return say(n < 0 ? errno : ENOENT, err);
	target[n] = '\0';
	char *next = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
	free(*text);
	*text = next;
	return 1;
}

int copy_path_resolve(const struct copy_root *root, const char *text, struct copy_path *ret_path,
		      struct err *err)
{
	autocopypath struct copy_path path = COPY_PATH_EMPTY;
	autofree char *written = xstrdup(text), *current = xstrdup(text);
	size_t size = strlen(text);
	int r = 1;

	path.wants_directory = size > 0 && text[size - 1] == '/';
	const char *last = split(written);
	path.is_content = strcmp(last, ".") == 0;
	path.given_name = is_dots(last) ? NULL : xstrdup(last);
	for (int links = 0; r > 0; links++) {
		if (links > LINKS_MAX)
			return say(ELOOP, err);
		r = look(root, &current, &path, err);
	}
	if (r < 0)
		return r;
	if (path.wants_directory && !path.is_directory)
		return say(path.exists ? ENOTDIR : ENOENT, err);
	*ret_path = path;
	path = COPY_PATH_EMPTY;
	return 0;
}
