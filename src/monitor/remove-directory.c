#include "monitor/remove-directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH = 8, BUFFER_SIZE = 1024 };

static void remove_entry(int dir_fd, const char *name, int depth);

static void remove_children(int fd, int depth)
{
	_Alignas(struct dirent) char buffer[BUFFER_SIZE];
	long n;

	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent *entry = (const struct dirent *)(buffer + at);
			at += entry->d_reclen;
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				remove_entry(fd, entry->d_name, depth);
		}
	}
}

/* Overlay's own directories are closed even to their owner. */
static int open_directory(int dir_fd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, flags);
	return fd;
}

static void remove_entry(int dir_fd, const char *name, int depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY || depth == DEPTH)
		return;
	int fd = open_directory(dir_fd, name);
	if (fd < 0)
		return;
	remove_children(fd, depth + 1);
	close(fd);
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

void remove_directory(const char *path)
{
	remove_entry(AT_FDCWD, path, 0);
}
