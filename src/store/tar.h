/* Tar archives: a streaming reader that takes hostile bytes, and a deterministic writer.
 *
 * The reader knows ustar, pax (paths, sizes, owners, times with nanoseconds, extended attributes),
 * GNU long names, base-256 numbers and all four GNU ways to write sparse files. Where archives can
 * be read in two ways it reads them as Go's archive/tar does, because that is what made the layers
 * and what other engines see. See pax(1), "pax Interchange Format", and tar(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct err;

enum tar_type {
	TAR_FILE,
	TAR_HARD_LINK,
	TAR_SYMLINK,
	TAR_CHAR_DEVICE,
	TAR_BLOCK_DEVICE,
	TAR_DIRECTORY,
	TAR_FIFO,
};

/* Does it mean the same wherever the archive is unpacked? Users' own, ACLs and file capabilities do. */
bool tar_xattr_is_portable(const char *name);

struct tar_xattr {
	const char *name;
	const void *value;
	size_t size;
};

/* A part of a sparse file that has data. Ascending, without overlap. */
struct tar_extent {
	uint64_t offset, size;
};

struct tar_entry {
	enum tar_type type;
	const char *path; /* as in the archive: may be absolute, empty, hold ".." or end in "/" */
	const char *link; /* of links; "" else */
	uint64_t size;	  /* of the unpacked file, holes included; 0 if not a file */
	mode_t mode;	  /* permission, set-ID and sticky bits only */
	uint32_t uid, gid;
	struct timespec mtime;
	unsigned device_major, device_minor;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	const struct tar_extent *extents; /* NULL when not sparse */
	size_t extent_count;
};

/* Where the archive's bytes come from. `next` hands out one piece after another, each borrowed
 * until the next call. It returns the size, 0 at the end, -errno on failure. */
struct tar_source {
	ssize_t (*next)(void *arg, const void **ret_data, struct err *err);
	void *arg;
};

enum tar_reader_flags {
	/* Check global pax headers but do not apply them: what every engine does with layers. */
	TAR_READER_IGNORE_GLOBALS = 1 << 0,
};

struct tar_reader;

struct tar_reader *tar_reader_new(const struct tar_source *source, enum tar_reader_flags flags);
void tar_reader_free(struct tar_reader *reader);

/* Go to the next entry; what is left of the data of the one before is passed over. Returns 1 and
 * an entry that is borrowed until the next call, 0 at the end of the archive, -EBADMSG for what is
 * not a tar archive or ends too early, or what the source returned. */
int tar_reader_next(struct tar_reader *reader, const struct tar_entry **ret_entry, struct err *err);

/* The next piece of the current file and its place in it, borrowed until the next call. Holes are
 * passed over. Returns its size, 0 at the end of the file, -errno. */
ssize_t tar_reader_data(struct tar_reader *reader, const void **ret_data, uint64_t *ret_offset,
			struct err *err);

/* Take whatever follows the end of the archive, so that a source that hashes has seen it all. */
int tar_reader_drain(struct tar_reader *reader, struct err *err);

/* A source that reads a descriptor, which is borrowed. */
struct tar_fd_source;
struct tar_fd_source *tar_fd_source_new(int fd, struct tar_source *ret_source);
void tar_fd_source_free(struct tar_fd_source *source);

/* Where a written archive goes. */
struct tar_sink {
	int (*write)(void *arg, const void *data, size_t size, struct err *err);
	void *arg;
	/* Take up to `size` bytes of a file from `offset` on without the writer seeing them. Returns how
	 * many, 0 at the end of the file; -EOPNOTSUPP: read and write them. NULL: always so. */
	ssize_t (*copy)(void *arg, int fd, uint64_t offset, uint64_t size, struct err *err);
};

struct tar_writer;

struct tar_writer *tar_writer_new(const struct tar_sink *sink);
void tar_writer_free(struct tar_writer *writer);

/* Begin an entry: ustar, with a pax header in front where ustar cannot say it. Files are followed
 * by exactly `size` bytes in tar_writer_data() or tar_writer_copy(); with `extents` by just the
 * bytes of those, and the holes are written as GNU's sparse format 1.0 has them. The same entries
 * give the same bytes, whatever the order of xattrs. */
int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err);
int tar_writer_data(struct tar_writer *writer, const void *data, size_t size, struct err *err);
/* `size` bytes of the file `fd` from `offset` on. Where the file has become shorter zeros follow, so
 * that the archive stays whole; *ret_missing (may be NULL) tells how many. */
int tar_writer_copy(struct tar_writer *writer, int fd, uint64_t offset, uint64_t size,
		    uint64_t *ret_missing, struct err *err);
/* Write the end of the archive. -EINVAL if the last file lacks data. */
int tar_writer_finish(struct tar_writer *writer, struct err *err);

/* A sink that writes to a descriptor: .arg = &fd. */
int tar_sink_write_fd(void *fd_pointer, const void *data, size_t size, struct err *err);

/* A sink for a descriptor that collects what is small and lets the kernel copy what is large: for
 * whole trees. The descriptor is borrowed. What is collected is written by tar_fd_sink_flush(). */
struct tar_fd_sink;
struct tar_fd_sink *tar_fd_sink_new(int fd, struct tar_sink *ret_sink);
int tar_fd_sink_flush(struct tar_fd_sink *sink, struct err *err);
void tar_fd_sink_free(struct tar_fd_sink *sink);

static inline void tar_reader_free_auto(struct tar_reader **at)
{
	tar_reader_free(*at);
}
#define autotarreader __attribute__((cleanup(tar_reader_free_auto)))

static inline void tar_fd_sink_free_auto(struct tar_fd_sink **at)
{
	tar_fd_sink_free(*at);
}
#define autotarfdsink __attribute__((cleanup(tar_fd_sink_free_auto)))

static inline void tar_writer_free_auto(struct tar_writer **at)
{
	tar_writer_free(*at);
}
#define autotarwriter __attribute__((cleanup(tar_writer_free_auto)))
