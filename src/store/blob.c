/* Blobs on disk and their rows. */
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sha256.h"
#include "store/database.h"
#include "store/store-internal.h"
#include "store/store.h"

char *blob_path(const struct store *store, const char *digest)
{
	return xasprintf("%s/blobs/sha256/%s", store_root(store), digest_hex(digest));
}

bool blob_is_present(struct store *store, const char *digest)
{
	struct err err = { 0 };
	autostatement struct statement *stmt = NULL;
	struct stat st;

	if (database_prepare(
		    store_database(store),
		    "SELECT size_bytes FROM blobs WHERE digest = ? AND (synced OR boot_id = ?)",
		    &stmt, &err) < 0)
		return false;
	statement_bind_text(stmt, 1, digest);
	statement_bind_text(stmt, 2, store_boot_id(store));
	if (statement_step(stmt, &err) <= 0)
		return false;
	int dir_fd = store_directory(store, STORE_BLOBS, &err);
	return dir_fd >= 0 && fstatat(dir_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == statement_int(stmt, 0);
}

static int record(struct store *store, const char *digest, int64_t size, struct err *err)
{
	autostatement struct statement *stmt = NULL;
	int r = database_prepare(store_database(store),
				 "INSERT OR REPLACE INTO blobs(digest, size_bytes, created_nsec, "
				 "synced, boot_id) VALUES(?, ?, ?, 0, ?)",
				 &stmt, err);

	if (r < 0)
		return r;
	statement_bind_text(stmt, 1, digest);
	statement_bind_int(stmt, 2, size);
	statement_bind_int(stmt, 3, timestamp_now_nsec());
	statement_bind_text(stmt, 4, store_boot_id(store));
	return statement_run(stmt, err);
}

int blob_adopt(struct store *store, int from_dir_fd, const char *from_name, const char *digest,
	       struct err *err)
{
	struct stat st;
	int dir_fd = store_directory(store, STORE_BLOBS, err);

	if (dir_fd < 0)
		return dir_fd;
	/* Another pull of the same blob may just have done so. */
	if (renameat(from_dir_fd, from_name, dir_fd, digest_hex(digest)) < 0 && errno != ENOENT)
		return err_errno(err, "blob '%s': move '%s' into the store", digest, from_name);
	if (fstatat(dir_fd, digest_hex(digest), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "blob '%s': find '%s'", digest, from_name);
	return record(store, digest, st.st_size, err);
}

int blob_write(struct store *store, const void *data, size_t size, char *digest, struct err *err)
{
	int r = sha256_digest(data, size, digest, err);
	int dir_fd = r < 0 ? r : store_directory(store, STORE_BLOBS, err);

	if (dir_fd < 0)
		return dir_fd;
	if (blob_is_present(store, digest))
		return 0;
	r = file_write(dir_fd, digest_hex(digest), data, size, 0600, 0, err);
	if (r < 0)
		return err_wrap(err, "blob '%s'", digest);
	return record(store, digest, (int64_t)size, err);
}

static char *draft_name(void)
{
	char random[17];

	random_hex(random, 8);
	return xasprintf(".tmp-%s", random);
}

int blob_draft_begin(struct store *store, struct blob_draft *ret_draft, struct err *err)
{
	autofree char *name = NULL;
	int dir_fd = store_directory(store, STORE_BLOBS, err);

	if (dir_fd < 0)
		return dir_fd;
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		name = draft_name();
		fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return err_errno(err, "create a blob in the store");
	*ret_draft = (struct blob_draft){ .fd = fd, .name = take_ptr(&name) };
	return 0;
}

int blob_draft_adopt(struct store *store, struct blob_draft *draft, const char *digest,
		     struct err *err)
{
	int dir_fd = store_directory(store, STORE_BLOBS, err);

	if (dir_fd < 0)
		return dir_fd;
	/* A link cannot replace what a crash may have left under the blob's name, a renaming can. */
	if (!draft->name) {
		autofree char *name = draft_name(),
			      *self = xasprintf("/proc/self/fd/%d", draft->fd);
		if (linkat(AT_FDCWD, self, dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
			return err_errno(err, "blob '%s': give it a name", digest);
		draft->name = take_ptr(&name);
	}
	int r = blob_adopt(store, dir_fd, draft->name, digest, err);
	if (r == 0) {
		free(draft->name);
		draft->name = NULL;
	}
	return r;
}

void blob_draft_end(struct store *store, struct blob_draft *draft)
{
	struct err ignored; /* a file of this kind of name is swept later */
	int dir_fd = draft->name ? store_directory(store, STORE_BLOBS, &ignored) : -1;

	if (dir_fd >= 0)
		(void)unlinkat(dir_fd, draft->name, 0);
	free(draft->name);
	draft->name = NULL;
	fd_close(&draft->fd);
}

int blob_open(struct store *store, const char *digest, int *ret_fd, int64_t *ret_size,
	      struct err *err)
{
	struct stat st;
	int dir_fd = store_directory(store, STORE_BLOBS, err);

	if (dir_fd < 0)
		return dir_fd;
	autoclose int fd = openat(dir_fd, digest_hex(digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ENOENT,
			       "blob '%s' is not in the store any more; pull the image again",
			       digest);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "open blob '%s'", digest);
	*ret_size = st.st_size;
	*ret_fd = take_fd(&fd);
	return 0;
}

int blob_read(struct store *store, const char *digest, size_t limit, struct strbuf *ret_data,
	      struct err *err)
{
	autoclose int fd = -1;
	int64_t size;
	char found[DIGEST_TEXT_SIZE];
	int r = blob_open(store, digest, &fd, &size, err);

	if (r < 0)
		return r;
	r = fd_read_all(fd, ret_data, limit);
	if (r < 0)
		return err_set(err, -r, "read blob '%s': %s", digest, strerror(-r));
	r = sha256_digest(strbuf_text(ret_data), ret_data->size, found, err);
	if (r < 0)
		return r;
	if (strcmp(found, digest) != 0)
		return err_set(
			err, EBADMSG,
			"blob '%s' in the store is damaged (it is '%s'); pull the image again",
			digest, found);
	return 0;
}
