/* gpg and the user's commands get the value on standard input, from memory, and answer on standard output. What they have to
 * say about a failure goes to our standard error, before ours. */
#include "engine/secret-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/space.h"
#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/secret.h"

#define GPG_ID_SIZE_MAX 4096

/* ---- file ---- */

char *secret_directory(const struct engine *engine)
{
	return path_join(engine->root, "secrets");
}

static char *file_directory(const struct secret_place *place)
{
	const char *path = strlist_env_get(place->options, "path");

	return path ? xstrdup(path) : secret_directory(place->engine);
}

char *secret_file_path(const struct secret_place *place)
{
	autofree char *directory = file_directory(place);

	return path_join(directory, place->key);
}

static int file_check(const struct engine *engine, struct strlist *options, struct err *err)
{
	for (size_t i = 0; i < options->count; i++)
		if (strncmp(options->items[i], "path=/", 6) != 0)
			return err_set(err, EINVAL,
				       "option '%s' of the secret driver file is not known; its "
				       "only one is path=/DIRECTORY",
				       options->items[i]);
	return 0;
}

/* The names in it, and its own, which may be new. */
static int sync_directory(const char *directory, struct err *err)
{
	autoclose int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(err, "write '%s' to the disk", directory);
	autoclose int above_fd = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above_fd >= 0)
		(void)fsync(above_fd); /* one that we may not read was not made by us */
	return 0;
}

static int file_store(const struct secret_place *place, const void *data, size_t size,
		      struct err *err)
{
	autofree char *directory = file_directory(place), *path = secret_file_path(place);

	int r = file_make_dirs(AT_FDCWD, directory, 0700, err);
	if (r == 0)
		r = file_write(AT_FDCWD, path, data, size, 0600, FILE_WRITE_SYNC, err);
	if (r == 0)
		r = sync_directory(directory, err);
	return r < 0 ? space_remedy(strlist_env_get(place->options, "path") ? SPACE_ELSEWHERE
									    : SPACE_STORE,
				    err)
		     : 0;
}

static int file_read_value(const struct secret_place *place, struct strbuf *value, struct err *err)
{
	autofree char *path = secret_file_path(place);

	return file_read(AT_FDCWD, path, value, SECRET_SIZE_LIMIT, err);
}

static int file_remove(const struct secret_place *place, struct err *err)
{
	autofree char *path = secret_file_path(place);

	return unlink(path) < 0 && errno != ENOENT ? err_errno(err, "remove '%s'", path) : 0;
}

/* ---- pass ---- */

static char *pass_path(const struct secret_place *place)
{
	return path_join(strlist_env_get(place->options, "root"), place->key);
}

static char *default_root(const struct engine *engine)
{
	const char *directory = engine_getenv(engine, "PASSWORD_STORE_DIR");

	return directory && *directory == '/' ? xstrdup(directory)
					      : path_join(engine->home, ".password-store");
}

/* The directory's key, or that of the nearest one above it that names one. NULL: nobody does. */
static char *find_key(const char *root)
{
	autofree char *directory = xstrdup(root);

	for (;;) {
		autofree char *path = path_join(directory, ".gpg-id");
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		struct err ignored; /* the next one may */
		if (file_read(AT_FDCWD, path, &text, GPG_ID_SIZE_MAX, &ignored) == 0 && text.size)
			return xstrndup(strbuf_text(&text), strcspn(strbuf_text(&text), "\r\n"));
		char *slash = strrchr(directory, '/');
		if (!slash || slash == directory)
			return NULL;
		*slash = '\0';
	}
}

static int pass_check(const struct engine *engine, struct strlist *options, struct err *err)
{
	for (size_t i = 0; i < options->count; i++)
		if (strncmp(options->items[i], "root=/", 6) != 0 &&
		    (strncmp(options->items[i], "key=", 4) != 0 || !options->items[i][4]) &&
		    strncmp(options->items[i], "gpghomedir=/", 12) != 0)
			return err_set(err, EINVAL,
				       "option '%s' of the secret driver pass is not known; it has "
				       "root=/DIRECTORY, key=KEY and gpghomedir=/DIRECTORY",
				       options->items[i]);
	if (!strlist_env_get(options, "root")) {
		autofree char *root = default_root(engine);
		strlist_env_set(options, "root", root);
	}
	const char *root = strlist_env_get(options, "root");
	if (access(root, W_OK | X_OK) < 0)
		return err_set(err, errno,
			       "secret driver pass: '%s': %s; make it with 'pass init', or give "
			       "--driver-opts root=/DIRECTORY",
			       root, strerror(errno));
	if (!strlist_env_get(options, "key")) {
		autofree char *key = find_key(root);
		if (!key || !*key)
			return err_set(err, ENOENT,
				       "secret driver pass: no .gpg-id in '%s' names a key; give "
				       "--driver-opts key=KEY",
				       root);
		strlist_env_set(options, "key", key);
	}
	return 0;
}

static int gpg(const struct secret_place *place, const char *const *words, const void *data,
	       size_t size, struct strbuf *output, struct err *err)
{
	/* A key that is not there is not looked for in the network. */
	const char *argv[16] = { "gpg", "--quiet", "--batch", "--yes", "--no-auto-key-locate" };
	const char *home = strlist_env_get(place->options, "gpghomedir");
	size_t count = 5;

	if (home) {
		argv[count++] = "--homedir";
		argv[count++] = home;
	}
	for (; *words; words++)
		argv[count++] = *words;
	int r = program_run(&(struct program){ .argv = argv,
					       .environment = place->engine->environment.items,
					       .input = data,
					       .input_size = size,
					       .output_limit = SECRET_SIZE_LIMIT },
			    output, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "secret driver pass: gpg is not there; install gnupg");
	return r > 0 ? err_set(err, EIO,
			       "gpg has failed (status %d); see its messages, and 'gpg "
			       "--list-keys'",
			       r)
		     : r;
}

static int pass_store(const struct secret_place *place, const void *data, size_t size,
		      struct err *err)
{
	autofree char *path = pass_path(place);
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	const char *const words[] = { "--encrypt", "-r", strlist_env_get(place->options, "key"),
				      "-o",	   path, NULL };

	int r = gpg(place, words, data, size, &output, err);
	if (r < 0)
		return r;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno(err, "write '%s' to the disk", path);
	return sync_directory(strlist_env_get(place->options, "root"), err);
}

static int pass_read(const struct secret_place *place, struct strbuf *value, struct err *err)
{
	autofree char *path = pass_path(place);
	const char *const words[] = { "--decrypt", path, NULL };

	if (access(path, F_OK) < 0)
		return err_errno(err, "read '%s'", path);
	return gpg(place, words, NULL, 0, value, err);
}

static int pass_remove(const struct secret_place *place, struct err *err)
{
	autofree char *path = pass_path(place);

	return unlink(path) < 0 && errno != ENOENT ? err_errno(err, "remove '%s'", path) : 0;
}

/* ---- shell ---- */

static const char *const verbs[] = { "delete", "list", "lookup", "store" };

static int shell_check(const struct engine *engine, struct strlist *options, struct err *err)
{
	for (size_t i = 0; i < options->count; i++) {
		const char *text = options->items[i], *equals = strchr(text, '=');
		bool is_known = false;
		for (size_t j = 0; equals && j < ARRAY_SIZE(verbs); j++)
			is_known |= strlen(verbs[j]) == (size_t)(equals - text) &&
				    strncmp(text, verbs[j], strlen(verbs[j])) == 0;
		if (!is_known)
			return err_set(err, EINVAL,
				       "option '%s' of the secret driver shell is not known; it "
				       "has delete=, list=, lookup= and store=, each a command "
				       "without commas",
				       text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const char *command = strlist_env_get(options, verbs[i]);
		if (!command || !*command)
			return err_set(err, EINVAL,
				       "the secret driver shell needs the commands delete, list, "
				       "lookup and store; give --driver-opts '%s=COMMAND'",
				       verbs[i]);
	}
	return 0;
}

static int shell(const struct secret_place *place, const char *verb, const void *data, size_t size,
		 struct strbuf *output, struct err *err)
{
	autostrlist struct strlist environment = STRLIST_EMPTY;
	const char *const argv[] = { "/bin/sh", "-c", strlist_env_get(place->options, verb), NULL };

	strlist_extend(&environment, &place->engine->environment);
	strlist_env_set(&environment, "SECRET_ID", place->key);
	int r = program_run(&(struct program){ .argv = argv,
					       .environment = environment.items,
					       .input = data,
					       .input_size = size,
					       .output_limit = SECRET_SIZE_LIMIT },
			    output, err);
	return r > 0 ? err_set(err, EIO,
			       "the driver's %s command has failed (status %d, SECRET_ID=%s)", verb,
			       r, place->key)
		     : r;
}

static int shell_store(const struct secret_place *place, const void *data, size_t size,
		       struct err *err)
{
	autostrbuf struct strbuf output = STRBUF_EMPTY;

	return shell(place, "store", data, size, &output, err);
}

static int shell_read(const struct secret_place *place, struct strbuf *value, struct err *err)
{
	return shell(place, "lookup", NULL, 0, value, err);
}

/* Only the driver's own list tells that a value is gone, and not just out of reach at the moment. */
static bool is_listed(const struct secret_place *place)
{
	autostrbuf struct strbuf output = STRBUF_EMPTY;
	autostrlist struct strlist keys = STRLIST_EMPTY;
	struct err ignored; /* then it may be there */

	if (shell(place, "list", NULL, 0, &output, &ignored) < 0)
		return true;
	strlist_split(&keys, strbuf_text(&output), '\n');
	for (size_t i = 0; i < keys.count; i++) {
		const char *key = keys.items[i] + strspn(keys.items[i], " \t");
		if (strncmp(key, place->key, strlen(place->key)) == 0 &&
		    !key[strlen(place->key) + strspn(key + strlen(place->key), " \t\r")])
			return true;
	}
	return false;
}

static int shell_remove(const struct secret_place *place, struct err *err)
{
	autostrbuf struct strbuf output = STRBUF_EMPTY;

	int r = shell(place, "delete", NULL, 0, &output, err);
	return r < 0 && is_listed(place) ? r : 0;
}

const struct secret_driver *secret_driver_find(const char *name)
{
	static const struct secret_driver drivers[] = {
		{ "file", file_check, file_store, file_read_value, file_remove, true },
		{ "pass", pass_check, pass_store, pass_read, pass_remove, false },
		{ "shell", shell_check, shell_store, shell_read, shell_remove, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (strcmp(drivers[i].name, name) == 0)
			return &drivers[i];
	return NULL;
}
