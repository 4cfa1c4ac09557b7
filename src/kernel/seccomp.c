/* Filters, from the cache or made anew.
 *
 * A cached filter is one file, named by a hash of its key:
 *
 *	struct header | key | instructions
 *
 * The key says everything that the filter was made from: the profile's path, inode, size and
 * times, the capabilities, the architecture, the kernel's release (profiles may ask for a minimal
 * one) and our own version. A start costs one look at the profile and one read of that file. The
 * cache is a directory of the user's, yet what it holds decides over what containers may do: a file
 * that somebody else could have written, or that does not fit its checksum, is made anew. */
#include "kernel/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "kernel/seccomp-profile.h"

#define MAGIC		  0x66626444U /* "Ddbf" */
#define GENERATION	  3	      /* of what the compiler makes and of the file's form */
#define MAX_PROFILE_BYTES (1 << 20)
#define MAX_CACHED_FILES  64
#define NAME_PREFIX	  "seccomp-"

struct header {
	uint32_t magic;
	uint32_t flags;
	uint32_t key_size;
	uint32_t count;	   /* of instructions */
	uint64_t checksum; /* of all that follows */
};

/* The hosts' own defaults, the administrator's first. */
static const char *const host_profiles[] = {
	"/etc/containers/seccomp.json",
	"/usr/share/containers/seccomp.json",
};

static uint64_t hash(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t value = 0xcbf29ce484222325U;

	for (size_t i = 0; i < size; i++)
		value = (value ^ bytes[i]) * 0x100000001b3U;
	return value;
}

/* ---- the key ---- */

static void write_key(struct strbuf *key, const char *path, const struct stat *st,
		      uint64_t capabilities)
{
	struct utsname host = { 0 };

	(void)uname(&host); /* cannot fail */
	strbuf_addf(key, "davit " DAVIT_VERSION " generation %d %s %s capabilities %llx ",
		    GENERATION, host.machine, host.release, (unsigned long long)capabilities);
	if (path)
		strbuf_addf(
			key, "file %s device %llx inode %llu size %lld time %lld.%09ld %lld.%09ld",
			path, (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
			(long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			(long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	else
		strbuf_addf(key, "built-in %d", SECCOMP_DEFAULT_VERSION);
}

/* ---- the cache ---- */

static void cache_name(const struct strbuf *key, char name[48])
{
	snprintf(name, 48, NAME_PREFIX "%016llx", (unsigned long long)hash(key->data, key->size));
}

/* Whether the file's content can be taken for our own; `data` is all of it. */
static bool cache_content_is_valid(const struct strbuf *data, const struct strbuf *key)
{
	struct header header;

	if (data->size < sizeof(header))
		return false;
	memcpy(&header, data->data, sizeof(header));
	return header.magic == MAGIC && header.key_size == key->size && header.count > 0 &&
	       header.count <= BPF_MAXINSNS &&
	       data->size ==
		       sizeof(header) + key->size + header.count * sizeof(struct sock_filter) &&
	       memcmp(data->data + sizeof(header), key->data, key->size) == 0 &&
	       hash(data->data + sizeof(header), data->size - sizeof(header)) == header.checksum;
}

static bool cache_read(int dir_fd, const struct strbuf *key, struct seccomp_filter *ret_filter)
{
	autostrbuf struct strbuf data = STRBUF_EMPTY;
	struct header header;
	struct stat st;
	char name[48];

	cache_name(key, name);
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
	    st.st_size > 1 << 20)
		return false;
	/* One byte more than is there, to see the end without another read. */
	strbuf_reserve(&data, (size_t)st.st_size + 1);
	ssize_t n = read(fd, data.data, (size_t)st.st_size + 1);
	if (n != st.st_size)
		return false;
	data.size = (size_t)n;
	if (!cache_content_is_valid(&data, key))
		return false;
	memcpy(&header, data.data, sizeof(header));
	*ret_filter = (struct seccomp_filter){
		.instructions = xmemdup(data.data + sizeof(header) + key->size,
					header.count * sizeof(struct sock_filter)),
		.count = header.count,
		.flags = header.flags,
	};
	return true;
}

/* Filters of profiles that have changed are never looked for again. Rather than knowing which these
 * are, all go when they have become many. */
static void cache_trim(int dir_fd)
{
	autostrlist struct strlist names = STRLIST_EMPTY;

	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0)
			strlist_add(&names, entry->d_name);
	closedir(dir);
	for (size_t i = 0; names.count >= MAX_CACHED_FILES && i < names.count; i++)
		(void)unlinkat(dir_fd, names.items[i], 0); /* only room is lost */
}

/* A cache that cannot be written costs time, no more. */
static void cache_write(int dir_fd, const struct strbuf *key, const struct seccomp_filter *filter)
{
	size_t size = filter->count * sizeof(struct sock_filter);
	autostrbuf struct strbuf data = STRBUF_EMPTY;
	struct header header = {
		.magic = MAGIC,
		.flags = filter->flags,
		.key_size = (uint32_t)key->size,
		.count = (uint32_t)filter->count,
	};
	struct err err = { 0 };
	char name[48];

	strbuf_add(&data, &header, sizeof(header));
	strbuf_add(&data, key->data, key->size);
	strbuf_add(&data, filter->instructions, size);
	header.checksum = hash(data.data + sizeof(header), data.size - sizeof(header));
	memcpy(data.data, &header, sizeof(header));
	cache_name(key, name);
	cache_trim(dir_fd);
	if (file_write(dir_fd, name, data.data, data.size, 0600, 0, &err) < 0)
		log_debug("keep compiled seccomp filter: %s", err.text);
}

/* ---- making it ---- */

static int read_profile(const char *path, struct stat *ret_st, struct strbuf *text, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return err_errno(err, "seccomp profile '%s'", path);
	if (!S_ISREG(ret_st->st_mode))
		return err_set(err, EINVAL, "seccomp profile '%s': not a file", path);
	int r = fd_read_all(fd, text, MAX_PROFILE_BYTES);
	if (r == -EFBIG)
		return err_set(err, EFBIG, "seccomp profile '%s': larger than 1 MiB", path);
	if (r < 0) {
		errno = -r;
		return err_errno(err, "seccomp profile '%s'", path);
	}
	return 0;
}

/* `key` is written anew: the file may have changed since it was looked at. */
static int make_filter(const char *path, uint64_t capabilities, struct strbuf *key,
		       struct seccomp_filter *ret_filter, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct seccomp_profile *profile = NULL;
	struct stat st;
	int r = 0;

	if (path) {
		r = read_profile(path, &st, &text, err);
		if (r < 0)
			return r;
		strbuf_reset(key);
		write_key(key, path, &st, capabilities);
		r = seccomp_profile_parse(strbuf_text(&text), text.size, capabilities, &profile,
					  err);
	} else {
		profile = seccomp_profile_default(capabilities);
	}
	if (r >= 0)
		r = seccomp_profile_compile(profile, ret_filter, err);
	seccomp_profile_free(profile);
	return r < 0 ? err_wrap(err, "seccomp profile '%s'", path ? path : "built-in") : 0;
}

/* Which file it is: the one asked for, the host's, or (NULL) none. */
static int find_profile(const char *asked_path, const char **ret_path, struct stat *ret_st,
			struct err *err)
{
	*ret_path = asked_path;
	if (asked_path)
		return stat(asked_path, ret_st) < 0
			       ? err_errno(err, "seccomp profile '%s'", asked_path)
			       : 0;
	for (size_t i = 0; i < ARRAY_SIZE(host_profiles); i++) {
		if (stat(host_profiles[i], ret_st) == 0) {
			*ret_path = host_profiles[i];
			return 0;
		}
		if (errno != ENOENT && errno != ENOTDIR)
			return err_errno(err, "seccomp profile '%s'", host_profiles[i]);
	}
	return 0;
}

int seccomp_profile_load(const char *asked_path, uint64_t capabilities,
			 struct seccomp_profile **ret_profile, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	const char *path;
	struct stat st;

	int r = find_profile(asked_path, &path, &st, err);
	if (r == 0 && !path) {
		*ret_profile = seccomp_profile_default(capabilities);
		return 0;
	}
	if (r == 0)
		r = read_profile(path, &st, &text, err);
	if (r < 0)
		return r;
	r = seccomp_profile_parse(strbuf_text(&text), text.size, capabilities, ret_profile, err);
	return r < 0 ? err_wrap(err, "seccomp profile '%s'", path) : 0;
}

int seccomp_filter_load(const char *profile_path, uint64_t capabilities, int cache_dir_fd,
			struct seccomp_filter *ret_filter, struct err *err)
{
	autostrbuf struct strbuf key = STRBUF_EMPTY;
	const char *path;
	struct stat st;

	int r = find_profile(profile_path, &path, &st, err);
	if (r < 0)
		return r;
	write_key(&key, path, &st, capabilities);
	if (cache_dir_fd >= 0 && cache_read(cache_dir_fd, &key, ret_filter))
		return 0;
	r = make_filter(path, capabilities, &key, ret_filter, err);
	if (r == 0 && cache_dir_fd >= 0)
		cache_write(cache_dir_fd, &key, ret_filter);
	return r;
}

int seccomp_filter_make(const char *text, size_t size, uint64_t capabilities, int cache_dir_fd,
			struct seccomp_filter *ret_filter, struct err *err)
{
	autostrbuf struct strbuf key = STRBUF_EMPTY;
	struct seccomp_profile *profile = NULL;

	write_key(&key, "", &(struct stat){ 0 }, capabilities);
	strbuf_add(&key, text, size);
	if (cache_dir_fd >= 0 && cache_read(cache_dir_fd, &key, ret_filter))
		return 0;
	int r = seccomp_profile_parse(text, size, capabilities, &profile, err);
	if (r >= 0)
		r = seccomp_profile_compile(profile, ret_filter, err);
	seccomp_profile_free(profile);
	if (r < 0)
		return r;
	if (cache_dir_fd >= 0)
		cache_write(cache_dir_fd, &key, ret_filter);
	return 0;
}

void seccomp_filter_clear(struct seccomp_filter *filter)
{
	free(filter->instructions);
	*filter = (struct seccomp_filter){ 0 };
}
