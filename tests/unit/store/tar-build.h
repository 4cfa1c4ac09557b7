/* Archives made by hand for tests, and a place to unpack them as root of something. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "store/tar.h"

static int build_write(void *arg, const void *data, size_t size, struct err *err)
{
	(void)err;
	strbuf_add(arg, data, size);
	return 0;
}

/* Append one entry by the writer; `data` may be NULL. */
static void build_entry(struct strbuf *archive, struct tar_entry entry, const char *data)
{
	struct tar_sink sink = { .write = build_write, .arg = archive };
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	struct err err;

	entry.size = data ? strlen(data) : 0;
	if (!entry.link)
		entry.link = "";
	assert_int_equal(tar_writer_entry(writer, &entry, &err), 0);
	if (data)
		assert_int_equal(tar_writer_data(writer, data, strlen(data), &err), 0);
	/* The padding only: entries are strung together, the end comes by build_end(). */
	size_t padding = -archive->size & 511;
	static const char zeros[512];
	strbuf_add(archive, zeros, padding);
}

static __attribute__((unused)) void build_file(struct strbuf *archive, const char *path,
					       const char *data)
{
	build_entry(
		archive,
		(struct tar_entry){
			.type = TAR_FILE, .path = path, .mode = 0644, .mtime = { 1000000000, 0 } },
		data);
}

static __attribute__((unused)) void build_directory(struct strbuf *archive, const char *path,
						    mode_t mode)
{
	build_entry(archive,
		    (struct tar_entry){ .type = TAR_DIRECTORY,
					.path = path,
					.mode = mode,
					.mtime = { 1000000000, 123456789 } },
		    NULL);
}

static __attribute__((unused)) void build_link(struct strbuf *archive, enum tar_type type,
					       const char *path, const char *target)
{
	build_entry(archive,
		    (struct tar_entry){ .type = type,
					.path = path,
					.link = target,
					.mode = 0777,
					.mtime = { 1000000000, 0 } },
		    NULL);
}

static __attribute__((unused)) void build_end(struct strbuf *archive)
{
	static const char zeros[1024];

	strbuf_add(archive, zeros, sizeof(zeros));
}

static __attribute__((unused)) void write_proc(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* Be root, at least of a user namespace with one ID, as workers are. */
static __attribute__((unused)) void become_root(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];

	if (uid == 0)
		return;
	assert_int_equal(unshare(CLONE_NEWUSER), 0);
	write_proc("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	write_proc("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	write_proc("/proc/self/gid_map", map);
}

/* A new directory below $TMPDIR or /tmp, opened; its path goes to `path`. */
static __attribute__((unused)) int make_place(char *path, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(path, size, "%s/davit-test-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(path));
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static __attribute__((unused)) void remove_place(const char *path, int fd)
{
	struct err err;

	close(fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, path, &err), 0);
}
