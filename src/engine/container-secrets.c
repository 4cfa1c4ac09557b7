/* Value number N of the spec's list is the file "secrets/N" of the container's directory. In the run directory,
 * "secrets" is what is seen as /run/secrets, and "secret-N" what is wanted elsewhere. */
#include "engine/container-secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/container-map.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/identity.h"
#include "engine/secret-use.h"
#include "engine/secret.h"
#include "kernel/userns.h"
#include "oci/runtime-config.h"

#define DIRECTORY     "secrets"
#define MOUNT_OPTIONS "bind,rprivate,ro,nosuid,nodev,noexec"

static bool is_elsewhere(const struct secret_use *use)
{
	return use->target[0] == '/';
}

/* ---- making a container ---- */

int container_secrets_add(struct engine *engine, const struct strlist *words,
			  struct container_spec *spec, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->count; i++) {
		autosecret struct secret *secret = NULL;
		struct secret_use use;
		r = secret_use_parse(words->items[i], &use, err);
		if (r < 0)
			return r;
		r = secret_find(engine, use.name, &secret, err);
		if (r == 0) {
			free(use.name);
			use.name = xstrdup(secret->name);
			use.id = xstrdup(secret->id);
			strlist_take(&spec->secrets, secret_use_store(&use));
		}
		secret_use_clear(&use);
	}
	return r;
}

static char *kept_path(const char *directory, size_t number)
{
	return xasprintf("%s/" DIRECTORY "/%zu", directory, number);
}

static int keep_one(struct engine *engine, const char *stored, const char *path, struct err *err)
{
	autosecret struct secret *secret = NULL;
	struct secret_use use;

	int r = secret_use_load(stored, &use, err);
	if (r < 0)
		return r;
	r = secret_load(engine, use.id, &secret, err);
	if (r == 0)
		r = secret_keep(engine, secret, path, err);
	else if (r == -ENOENT)
		r = err_set(err, ENOENT, "secret '%s' is gone; make it again", use.name);
	secret_use_clear(&use);
	return r;
}

int container_secrets_keep(struct engine *engine, const struct container_spec *spec,
			   const char *directory, struct err *err)
{
	autofree char *kept = path_join(directory, DIRECTORY);
	int r = spec->secrets.count ? file_make_dirs(AT_FDCWD, kept, 0700, err) : 0;

	for (size_t i = 0; r == 0 && i < spec->secrets.count; i++) {
		autofree char *path = kept_path(directory, i);
		if (access(path, F_OK) < 0 && errno == ENOENT)
			r = keep_one(engine, spec->secrets.items[i], path, err);
	}
	return r;
}

bool container_secrets_are_missing(const struct container_spec *spec, const char *directory)
{
	for (size_t i = 0; i < spec->secrets.count; i++) {
		autofree char *path = kept_path(directory, i);
		if (access(path, F_OK) < 0 && errno == ENOENT)
			return true;
	}
	return false;
}

/* ---- starting it ---- */

/* Files that belong to others than the caller. */
struct gift {
	char *path;
	uint32_t uid, gid; /* in the caller's mapping */
};

struct gifts {
	struct gift *items;
	size_t count;
};

static int give(void *arg, struct err *err)
{
	const struct gifts *gifts = arg;

	for (size_t i = 0; i < gifts->count; i++)
		if (lchown(gifts->items[i].path, gifts->items[i].uid, gifts->items[i].gid) < 0)
			return err_errno(err, "give '%s' to its owner", gifts->items[i].path);
	return 0;
}

/* Whose it is, in the caller's mapping, where a container without a mapping of its own lives too. */
static int add_gift(struct engine *engine, const struct secret_use *use,
		    const struct container_map *map, const char *path, struct gifts *gifts,
		    struct err *err)
{
	struct identity owner = { .uid = use->uid, .gid = use->gid };
	const struct userns_map *base;

	int r = engine_map(engine, &base, err);
	if (r < 0)
		return r;
	container_map_identity(map, &owner);
	if (owner.uid == UINT32_MAX || owner.gid == UINT32_MAX ||
	    userns_id_to_host(base->uid, base->uid_count, owner.uid) == UINT32_MAX ||
	    userns_id_to_host(base->gid, base->gid_count, owner.gid) == UINT32_MAX)
		return err_set(err, EINVAL,
			       "secret '%s': user %u and group %u are not both mapped in this "
			       "container; see davit-rootless(7)",
			       use->name, use->uid, use->gid);
	/* The caller is number 0 there, and whatever he makes is his. */
	if (owner.uid == 0 && owner.gid == 0)
		return 0;
	gifts->items = xreallocarray(gifts->items, gifts->count + 1, sizeof(*gifts->items));
	gifts->items[gifts->count++] =
		(struct gift){ .path = xstrdup(path), .uid = owner.uid, .gid = owner.gid };
	return 0;
}

static int make_parents(const char *path, struct err *err)
{
	autofree char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	return file_make_dirs(AT_FDCWD, parent, 0755, err);
}

static int write_one(const char *from, const char *path, mode_t mode, struct err *err)
{
	autostrbuf struct strbuf value = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, from, &value, SECRET_SIZE_LIMIT, err);
	if (r == 0)
		r = make_parents(path, err);
	if (r == 0)
		r = file_write(AT_FDCWD, path, value.data, value.size, mode, FILE_WRITE_IN_PLACE,
			       err);
	if (r == 0 && chmod(path, mode) < 0) /* whatever the umask is */
		r = err_errno(err, "change the mode of '%s'", path);
	if (value.size)
		explicit_bzero(value.data, value.size);
	return r;
}

static char *written_path(const char *run_dir, const struct secret_use *use, size_t number)
{
	return is_elsewhere(use) ? xasprintf("%s/secret-%zu", run_dir, number)
				 : xasprintf("%s/" DIRECTORY "/%s", run_dir, use->target);
}

static int write_all(struct engine *engine, const struct container_spec *spec,
		     const struct container_map *map, const char *directory, const char *run_dir,
		     struct gifts *gifts, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->secrets.count; i++) {
		struct secret_use use;
		r = secret_use_load(spec->secrets.items[i], &use, err);
		if (r < 0)
			break;
		if (!use.is_env) {
			autofree char *from = kept_path(directory, i),
				      *path = written_path(run_dir, &use, i);
			r = write_one(from, path, use.mode, err);
			if (r == 0)
				r = add_gift(engine, &use, map, path, gifts, err);
			if (r < 0)
				err_wrap(err, "secret '%s'", use.name);
		}
		secret_use_clear(&use);
	}
	return r;
}

int container_secrets_write(struct engine *engine, const struct container_spec *spec,
			    const struct container_map *map, const char *directory,
			    const char *run_dir, struct err *err)
{
	struct gifts gifts = { 0 };

	int r = write_all(engine, spec, map, directory, run_dir, &gifts, err);
	if (r == 0 && gifts.count)
		r = engine_run_mapped(engine, give, &gifts, err);
	for (size_t i = 0; i < gifts.count; i++)
		free(gifts.items[i].path);
	free(gifts.items);
	return r;
}

int container_secrets_plan(const struct container_spec *spec, const char *run_dir,
			   struct oci_runtime_config *config, struct err *err)
{
	bool has_directory = false;

	for (size_t i = 0; i < spec->secrets.count; i++) {
		struct secret_use use;
		int r = secret_use_load(spec->secrets.items[i], &use, err);
		if (r < 0)
			return r;
		if (!use.is_env && (is_elsewhere(&use) || !has_directory)) {
			autofree char *path = is_elsewhere(&use) ? written_path(run_dir, &use, i)
								 : path_join(run_dir, DIRECTORY);
			oci_runtime_config_add_mount(
				config, is_elsewhere(&use) ? use.target : SECRETS_TARGET, "bind",
				path, MOUNT_OPTIONS);
			has_directory |= !is_elsewhere(&use);
		}
		secret_use_clear(&use);
	}
	return 0;
}

/* ---- variables ---- */

static int add_variable(const char *from, const struct secret_use *use, struct strlist *env,
			struct err *err)
{
	autostrbuf struct strbuf value = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, from, &value, SECRET_SIZE_LIMIT, err);
	if (r == 0 && memchr(strbuf_text(&value), '\0', value.size))
		r = err_set(err, EINVAL,
			    "it holds a zero byte, which no variable can; use type=mount");
	if (r == 0)
		strlist_env_set(env, use->target, strbuf_text(&value));
	if (value.size)
		explicit_bzero(value.data, value.size);
	return r < 0 ? err_wrap(err, "secret '%s'", use->name) : 0;
}

int container_secrets_environment(const struct container_spec *spec, const char *directory,
				  struct strlist *env, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->secrets.count; i++) {
		autofree char *from = kept_path(directory, i);
		struct secret_use use;
		r = secret_use_load(spec->secrets.items[i], &use, err);
		if (r < 0)
			break;
		if (use.is_env)
			r = add_variable(from, &use, env, err);
		secret_use_clear(&use);
	}
	return r;
}

void container_secrets_wipe(struct strlist *env)
{
	for (size_t i = 0; i < env->count; i++)
		explicit_bzero(env->items[i], strlen(env->items[i]));
	strlist_clear(env);
}

/* ---- telling ---- */

struct json_object *container_secrets_json(const struct container_spec *spec)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < spec->secrets.count; i++) {
		struct secret_use use;
		struct err ignored; /* of a damaged record the rest is still shown */
		if (secret_use_load(spec->secrets.items[i], &use, &ignored) < 0)
			continue;
		if (!use.is_env) {
			struct json_object *row = json_object_new_object();
			json_add_string(row, "Name", use.name);
			json_add_string(row, "ID", use.id);
			json_add_int(row, "UID", use.uid);
			json_add_int(row, "GID", use.gid);
			json_add_int(row, "Mode", use.mode);
			json_object_array_add(list, row);
		}
		secret_use_clear(&use);
	}
	return list;
}

void container_secrets_hide(const struct container_spec *spec, struct strlist *env)
{
	for (size_t i = 0; i < spec->secrets.count; i++) {
		struct secret_use use;
		struct err ignored; /* as above */
		if (secret_use_load(spec->secrets.items[i], &use, &ignored) < 0)
			continue;
		if (use.is_env)
			strlist_env_set(env, use.target, "*******");
		secret_use_clear(&use);
	}
}
