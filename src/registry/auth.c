/* The files agree on {"auths": {KEY: {"auth": BASE64}}, "credHelpers": {HOST: NAME}}, and differ in
 * what a KEY is: podman writes HOST[/PATH], docker writes URLs such as
 * https://index.docker.io/v1/. All are brought to HOST[/PATH] before they are compared. */
#include "registry/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/credential-helper.h"
#include "registry/paths.h"
#include "registry/registries.h"

#define AUTH_FILE_MAX ((size_t)1024 * 1024)

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(take_ptr(text));
}

void credentials_clear(struct credentials *credentials)
{
	free(take_ptr(&credentials->user));
	wipe(&credentials->password);
	wipe(&credentials->identity_token);
}

/* HOST[/PATH] of an entry's key. */
static char *normal_key(const char *key)
{
	static const char *const docker_hosts[] = { "index.docker.io", "registry-1.docker.io" };
	bool is_url = strncmp(key, "https://", 8) == 0 || strncmp(key, "http://", 7) == 0;

	if (is_url)
		key = strstr(key, "://") + 3;
	size_t host_size = strcspn(key, "/"), size = is_url ? host_size : strlen(key);
	while (size > 0 && key[size - 1] == '/')
		size--;
	for (size_t i = 0; i < ARRAY_SIZE(docker_hosts); i++)
		if (host_size == strlen(docker_hosts[i]) &&
		    strncmp(key, docker_hosts[i], host_size) == 0)
			return xasprintf("docker.io%.*s", (int)(size - host_size), key + host_size);
	return xstrndup(key, size);
}

static char *host_of(const char *key)
{
	return xstrndup(key, strcspn(key, "/"));
}

/* How well an entry fits: the bytes of its key if that is `wanted` or a parent of it, else 0. */
static size_t key_matches(const char *key, const char *wanted)
{
	size_t size = strlen(key);

	if (strncmp(key, wanted, size) != 0)
		return 0;
	return wanted[size] == '\0' || wanted[size] == '/' ? size : 0;
}

static int read_file(const char *path, struct json_object **ret_root, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, path, &text, AUTH_FILE_MAX, err);
	if (r < 0)
		return r;
	if (text.size == 0) {
		*ret_root = json_object_new_object();
		return 0;
	}
	autojson struct json_object *root = NULL;
	r = json_parse(text.data, text.size, &root, err);
	explicit_bzero(text.data, text.size);
	if (r >= 0 && !json_object_is_type(root, json_type_object))
		r = err_set(err, EINVAL, "not an object");
	if (r < 0) {
		autofree char *cause = xstrdup(err->text);
		return err_set(err, -r, "'%s': %s; mend it, or remove it and log in again", path,
			       cause);
	}
	*ret_root = take_ptr(&root);
	return 0;
}

/* ~/.dockercfg has the entries at its top. */
static struct json_object *entries_of(struct json_object *root, const char *path)
{
	size_t size = strlen(path);

	if (size >= 10 && strcmp(path + size - 10, ".dockercfg") == 0)
		return root;
	return json_get(root, "auths");
}

static int decode_entry(struct json_object *entry, const char *key, const char *path,
			struct credentials *ret_credentials, struct err *err)
{
	const char *auth = json_get_string(entry, "auth", "");
	const char *token = json_get_string(entry, "identitytoken", "");
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (*token) {
		ret_credentials->identity_token = xstrdup(token);
		return 0;
	}
	if (!*auth) /* an entry that only says that a helper knows */
		return 0;
	int r = base64_decode(auth, strlen(auth), &text);
	char *colon = text.size ? strchr(text.data, ':') : NULL;
	if (r < 0 || !colon || colon == text.data)
		return err_set(err, EINVAL,
			       "'%s': the entry of '%s' is damaged; use davit login %s", path, key,
			       key);
	*colon = '\0';
	ret_credentials->user = xstrdup(text.data);
	ret_credentials->password = xstrdup(colon + 1);
	explicit_bzero(text.data, text.size);
	return 0;
}

static const char *helper_for(struct json_object *root, const char *host)
{
	struct json_object *helpers = json_get(root, "credHelpers");

	if (!json_object_is_type(helpers, json_type_object))
		return NULL;
	json_object_object_foreach(helpers, key, name)
	{
		autofree char *normal = normal_key(key);
		if (strcmp(normal, host) == 0 && json_object_is_type(name, json_type_string))
			return json_object_get_string(name);
	}
	return NULL;
}

static int find_in_file(const char *path, const char *wanted, struct credentials *ret_credentials,
			struct err *err)
{
	autojson struct json_object *root = NULL;
	autofree char *host = host_of(wanted);
	struct json_object *best = NULL;
	size_t best_size = 0;

	int r = read_file(path, &root, err);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
	const char *helper = helper_for(root, host);
	if (helper)
		return credential_helper_get(helper, host, ret_credentials, err);

	struct json_object *entries = entries_of(root, path);
	if (!json_object_is_type(entries, json_type_object))
		return 0;
	json_object_object_foreach(entries, key, entry)
	{
		autofree char *normal = normal_key(key);
		size_t size = key_matches(normal, wanted);
		/* A key as we write it goes before another spelling of the same. */
		if (size > best_size || (size && size == best_size && strcmp(key, normal) == 0)) {
			best = entry;
			best_size = size;
		}
	}
	return best ? decode_entry(best, wanted, path, ret_credentials, err) : 0;
}

static bool is_known(const struct credentials *credentials)
{
	return credentials->user || credentials->identity_token;
}

static int find_in_files(const struct registry_paths *paths, const char *authfile,
			 const char *wanted, struct credentials *credentials, struct err *err)
{
	int r = find_in_file(authfile ? authfile : paths->auth_file, wanted, credentials, err);

	for (size_t i = 0;
	     !authfile && r >= 0 && !is_known(credentials) && i < paths->auth_fallbacks.count; i++)
		r = find_in_file(paths->auth_fallbacks.items[i], wanted, credentials, err);
	return r;
}

int auth_find(const struct registry_paths *paths, const char *authfile,
	      const struct registries *registries, const char *key,
	      struct credentials *ret_credentials, struct err *err)
{
	static char *defaults[] = { "containers-auth.json" };
	static const struct strlist default_list = { .items = defaults, .count = 1 };
	const struct strlist *places =
		registries ? registries_credential_helpers(registries) : &default_list;
	autocredentials struct credentials credentials = CREDENTIALS_EMPTY;
	autofree char *wanted = normal_key(key);
	autofree char *host = host_of(wanted);

	if (places->count == 0)
		places = &default_list;
	for (size_t i = 0; i < places->count && !is_known(&credentials); i++) {
		int r = strcmp(places->items[i], "containers-auth.json") == 0
				? find_in_files(paths, authfile, wanted, &credentials, err)
				: credential_helper_get(places->items[i], host, &credentials, err);
		if (r < 0)
			return err_wrap(err, "credentials for '%s'", key);
	}
	*ret_credentials = credentials;
	credentials = CREDENTIALS_EMPTY;
	return 0;
}

/* ---- writing ---- */

static int write_auth_file(const char *path, struct json_object *root, struct err *err)
{
	const char *text = json_object_to_json_string_ext(
		root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
			      JSON_C_TO_STRING_NOSLASHESCAPE);
	const char *slash = strrchr(path, '/');

	if (slash && slash != path) {
		autofree char *directory = xstrndup(path, (size_t)(slash - path));
		int r = file_make_dirs(AT_FDCWD, directory, 0700, err);
		if (r < 0)
			return r;
	}
	return file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

/* An absent file is an empty one. */
static int open_for_change(const char *path, struct json_object **ret_root, struct err *err)
{
	int r = read_file(path, ret_root, err);

	if (r == -ENOENT) {
		*ret_root = json_object_new_object();
		r = 0;
	}
	return r;
}

/* Take out every spelling of the key. Returns how many there were. */
static size_t drop_entries(struct json_object *entries, const char *wanted)
{
	autostrlist struct strlist found = STRLIST_EMPTY;

	if (!json_object_is_type(entries, json_type_object))
		return 0;
	json_object_object_foreach(entries, key, entry)
	{
		autofree char *normal = normal_key(key);
		(void)entry;
		if (strcmp(normal, wanted) == 0)
			strlist_add(&found, key);
	}
	for (size_t i = 0; i < found.count; i++)
		json_object_object_del(entries, found.items[i]);
	return found.count;
}

int auth_store(const struct registry_paths *paths, const char *authfile, const char *key,
	       const char *user, const char *password, struct err *err)
{
	const char *path = authfile ? authfile : paths->auth_file;
	autojson struct json_object *root = NULL;
	autofree char *wanted = normal_key(key);
	autofree char *host = host_of(wanted);

	if (strchr(user, ':'))
		return err_set(err, EINVAL, "user name '%s' contains a colon", user);
	int r = open_for_change(path, &root, err);
	if (r < 0)
		return r;
	const char *helper = helper_for(root, host);
	if (helper)
		return credential_helper_store(helper, host, user, password, err);

	struct json_object *entries = json_get(root, "auths");
	if (!json_object_is_type(entries, json_type_object)) {
		entries = json_object_new_object();
		json_object_object_add(root, "auths", entries);
	}
	(void)drop_entries(entries, wanted);
	autofree char *plain = xasprintf("%s:%s", user, password);
	autostrbuf struct strbuf encoded = STRBUF_EMPTY;
	base64_encode(plain, strlen(plain), &encoded);
	explicit_bzero(plain, strlen(plain));
	struct json_object *entry = json_object_new_object();
	json_add_string(entry, "auth", strbuf_text(&encoded));
	json_object_object_add(entries, wanted, entry);
	return write_auth_file(path, root, err);
}

int auth_remove(const struct registry_paths *paths, const char *authfile, const char *key,
		struct err *err)
{
	const char *path = authfile ? authfile : paths->auth_file;
	autojson struct json_object *root = NULL;
	autofree char *wanted = normal_key(key);
	autofree char *host = host_of(wanted);

	int r = open_for_change(path, &root, err);
	if (r < 0)
		return r;
	const char *helper = helper_for(root, host);
	if (helper)
		return credential_helper_erase(helper, host, err);
	if (drop_entries(json_get(root, "auths"), wanted) == 0)
		return err_set(err, ENOENT, "not logged into %s; nothing about it in '%s'", key,
			       path);
	return write_auth_file(path, root, err);
}

int auth_remove_all(const struct registry_paths *paths, const char *authfile, struct err *err)
{
	const char *path = authfile ? authfile : paths->auth_file;
	autojson struct json_object *root = NULL;

	if (access(path, F_OK) < 0)
		return 0;
	int r = open_for_change(path, &root, err);
	if (r < 0)
		return r;
	json_object_object_add(root, "auths", json_object_new_object());
	return write_auth_file(path, root, err);
}
