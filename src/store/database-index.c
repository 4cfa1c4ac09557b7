/* SQLite finds pages in the write-ahead log by an index in the "-shm" file (its format: walformat.html). Who opens a
 * database that nobody else has open empties that file and reads the whole log to build it again, for it may be of
 * before a power cut, or of another log. With one process after the other that is every time, about 1 ms per
 * megabyte of log and 0.1 ms for the file.
 *
 * Here the file is kept where both can be ruled out. It ends with the boot it was made in: what a process of this
 * boot has written is what the next one reads, however it ended, and an index that a killed process left half
 * changed is told by its two headers, as it always is among processes. And it has to be the index of this very
 * log: the log's salt and the checksum of the last frame, which is one of all frames up to there, are in both.
 *
 * The emptying is SQLite's only ftruncate(2) to three bytes, and its system calls are there to be replaced
 * (sqlite3_vfs.xSetSystemCall). It happens under the lock that keeps all others out. */
#include "store/database-index.h"

#include <endian.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define EMPTIED_SIZE 3

/* The first part of the index, enough for 4062 frames. A second one would overwrite our mark. */
#define PART_SIZE 32768
#define MARK_SIZE 36

#define INDEX_VERSION	  3007000
#define LOG_HEADER_SIZE	  32
#define FRAME_HEADER_SIZE 24

/* In the byte order of the machine. Stands at the beginning of the file, twice. */
struct index_header {
	uint32_t version, unused, change_count;
	uint8_t is_init, is_big_endian;
	uint16_t page_size;
	uint32_t frame_count, page_count;
	uint32_t frame_checksum[2];
	uint8_t salt[8];
	uint32_t checksum[2];
};

static const char *opened_path;

static bool read_at(int fd, void *data, size_t size, off_t offset)
{
	return pread(fd, data, size, offset) == (ssize_t)size;
}

static bool read_boot_mark(char mark[MARK_SIZE])
{
	autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && fd_read_full(fd, mark, MARK_SIZE) == MARK_SIZE;
}

static bool is_index_of_log(const struct index_header *header)
{
	uint8_t log_header[LOG_HEADER_SIZE], frame[FRAME_HEADER_SIZE];
	uint32_t checksum[2];

	if (header->version != INDEX_VERSION || !header->is_init || header->frame_count == 0)
		return false;
	off_t frame_size = FRAME_HEADER_SIZE + (header->page_size == 1 ? 65536 : header->page_size);
	off_t last = LOG_HEADER_SIZE + (off_t)(header->frame_count - 1) * frame_size;

	autofree char *log_path = xasprintf("%s-wal", opened_path);
	autoclose int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || !read_at(fd, log_header, sizeof(log_header), 0) ||
	    !read_at(fd, frame, sizeof(frame), last))
		return false;
	memcpy(checksum, frame + 16, sizeof(checksum));
	return memcmp(header->salt, log_header + 16, sizeof(header->salt)) == 0 &&
	       memcmp(header->salt, frame + 8, sizeof(header->salt)) == 0 &&
	       header->frame_checksum[0] == be32toh(checksum[0]) &&
	       header->frame_checksum[1] == be32toh(checksum[1]);
}

static bool is_usable(int fd, const char boot[MARK_SIZE])
{
	struct index_header headers[2];
	char mark[MARK_SIZE];

	return read_at(fd, mark, sizeof(mark), PART_SIZE) &&
	       memcmp(mark, boot, sizeof(mark)) == 0 && read_at(fd, headers, sizeof(headers), 0) &&
	       memcmp(&headers[0], &headers[1], sizeof(headers[0])) == 0 &&
	       is_index_of_log(&headers[0]);
}

static int truncate_or_keep(int fd, off_t size)
{
	static const char empty_part[PART_SIZE];
	char boot[MARK_SIZE];

	if (size != EMPTIED_SIZE || !opened_path || !read_boot_mark(boot))
		return ftruncate(fd, size);
	if (is_usable(fd, boot))
		return 0;
	/* Written and not only made larger: a full disk is found out now, and not by who touches the mapping. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, empty_part, PART_SIZE, 0) != PART_SIZE ||
	    pwrite(fd, boot, MARK_SIZE, PART_SIZE) != MARK_SIZE)
		return ftruncate(fd, size);
	return 0;
}

void database_index_keep(const char *path)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	opened_path = path;
	if (path && vfs && vfs->iVersion >= 3)
		(void)vfs->xSetSystemCall(vfs, "ftruncate", (sqlite3_syscall_ptr)truncate_or_keep);
}
