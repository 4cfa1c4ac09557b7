/* The main file and its drop-ins are folded, in their order, into one struct: a scalar that a
 * later file sets replaces the earlier one, a [[registry]] table replaces the one of the same
 * prefix as a whole, aliases are replaced one by one. Lookups then walk plain arrays. */
#include "registry/registries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/toml.h"
#include "oci/reference.h"
#include "registry/paths.h"
#include "registry/registry-internal.h"

enum mirror_use { MIRROR_ALL, MIRROR_DIGEST_ONLY, MIRROR_TAG_ONLY };

struct mirror {
	char *location;
	bool insecure;
	enum mirror_use use;
};

struct registry_entry {
	char *prefix;	/* host[:port][/path], or *.host */
	char *location; /* "" keeps the name as it is (wildcards only) */
	bool insecure, blocked, mirror_by_digest_only;
	struct mirror *mirrors;
	size_t mirror_count;
};

struct alias {
	char *name, *value; /* value "" erases an alias of an earlier file */
	char *file;
};

struct registries {
	struct strlist search, credential_helpers, files;
	enum short_name_mode mode;
	struct registry_entry *entries;
	size_t entry_count;
	struct alias *aliases;
	size_t alias_count;
};

static void entry_clear(struct registry_entry *entry)
{
	for (size_t i = 0; i < entry->mirror_count; i++)
		free(entry->mirrors[i].location);
	free(entry->mirrors);
	free(entry->prefix);
	free(entry->location);
	*entry = (struct registry_entry){ 0 };
}

void registries_free(struct registries *registries)
{
	if (!registries)
		return;
	for (size_t i = 0; i < registries->entry_count; i++)
		entry_clear(&registries->entries[i]);
	for (size_t i = 0; i < registries->alias_count; i++) {
		free(registries->aliases[i].name);
		free(registries->aliases[i].value);
		free(registries->aliases[i].file);
	}
	free(registries->entries);
	free(registries->aliases);
	strlist_clear(&registries->search);
	strlist_clear(&registries->credential_helpers);
	strlist_clear(&registries->files);
	free(registries);
}

/* ---- reading ---- */

int config_read_toml(const char *path, struct json_object **ret_root, struct err *err)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	int r = file_read(AT_FDCWD, path, &text, CONFIG_SIZE_MAX, err);
	if (r < 0)
		return r;
	r = toml_parse(strbuf_text(&text), text.size, ret_root, err);
	return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

/* A location as configured, without the slash some people end it with. */
static int read_location(const char *text, char **ret_location, struct err *err)
{
	size_t size = strlen(text);

	if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
		return err_set(err, EINVAL,
			       "location '%s' is an address; write HOST[:PORT][/PATH] only", text);
	while (size > 0 && text[size - 1] == '/')
		size--;
	*ret_location = xstrndup(text, size);
	return 0;
}

static int read_mirror(struct json_object *table, struct registry_entry *entry, struct err *err)
{
	const char *location = json_get_string(table, "location", "");
	const char *use = json_get_string(table, "pull-from-mirror", "");
	struct mirror mirror = { .insecure = json_get_bool(table, "insecure", false) };

	if (!*location)
		return err_set(err, EINVAL, "a mirror of '%s' has no location", entry->prefix);
	if (strcmp(use, "digest-only") == 0)
		mirror.use = MIRROR_DIGEST_ONLY;
	else if (strcmp(use, "tag-only") == 0)
		mirror.use = MIRROR_TAG_ONLY;
	else if (*use && strcmp(use, "all") != 0)
		return err_set(err, EINVAL,
			       "pull-from-mirror = '%s'; it is all, digest-only or tag-only", use);
	if (*use && entry->mirror_by_digest_only)
		return err_set(err, EINVAL,
			       "'%s' has mirror-by-digest-only and a mirror with pull-from-mirror; "
			       "keep one of them",
			       entry->prefix);
	int r = read_location(location, &mirror.location, err);
	if (r < 0)
		return r;
	entry->mirrors = xreallocarray(entry->mirrors, entry->mirror_count + 1, sizeof(mirror));
	entry->mirrors[entry->mirror_count++] = mirror;
	return 0;
}

static int check_prefix(const struct registry_entry *entry, struct err *err)
{
	const char *star = strchr(entry->prefix, '*');

	if (!*entry->prefix)
		return err_set(err, EINVAL, "a [[registry]] has neither prefix nor location");
	if (star && (star != entry->prefix || star[1] != '.' || strpbrk(star + 1, "*/:@")))
		return err_set(err, EINVAL, "prefix '%s'; a wildcard has the form *.example.com",
			       entry->prefix);
	if (!star && !*entry->location)
		return err_set(err, EINVAL, "the [[registry]] of prefix '%s' has no location",
			       entry->prefix);
	return 0;
}

static int read_entry(struct json_object *table, struct registry_entry *entry, struct err *err)
{
	struct json_object *mirrors = json_get(table, "mirror");
	const char *location = json_get_string(table, "location", "");

	int r = read_location(location, &entry->location, err);
	if (r < 0)
		return r;
	r = read_location(json_get_string(table, "prefix", entry->location), &entry->prefix, err);
	if (r < 0)
		return r;
	entry->insecure = json_get_bool(table, "insecure", false);
	entry->blocked = json_get_bool(table, "blocked", false);
	entry->mirror_by_digest_only = json_get_bool(table, "mirror-by-digest-only", false);
	r = check_prefix(entry, err);
	if (!json_object_is_type(mirrors, json_type_array))
		return r;
	for (size_t i = 0; r >= 0 && i < json_object_array_length(mirrors); i++)
		r = read_mirror(json_object_array_get_idx(mirrors, i), entry, err);
	return r;
}

static struct registry_entry *entry_for_prefix(struct registries *registries, const char *prefix)
{
	for (size_t i = 0; i < registries->entry_count; i++)
		if (strcmp(registries->entries[i].prefix, prefix) == 0)
			return &registries->entries[i];
	registries->entries = xreallocarray(registries->entries, registries->entry_count + 1,
					    sizeof(*registries->entries));
	registries->entries[registries->entry_count] = (struct registry_entry){ 0 };
	return &registries->entries[registries->entry_count++];
}

static int read_entries(struct registries *registries, struct json_object *array, struct err *err)
{
	if (!json_object_is_type(array, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct registry_entry entry = { 0 };
		int r = read_entry(json_object_array_get_idx(array, i), &entry, err);
		if (r < 0) {
			entry_clear(&entry);
			return r;
		}
		struct registry_entry *at = entry_for_prefix(registries, entry.prefix);
		entry_clear(at);
		*at = entry;
	}
	return 0;
}

int alias_check(const char *name, const char *value, struct err *err)
{
	autoreference struct reference left = REFERENCE_EMPTY, right = REFERENCE_EMPTY;

	int r = reference_parse(name, &left, err);
	if (r >= 0 && (left.domain || left.tag || left.digest))
		r = err_set(err, EINVAL, "'%s' is no short name", name);
	if (r >= 0 && *value) {
		r = reference_parse(value, &right, err);
		if (r >= 0 && (!right.domain || right.tag || right.digest))
			r = err_set(err, EINVAL, "'%s' is no full name without tag", value);
	}
	return r < 0 ? err_wrap(err, "alias '%s'", name) : 0;
}

static int read_aliases(struct registries *registries, struct json_object *table, const char *file,
			struct err *err)
{
	if (!json_object_is_type(table, json_type_object))
		return 0;
	json_object_object_foreach(table, name, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return err_set(err, EINVAL, "alias '%s' is not a string", name);
		const char *text = json_object_get_string(value);
		int r = alias_check(name, text, err);
		if (r < 0)
			return r;

		size_t i = 0;
		while (i < registries->alias_count &&
		       strcmp(registries->aliases[i].name, name) != 0)
			i++;
		if (i == registries->alias_count) {
			registries->aliases = xreallocarray(registries->aliases, i + 1,
							    sizeof(*registries->aliases));
			registries->aliases[i] = (struct alias){ .name = xstrdup(name) };
			registries->alias_count++;
		}
		free(registries->aliases[i].value);
		free(registries->aliases[i].file);
		registries->aliases[i].value = xstrdup(text);
		registries->aliases[i].file = xstrdup(file);
	}
	return 0;
}

static int read_mode(struct registries *registries, const char *text, struct err *err)
{
	if (!*text)
		return 0;
	if (strcmp(text, "permissive") == 0)
		registries->mode = SHORT_NAME_PERMISSIVE;
	else if (strcmp(text, "enforcing") == 0)
		registries->mode = SHORT_NAME_ENFORCING;
	else if (strcmp(text, "disabled") == 0)
		registries->mode = SHORT_NAME_DISABLED;
	else
		return err_set(err, EINVAL,
			       "short-name-mode = '%s'; it is enforcing, permissive or disabled",
			       text);
	return 0;
}

/* The format that was given up in 2018 but lives on in old installations. */
static int read_version_1(struct registries *registries, struct json_object *root, struct err *err)
{
	struct json_object *table = json_get(root, "registries");
	autostrlist struct strlist insecure = STRLIST_EMPTY, blocked = STRLIST_EMPTY;

	if (json_get(root, "registry") || json_get(root, "unqualified-search-registries"))
		return err_set(err, EINVAL,
			       "mixes [registries.…] of the old format with the new "
			       "one; keep one of them");
	strlist_clear(&registries->search);
	json_get_strlist(json_get(table, "search"), "registries", &registries->search);
	json_get_strlist(json_get(table, "insecure"), "registries", &insecure);
	json_get_strlist(json_get(table, "block"), "registries", &blocked);
	for (size_t list = 0; list < 2; list++) {
		const struct strlist *names = list ? &blocked : &insecure;
		for (size_t i = 0; i < names->count; i++) {
			struct registry_entry *entry =
				entry_for_prefix(registries, names->items[i]);
			if (!entry->prefix) {
				entry->prefix = xstrdup(names->items[i]);
				entry->location = xstrdup(names->items[i]);
			}
			*(list ? &entry->blocked : &entry->insecure) = true;
		}
	}
	return 0;
}

static int fold_file(struct registries *registries, const char *path, struct err *err)
{
	autojson struct json_object *root = NULL;

	int r = config_read_toml(path, &root, err);
	if (r < 0)
		return r;
	strlist_add(&registries->files, path);
	if (json_object_is_type(json_get(root, "registries"), json_type_object)) {
		r = read_version_1(registries, root, err);
	} else {
		if (json_get(root, "unqualified-search-registries")) {
			strlist_clear(&registries->search);
			json_get_strlist(root, "unqualified-search-registries",
					 &registries->search);
		}
		if (json_get(root, "credential-helpers")) {
			strlist_clear(&registries->credential_helpers);
			json_get_strlist(root, "credential-helpers",
					 &registries->credential_helpers);
		}
		r = read_mode(registries, json_get_string(root, "short-name-mode", ""), err);
		if (r >= 0)
			r = read_entries(registries, json_get(root, "registry"), err);
		if (r >= 0)
			r = read_aliases(registries, json_get(root, "aliases"), path, err);
	}
	return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

static int is_conf_file(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > 5 && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + size - 5, ".conf") == 0 && entry->d_type != DT_DIR;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* bytes, whatever the locale */
}

static int fold_directory(struct registries *registries, const char *directory, struct err *err)
{
	struct dirent **entries = NULL;

	int count = scandir(directory, &entries, is_conf_file, compare_names);
	if (count < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			log_warn("cannot read '%s': %s; going on without it", directory,
				 strerror(errno));
		return 0;
	}
	int r = 0;
	for (int i = 0; i < count; i++) {
		if (r >= 0) {
			autofree char *path = path_join(directory, entries[i]->d_name);
			r = fold_file(registries, path, err);
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

int registries_load(const struct registry_paths *paths, struct registries **ret_registries,
		    struct err *err)
{
	autoregistries struct registries *registries = xcalloc(1, sizeof(*registries));
	struct err main_error = { 0 };

	int r = fold_file(registries, paths->registries_conf, &main_error);
	if (r < 0 && (r != -ENOENT || paths->registries_conf_required)) {
		*err = main_error;
		return r;
	}
	for (size_t i = 0; i < paths->registries_conf_dirs.count; i++) {
		r = fold_directory(registries, paths->registries_conf_dirs.items[i], err);
		if (r < 0)
			return r;
	}
	*ret_registries = take_ptr(&registries);
	return 0;
}

/* ---- asking ---- */

const struct strlist *registries_search(const struct registries *registries)
{
	return &registries->search;
}

enum short_name_mode registries_short_name_mode(const struct registries *registries)
{
	return registries->mode;
}

const struct strlist *registries_credential_helpers(const struct registries *registries)
{
	return &registries->credential_helpers;
}

const struct strlist *registries_files(const struct registries *registries)
{
	return &registries->files;
}

static const struct alias *find_alias(const struct registries *registries, const char *short_name)
{
	for (size_t i = 0; i < registries->alias_count; i++)
		if (strcmp(registries->aliases[i].name, short_name) == 0)
			return *registries->aliases[i].value ? &registries->aliases[i] : NULL;
	return NULL;
}

const char *registries_alias(const struct registries *registries, const char *short_name)
{
	const struct alias *alias = find_alias(registries, short_name);

	return alias ? alias->value : NULL;
}

const char *registries_alias_file(const struct registries *registries, const char *short_name)
{
	const struct alias *alias = find_alias(registries, short_name);

	return alias ? alias->file : NULL;
}

/* How many bytes at the start of `name` the prefix stands for; 0 when it does not match. */
static size_t match_prefix(const char *name, const char *prefix)
{
	size_t size;

	if (prefix[0] == '*') {
		size_t host_size = strcspn(name, "/"), tail = strlen(prefix + 1);
		size_t without_port = strcspn(name, ":/");
		if (without_port > host_size)
			without_port = host_size;
		if (without_port <= tail ||
		    memcmp(name + without_port - tail, prefix + 1, tail) != 0)
			return 0;
		size = without_port;
	} else {
		size = strlen(prefix);
		if (strncmp(name, prefix, size) != 0)
			return 0;
	}
	return name[size] == '\0' || strchr(":/@", name[size]) ? size : 0;
}

static const struct registry_entry *find_entry(const struct registries *registries,
					       const char *name, size_t *ret_matched)
{
	const struct registry_entry *best = NULL;

	for (size_t i = 0; i < registries->entry_count; i++) {
		const struct registry_entry *entry = &registries->entries[i];
		size_t matched = match_prefix(name, entry->prefix);
		if (matched && (!best || strlen(entry->prefix) > strlen(best->prefix))) {
			best = entry;
			*ret_matched = matched;
		}
	}
	return best;
}

void registry_endpoints_clear(struct registry_endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		free(endpoints->items[i].domain);
		free(endpoints->items[i].path);
	}
	free(endpoints->items);
	*endpoints = (struct registry_endpoints){ 0 };
}

static int add_endpoint(struct registry_endpoints *endpoints, const char *location,
			const char *rest, bool insecure, struct err *err)
{
	autofree char *name = xasprintf("%s%s", location, rest);
	autoreference struct reference reference = REFERENCE_EMPTY;

	int r = reference_parse(name, &reference, err);
	if (r >= 0 && !reference.domain)
		r = err_set(err, EINVAL, "'%s' names no registry", name);
	if (r < 0)
		return err_wrap(err, "location '%s' in registries.conf", location);
	endpoints->items =
		xreallocarray(endpoints->items, endpoints->count + 1, sizeof(*endpoints->items));
	endpoints->items[endpoints->count++] = (struct registry_endpoint){
		.domain = take_ptr(&reference.domain),
		.path = take_ptr(&reference.path),
		.insecure = insecure,
	};
	return 0;
}

static bool mirror_serves(const struct registry_entry *entry, const struct mirror *mirror,
			  bool by_digest)
{
	if (entry->mirror_by_digest_only || mirror->use == MIRROR_DIGEST_ONLY)
		return by_digest;
	return mirror->use == MIRROR_ALL || !by_digest;
}

int registries_endpoints(const struct registries *registries, const struct reference *reference,
			 struct registry_endpoints *ret_endpoints, struct err *err)
{
	autoendpoints struct registry_endpoints endpoints = { 0 };
	autofree char *name = reference_print(reference);
	size_t matched = 0;
	int r = 0;

	const struct registry_entry *entry = find_entry(registries, name, &matched);
	if (entry && entry->blocked)
		return err_set(err, EPERM,
			       "registry '%s' is blocked in registries.conf; allow it there "
			       "or use another registry",
			       entry->prefix);
	for (size_t i = 0; entry && r >= 0 && i < entry->mirror_count; i++) {
		const struct mirror *mirror = &entry->mirrors[i];
		if (mirror_serves(entry, mirror, reference->digest != NULL))
			r = add_endpoint(&endpoints, mirror->location, name + matched,
					 mirror->insecure, err);
	}
	if (r >= 0 && entry && *entry->location)
		r = add_endpoint(&endpoints, entry->location, name + matched, entry->insecure, err);
	else if (r >= 0)
		r = add_endpoint(&endpoints, "", name, entry && entry->insecure, err);
	if (r < 0)
		return r;
	*ret_endpoints = endpoints;
	endpoints = (struct registry_endpoints){ 0 };
	return 0;
}
