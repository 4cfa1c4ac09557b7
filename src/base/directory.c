#include "base/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"
#include "base/strlist.h"

/* By a descriptor of its own, which has a place of its own. NULL with errno. */
static DIR *open_again(int dir_fd)
{
	autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)take_fd(&fd);
	return dir;
}

/* The next name; NULL at the end, with errno, which is 0 if all went well. */
static const char *next_name(DIR *dir)
{
	for (struct dirent *entry; errno = 0, entry = readdir(dir);)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	return NULL;
}

int directory_list(int dir_fd, struct strlist *names)
{
	DIR *dir = open_again(dir_fd);
	const char *name;

	if (!dir)
		return -errno;
	while ((name = next_name(dir)))
		strlist_add(names, name);
	int r = -errno;
	closedir(dir);
	return r;
}

int directory_is_empty(int dir_fd)
{
	DIR *dir = open_again(dir_fd);

	if (!dir)
		return -errno;
	bool is_empty = !next_name(dir);
	int code = is_empty ? errno : 0;
	closedir(dir);
	return code ? -code : is_empty;
}
