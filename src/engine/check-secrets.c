/* Secrets whose values davit keeps itself. Of those that other drivers keep nothing is asked: that might execute commands, or
 * want a passphrase. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/check-internal.h"
#include "engine/engine.h"
#include "engine/secret-driver.h"
#include "engine/secret.h"

static int forget_secret(struct check *check, const char *id, struct err *err)
{
	return secret_remove(check->engine, id, err);
}

static int close_directory(struct check *check, const char *path, struct err *err)
{
	return chmod(path, 0700) < 0 ? err_errno(err, "change the mode of '%s'", path) : 0;
}

static int close_file(struct check *check, const char *path, struct err *err)
{
	return chmod(path, 0600) < 0 ? err_errno(err, "change the mode of '%s'", path) : 0;
}

static int sweep_value(struct check *check, const char *path, struct err *err)
{
	int r = secret_sweep(check->engine, err);

	return r == 0 && access(path, F_OK) == 0
		       ? err_set(err, EBUSY, "it belongs to a secret now, or cannot be removed")
		       : r;
}

static void check_secret(struct check *check, const struct secret *secret)
{
	const struct secret_place place = { check->engine, &secret->options, secret->file };
	autofree char *path = secret_file_path(&place),
		      *object = xasprintf("secret %s", secret->name);
	struct stat st;

	if (lstat(path, &st) < 0 && errno == ENOENT)
		check_found(check, CHECK_FORCE, forget_secret, secret->id, object,
			    "its value is gone; make it again with --replace, or remove it");
	else if (lstat(path, &st) < 0)
		check_found(check, CHECK_FORCE, NULL, secret->id, object, strerror(errno));
	else if (!S_ISREG(st.st_mode) || !st.st_size || st.st_size >= SECRET_SIZE_LIMIT)
		check_found(check, CHECK_FORCE, forget_secret, secret->id, object,
			    "its value is damaged; make it again with --replace, or remove it");
	else if (st.st_mode & 077)
		check_found(check, CHECK_REPAIR, close_file, path, object,
			    "others may read its value");
}

static bool is_value_of(struct secret *const *list, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i]->file, file) == 0)
			return true;
	return false;
}

/* While nobody makes one: a value is there before its record. */
static int list_left_over(struct engine *engine, DIR *dir, struct strlist *names, struct err *err)
{
	struct secret **list;
	size_t count;

	if (flock(dirfd(dir), LOCK_EX | LOCK_NB) < 0)
		return 0;
	int r = secret_list(engine, &list, &count, err);
	if (r < 0)
		return r;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && !is_value_of(list, count, entry->d_name))
			strlist_add(names, entry->d_name);
	secret_list_free(list, count);
	return 0;
}

static int check_directory(struct check *check, struct err *err)
{
	autofree char *place = secret_directory(check->engine);
	autostrlist struct strlist names = STRLIST_EMPTY;
	struct err ignored;
	struct stat st;
	DIR *dir = opendir(place);

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "read '%s'", place);
	if (fstat(dirfd(dir), &st) == 0 && st.st_mode & 077)
		check_found(check, CHECK_REPAIR, close_directory, place, "directory secrets",
			    "others may enter it");
	int r = list_left_over(check->engine, dir, &names, err);
	closedir(dir); /* and with it the lock, which the sweep needs */
	if (names.count)
		(void)secret_sweep(check->engine, &ignored); /* what stays is told */
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		autofree char *path = path_join(place, names.items[i]),
			      *object = xasprintf("file secrets/%.12s…", names.items[i]);
		if (access(path, F_OK) < 0)
			continue;
		check_found(check, CHECK_REPAIR, sweep_value, path, object,
			    "it is the value of no secret");
	}
	return r;
}

int check_secrets(struct check *check, struct err *err)
{
	struct secret **list;
	size_t count;

	int r = secret_list(check->engine, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i]->driver, "file") == 0)
			check_secret(check, list[i]);
	secret_list_free(list, count);
	return check_directory(check, err);
}
