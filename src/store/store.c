/* Opening the store and what belongs to all of it: directories, locks, trash and sweeping.
 *
 * What is deleted is renamed into tmp/trash while the database says so, and removed afterwards: a
 * reader never sees half a layer, and a process that dies leaves nothing but trash. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "store/database.h"
#include "store/store-internal.h"

#define DAY_NSEC (24LL * 3600 * 1000000000)

static const char *const directory_names[] = {
	[STORE_BLOBS] = "blobs/sha256",	   [STORE_LAYERS] = "layers",
	[STORE_CONTAINERS] = "containers", [STORE_VOLUMES] = "volumes",
	[STORE_CACHE] = "cache",	   [STORE_TMP] = "tmp",
	[STORE_PULL] = "tmp/pull",	   [STORE_TRASH] = "tmp/trash",
	[STORE_LOCKS] = "locks",
};
_Static_assert(ARRAY_SIZE(directory_names) == STORE_DIRECTORY_COUNT, "a name for every directory");

struct store {
	char *root;
	int root_fd;
	int directory_fds[STORE_DIRECTORY_COUNT]; /* -1 until asked for */
	struct database *db;
	bool is_rootless;
	char boot_id[37];
};

struct database *store_database(struct store *store)
{
	return store->db;
}

const char *store_root(const struct store *store)
{
	return store->root;
}

int store_root_fd(const struct store *store)
{
	return store->root_fd;
}

bool store_is_rootless(const struct store *store)
{
	return store->is_rootless;
}

/* Root's containers may have a mapping of their own: their processes pass through these directories
 * as others. A user's own processes are the owner. */
static mode_t directory_mode(const struct store *store)
{
	return store->is_rootless ? 0700 : 0711;
}

/* podman and docker keep other things under the same names. */
static int refuse_foreign(const struct store *store, struct err *err)
{
	static const char *const foreign[] = { "overlay-images", "vfs-images", "storage.lock",
					       "libpod",	 "db.sql",     "overlay2",
					       "image/overlay2" };

	if (faccessat(store->root_fd, "davit.db", F_OK, 0) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (faccessat(store->root_fd, foreign[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(err, EUCLEAN,
				       "store '%s' belongs to another container engine (it has "
				       "'%s'); choose another directory with --root",
				       store->root, foreign[i]);
	return 0;
}

int store_open(const char *root, bool is_rootless, struct store **ret_store, struct err *err)
{
	autostore struct store *store = xcalloc(1, sizeof(*store));

	store->root = xstrdup(root);
	store->is_rootless = is_rootless;
	store->root_fd = -1;
	for (size_t i = 0; i < STORE_DIRECTORY_COUNT; i++)
		store->directory_fds[i] = -1;

	store->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->root_fd < 0 && errno == ENOENT) {
		int r = file_make_dirs(AT_FDCWD, root, 0755, err);
		if (r >= 0 && chmod(root, directory_mode(store)) < 0)
			r = err_errno(err, "set the mode of '%s'", root);
		if (r < 0)
			return err_wrap(err, "store '%s'", root);
		store->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (store->root_fd < 0)
		return err_errno(err, "open store '%s'", root);
	int r = refuse_foreign(store, err);
	if (r < 0)
		return r;

	autofree char *path = path_join(root, "davit.db");
	r = database_open(path, &store->db, err);
	if (r < 0)
		return r;
	*ret_store = take_ptr(&store);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	database_close(store->db);
	for (size_t i = 0; i < STORE_DIRECTORY_COUNT; i++)
		fd_close(&store->directory_fds[i]);
	fd_close(&store->root_fd);
	free(store->root);
	free(store);
}

int store_directory(struct store *store, enum store_directory directory, struct err *err)
{
	int *fd = &store->directory_fds[directory];
	const char *name = directory_names[directory];

	if (*fd >= 0)
		return *fd;
	*fd = openat(store->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT) {
		int r = file_make_dirs(store->root_fd, name, directory_mode(store), err);
		if (r < 0)
			return err_wrap(err, "store '%s'", store->root);
		*fd = openat(store->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (*fd < 0)
		return err_errno(err, "open '%s/%s'", store->root, name);
	return *fd;
}

char *store_path(const struct store *store, enum store_directory directory)
{
	return path_join(store->root, directory_names[directory]);
}

char *store_layer_path(const struct store *store, const char *diff_id)
{
	return xasprintf("%s/layers/%s/diff", store->root, digest_hex(diff_id));
}

void store_layer_dirs(const struct store *store, const struct strlist *diff_ids,
		      struct strlist *dirs)
{
	for (size_t i = diff_ids->count; i > 0; i--) {
		autofree char *path = store_layer_path(store, diff_ids->items[i - 1]);
		if (!strlist_contains(dirs, path))
			strlist_take(dirs, take_ptr(&path));
	}
}

const char *digest_hex(const char *digest)
{
	return strncmp(digest, "sha256:", 7) == 0 ? digest + 7 : digest;
}

const char *store_boot_id(struct store *store)
{
	if (!*store->boot_id) {
		autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
		ssize_t size = fd < 0 ? 0 : fd_read_full(fd, store->boot_id, 36);
		if (size != 36)
			memcpy(store->boot_id, "unknown", sizeof("unknown"));
	}
	return store->boot_id;
}

int store_lock(struct store *store, const char *kind, const char *name, enum store_lock_flags flags,
	       int *ret_lock_fd, struct err *err)
{
	autofree char *file = xasprintf("%s-%s", kind, name);
	int operation = (flags & STORE_LOCK_SHARED ? LOCK_SH : LOCK_EX) |
			(flags & STORE_LOCK_NO_WAIT ? LOCK_NB : 0);
	int dir_fd = store_directory(store, STORE_LOCKS, err);

	if (dir_fd < 0)
		return dir_fd;
	for (;;) {
		struct stat ours, current;
		autoclose int fd =
			openat(dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return err_errno(err, "lock %s '%s'", kind, name);
		while (flock(fd, operation) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EWOULDBLOCK)
				return err_set(err, EWOULDBLOCK,
					       "%s '%s' is in use by another command", kind, name);
			return err_errno(err, "lock %s '%s'", kind, name);
		}
		/* A sweep may have removed the file while we waited: lock the one that counts. */
		if (fstat(fd, &ours) == 0 &&
		    fstatat(dir_fd, file, &current, AT_SYMLINK_NOFOLLOW) == 0 &&
		    ours.st_ino == current.st_ino) {
			*ret_lock_fd = take_fd(&fd);
			return 0;
		}
	}
}

void store_unlock(struct store *store, const char *kind, const char *name, int *lock_fd)
{
	autofree char *file = xasprintf("%s-%s", kind, name);

	/* Who waits for the old file sees that it has gone, and takes a new one. */
	if (*lock_fd >= 0 && store->directory_fds[STORE_LOCKS] >= 0)
		(void)unlinkat(store->directory_fds[STORE_LOCKS], file, 0);
	fd_close(lock_fd);
}

int store_trash(struct store *store, int dir_fd, const char *name, struct err *err)
{
	char random[17];
	int trash_fd = store_directory(store, STORE_TRASH, err);

	if (trash_fd < 0)
		return trash_fd;
	random_hex(random, 8);
	if (renameat(dir_fd, name, trash_fd, random) < 0 && errno != ENOENT)
		return err_errno(err, "move '%s' to the trash", name);
	return 0;
}

bool store_has_trash(struct store *store)
{
	static const enum store_directory places[] = { STORE_TRASH, STORE_LAYERS };
	bool found = false;

	for (size_t i = 0; !found && i < ARRAY_SIZE(places); i++) {
		autostrlist struct strlist names = STRLIST_EMPTY;
		autoclose int fd = openat(store->root_fd, directory_names[places[i]],
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			(void)directory_list(fd, &names);
		for (size_t j = 0; !found && j < names.count; j++)
			found = places[i] == STORE_TRASH || strncmp(names.items[j], "tmp-", 4) == 0;
	}
	return found;
}

int store_empty_trash(struct store *store, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	autoclose int fd = openat(store->root_fd, directory_names[STORE_TRASH],
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open the trash of '%s'", store->root);
	int listed = directory_list(fd, &names);
	if (listed < 0)
		return err_set(err, -listed, "read the trash of '%s': %s", store->root,
			       strerror(-listed));
	for (size_t i = 0; i < names.count; i++) {
		struct err own = { 0 };
		int r = file_remove_tree(fd, names.items[i], &own);
		if (r < 0 && result >= 0) {
			*err = own;
			result = r;
		}
	}
	return result;
}

int store_begin_pull(struct store *store, int *ret_lock_fd, struct err *err)
{
	return store_lock(store, "pull", "any", STORE_LOCK_SHARED, ret_lock_fd, err);
}

static int64_t age_nsec_of(int dir_fd, const char *name, int64_t now)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return now - (st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec);
}

/* Rows that nothing refers to, and their files. */
static int sweep_unreferenced(struct store *store, const char *select, const char *delete,
			      enum store_directory directory, int64_t before_nsec, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	autostatement struct statement *query = NULL, *removal = NULL;
	int dir_fd = store_directory(store, directory, err);
	int r = dir_fd;

	database_makes_room(store->db);
	if (r >= 0)
		r = database_begin(store->db, err);
	if (r < 0)
		return r;
	autorollback struct database *transaction = store->db;

	r = database_prepare(store->db, select, &query, err);
	if (r < 0)
		return r;
	statement_bind_int(query, 1, before_nsec);
	while ((r = statement_step(query, err)) > 0)
		strlist_add(&names, statement_text(query, 0));
	if (r < 0)
		return r;
	for (size_t i = 0; i < names.count; i++) {
		r = removal ? 0 : database_prepare(store->db, delete, &removal, err);
		if (r < 0)
			return r;
		statement_bind_text(removal, 1, names.items[i]);
		r = statement_run(removal, err);
		if (r >= 0)
			r = store_trash(store, dir_fd, digest_hex(names.items[i]), err);
		if (r < 0)
			return r;
	}
	return database_commit(store->db, err);
}

/* Files that no row knows, from a process that died between the two. */
static void sweep_unknown(struct store *store, const char *select, enum store_directory directory,
			  int64_t age_nsec)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct err err = { 0 };
	int64_t now = timestamp_now_nsec();
	int dir_fd = store_directory(store, directory, &err);

	if (dir_fd < 0)
		return;
	(void)directory_list(dir_fd, &names); /* the next sweep may see more */
	for (size_t i = 0; i < names.count; i++) {
		autostatement struct statement *stmt = NULL;
		autofree char *digest = xasprintf("sha256:%s", names.items[i]);

		/* "tmp-…" is for layer_sweep() */
		if ((directory == STORE_LAYERS && strncmp(names.items[i], "tmp-", 4) == 0) ||
		    age_nsec_of(dir_fd, names.items[i], now) < age_nsec ||
		    database_prepare(store->db, select, &stmt, &err) < 0)
			continue;
		statement_bind_text(stmt, 1, digest);
		if (statement_step(stmt, &err) == 0)
			(void)store_trash(store, dir_fd, names.items[i], &err);
	}
}

/* Parts of blobs, which a pull may go on with for a day. */
static void sweep_downloads(struct store *store, int64_t age_nsec)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	int64_t now = timestamp_now_nsec(), limit = age_nsec < DAY_NSEC ? age_nsec : DAY_NSEC;
	struct err ignored;
	int pull_fd = store_directory(store, STORE_PULL, &ignored);

	if (pull_fd < 0 || directory_list(pull_fd, &names) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		if (age_nsec_of(pull_fd, names.items[i], now) >= limit)
			(void)store_trash(store, pull_fd, names.items[i], &ignored);
}

/* Lock files of nobody; the one that the sweep holds stays. */
static void sweep_locks(struct store *store)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct err ignored;
	int lock_dir_fd = store_directory(store, STORE_LOCKS, &ignored);

	if (lock_dir_fd < 0 || directory_list(lock_dir_fd, &names) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		autoclose int fd =
			openat(lock_dir_fd, names.items[i], O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(lock_dir_fd, names.items[i], 0);
	}
}

void store_sweep(struct store *store, int64_t age_nsec)
{
	autoclose int pull_lock = -1;
	struct err err = { 0 };

	if (store_lock(store, "pull", "any", STORE_LOCK_NO_WAIT, &pull_lock, &err) < 0)
		return;

	int64_t before = timestamp_now_nsec() - age_nsec;
	if (sweep_unreferenced(store,
			       "SELECT diff_id FROM layers WHERE created_nsec <= ? AND NOT EXISTS "
			       "(SELECT 1 FROM image_layers l WHERE l.diff_id = layers.diff_id)",
			       "DELETE FROM layers WHERE diff_id = ?", STORE_LAYERS, before,
			       &err) < 0 ||
	    sweep_unreferenced(store,
			       "SELECT digest FROM blobs WHERE created_nsec <= ? AND digest NOT IN "
			       "(SELECT blob_digest FROM image_layers) AND digest NOT IN "
			       "(SELECT digest FROM image_manifests) AND NOT EXISTS "
			       "(SELECT 1 FROM images WHERE 'sha256:' || id = blobs.digest)",
			       "DELETE FROM blobs WHERE digest = ?", STORE_BLOBS, before, &err) < 0)
		log_debug("sweep of '%s': %s", store->root, err.text);
	sweep_unknown(store, "SELECT 1 FROM layers WHERE diff_id = ?", STORE_LAYERS, age_nsec);
	sweep_unknown(store, "SELECT 1 FROM blobs WHERE digest = ?", STORE_BLOBS, age_nsec);
	sweep_downloads(store, age_nsec);
	sweep_locks(store);
}
