/* Removing something writes to the database first, and the log grows by some pages. Where the disk is full that fails,
 * and nothing could ever be removed with davit again. So a file beside the database has some room that means
 * nothing. Who removes, or records an end, gives a piece of it back to the file system when a write finds no room, and
 * writes again; what was removed then makes room for a whole one. Others, who would fill it with more, may not.
 *
 * SQLite's system calls are there to be replaced (sqlite3_vfs.xSetSystemCall), and the log's index grows by them too. */
#include "store/database-spare.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/space.h"

#define SPARE_BYTES (256 << 10)
#define PIECE_BYTES (32 << 10)

static const char *opened_path;
static bool is_allowed, was_taken;

static int open_spare(int flags)
{
	autofree char *path = xasprintf("%s-spare", opened_path);

	return open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

/* Whether it makes sense to write once more. */
static bool take_piece(void)
{
	struct stat st;
	int saved_errno = errno;

	if (!opened_path || !is_allowed || !space_is_short(errno))
		return false;
	autoclose int fd = open_spare(0);
	bool is_taken = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 &&
			ftruncate(fd, st.st_size > PIECE_BYTES ? st.st_size - PIECE_BYTES : 0) == 0;
	was_taken |= is_taken;
	errno = saved_errno;
	return is_taken;
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset)
{
	ssize_t n;

	do
		n = pwrite(fd, data, size, offset);
	while (n < 0 && take_piece());
	return n;
}

static ssize_t write_on(int fd, const void *data, size_t size)
{
	ssize_t n;

	do
		n = write(fd, data, size);
	while (n < 0 && take_piece());
	return n;
}

void database_spare_watch(const char *path)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	opened_path = path;
	was_taken = false;
	if (!path || !vfs || vfs->iVersion < 3)
		return;
	(void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_at);
	(void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_at);
	(void)vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)write_on);
}

void database_spare_allow(void)
{
	is_allowed = true;
}

void database_spare_make(void)
{
	struct stat st;
	autoclose int fd = open_spare(O_CREAT);

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size < SPARE_BYTES &&
	    posix_fallocate(fd, 0, SPARE_BYTES) != 0)
		(void)ftruncate(fd, st.st_size); /* as it was: the next one tries again */
}

void database_spare_restore(void)
{
	if (was_taken)
		database_spare_make();
}
