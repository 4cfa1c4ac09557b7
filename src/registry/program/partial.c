#include "registry/program/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define READ_STEP ((size_t)1024 * 1024) /* bytes hashed between two looks at the network */

void partial_init(struct partial *partial, int directory_fd, const char *digest, int64_t size)
{
	*partial = (struct partial){ .directory_fd = directory_fd, .fd = -1, .size = size };
	strncat(partial->digest, digest, sizeof(partial->digest) - 1);
	partial->name = xasprintf("sha256-%s.partial", partial->digest + 7);
}

void partial_clear(struct partial *partial)
{
	fd_close(&partial->fd);
	free(partial->name);
	sha256_free(partial->hash);
	*partial = (struct partial){ .fd = -1 };
}

/* Whether the name still leads to the file we have open. */
static bool is_in_place(const struct partial *partial, bool *ret_gone)
{
	struct stat ours, named;

	*ret_gone = fstatat(partial->directory_fd, partial->name, &named, AT_SYMLINK_NOFOLLOW) < 0;
	return !*ret_gone && fstat(partial->fd, &ours) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

int partial_open(struct partial *partial, struct err *err)
{
	bool gone;

	if (!partial->hash) {
		int r = sha256_new(&partial->hash, err);
		if (r < 0)
			return r;
	}
	if (partial->fd < 0) {
		int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (partial->waited ? 0 : O_CREAT);
		partial->fd = openat(partial->directory_fd, partial->name, flags, 0600);
		if (partial->fd < 0 && errno == ENOENT && partial->waited)
			return err_set(err, EEXIST, "another process finished blob %s",
				       partial->digest);
		if (partial->fd < 0)
			return err_errno(err, "open '%s' in the download directory", partial->name);
	}
	if (flock(partial->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, "lock '%s'", partial->name);
		partial->waited = true;
		return 0;
	}
	if (!is_in_place(partial, &gone)) {
		fd_close(&partial->fd);
		if (gone && partial->waited)
			return err_set(err, EEXIST, "another process finished blob %s",
				       partial->digest);
		return 0; /* try again with what is there now */
	}

	struct stat st;
	if (fstat(partial->fd, &st) < 0)
		return err_errno(err, "look at '%s'", partial->name);
	if (st.st_size > partial->size)
		return partial_restart(partial, err) < 0 ? -err->code : 1;
	partial->old_size = st.st_size;
	partial->hashed = 0;
	(void)lseek(partial->fd, 0, SEEK_SET);
	return 1;
}

int partial_read_old(struct partial *partial, struct err *err)
{
	static char data[READ_STEP];

	if (partial->hashed >= partial->old_size)
		return 0;
	ssize_t n = pread(partial->fd, data, sizeof(data), partial->hashed);
	if (n <= 0) {
		if (n == 0)
			errno = EIO;
		return err_errno(err, "read '%s'", partial->name);
	}
	if (n > partial->old_size - partial->hashed)
		n = (ssize_t)(partial->old_size - partial->hashed);
	sha256_update(partial->hash, data, (size_t)n);
	partial->hashed += n;
	(void)lseek(partial->fd, partial->hashed, SEEK_SET);
	return partial->hashed < partial->old_size;
}

int partial_append(struct partial *partial, const void *data, size_t size, struct err *err)
{
	if ((int64_t)size > partial->size - partial->hashed)
		return err_set(err, EBADMSG,
			       "blob %s was altered: it is longer than the %lld bytes that its "
			       "manifest tells; try again, or pull it from elsewhere",
			       partial->digest, (long long)partial->size);
	int r = fd_write_all(partial->fd, data, size);
	if (r == -ENOSPC || r == -EDQUOT)
		return err_set(err, ENOSPC,
			       "blob %s: no space is left on the file system of the store; free "
			       "some space, for example with 'davit image prune', or use a store "
			       "elsewhere with --root",
			       partial->digest);
	if (r < 0) {
		errno = -r;
		return err_errno(err, "write '%s' in the download directory", partial->name);
	}
	sha256_update(partial->hash, data, size);
	partial->hashed += (int64_t)size;
	return 0;
}

int partial_restart(struct partial *partial, struct err *err)
{
	char ignored[DIGEST_TEXT_SIZE];

	sha256_finish_digest(partial->hash, ignored);
	partial->hashed = partial->old_size = 0;
	if (ftruncate(partial->fd, 0) < 0 || lseek(partial->fd, 0, SEEK_SET) < 0)
		return err_errno(err, "empty '%s'", partial->name);
	return 0;
}

int partial_check(struct partial *partial, struct err *err)
{
	char digest[DIGEST_TEXT_SIZE];

	sha256_finish_digest(partial->hash, digest);
	if (strcmp(digest, partial->digest) != 0)
		return err_set(
			err, EBADMSG,
			"blob %s was altered: what came has the digest %s; try again, or pull it "
			"from elsewhere",
			partial->digest, digest);
	return 0;
}

void partial_remove(struct partial *partial)
{
	if (partial->fd >= 0) /* only who holds the lock may */
		(void)unlinkat(partial->directory_fd, partial->name, 0);
}
