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

/* A header that the writer would not make, and its data. `magic` has 8 bytes. */
static __attribute__((unused)) void build_raw(struct strbuf *archive, const char *name, char type,
					      const char *magic, const void *data, size_t size)
{
	char header[512] = { 0 };
	unsigned sum = 0;

	snprintf(header, 100, "%s", name);
	memcpy(header + 100, "0000644", 7);
	memcpy(header + 108, "0000000", 7);
	memcpy(header + 116, "0000000", 7);
	char octal[32];
	snprintf(octal, sizeof(octal), "%011zo", size);
	memcpy(header + 124, octal, 11);
	memcpy(header + 136, "00000000001", 11);
	header[156] = type;
	memcpy(header + 257, magic, 8);
	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	strbuf_add(archive, header, 512);
	if (data) {
		static const char zeros[512];
		strbuf_add(archive, data, size);
		strbuf_add(archive, zeros, -size & 511);
	}
}

/* Make the checksum of the header at `at` right again. */
static __attribute__((unused)) void build_sum(struct strbuf *archive, size_t at)
{
	char *header = archive->data + at;
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
}

#define USTAR "ustar\00000"
#define GNU   "ustar  "

/* A pax header of type 'x' or 'g'; `lines` are "key=value\n", their lengths are put in front. */
static __attribute__((unused)) void build_pax(struct strbuf *archive, char type, const char *lines)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		size_t size = (size_t)(end - lines) + 2, total = size + 1;
		while ((size_t)snprintf(NULL, 0, "%zu", total) + size > total)
			total++;
		strbuf_addf(&text, "%zu %.*s\n", total, (int)(end - lines), lines);
	}
	build_raw(archive, "pax", type, USTAR, text.data, text.size);
}

/* Hands out an archive in memory in pieces of `step` bytes. */
struct memory_source {
	const char *data;
	size_t size, at, step;
};

static __attribute__((unused)) ssize_t memory_next(void *arg, const void **ret_data,
						   struct err *err)
{
	struct memory_source *source = arg;
	size_t left = source->size - source->at;
	size_t n = left < source->step ? left : source->step;

	(void)err;
	*ret_data = source->data + source->at;
	source->at += n;
	return (ssize_t)n;
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

/* Be root of a user namespace with one ID: the same for all who run the tests. */
static __attribute__((unused)) void become_root(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];

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
