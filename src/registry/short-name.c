#include "registry/short-name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "oci/reference.h"
#include "registry/paths.h"
#include "registry/registries.h"
#include "registry/registry-internal.h"

void short_name_candidates_clear(struct short_name_candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		reference_clear(&candidates->items[i]);
	free(candidates->items);
	free(candidates->from);
	*candidates = (struct short_name_candidates){ 0 };
}

static void add_candidate(struct short_name_candidates *candidates, struct reference *reference)
{
	reference_set_default_tag(reference);
	candidates->items =
		xreallocarray(candidates->items, candidates->count + 1, sizeof(*candidates->items));
	candidates->items[candidates->count++] = *reference;
	*reference = REFERENCE_EMPTY;
}

static int use_alias(struct short_name_candidates *candidates, const struct reference *name,
		     const char *value, const char *file, struct err *err)
{
	autoreference struct reference full = REFERENCE_EMPTY;

	int r = reference_parse(value, &full, err);
	if (r < 0)
		return err_wrap(err, "alias '%s' in '%s'", name->path, file);
	full.tag = xstrdup(name->tag);
	full.digest = xstrdup(name->digest);
	add_candidate(candidates, &full);
	candidates->from = xstrdup(file);
	candidates->is_alias = true;
	return 0;
}

/* The user's own choices. Made by machines, so a damaged file is passed over, not an obstacle. */
static struct json_object *read_cache(const struct registry_paths *paths)
{
	struct json_object *root = NULL;
	struct err err = { 0 };

	if (!paths->alias_cache)
		return NULL;
	int r = config_read_toml(paths->alias_cache, &root, &err);
	if (r < 0 && r != -ENOENT)
		log_warn("%s; going on without remembered short names", err.text);
	return root;
}

/* One name that stands for it, by the user's earlier choice or by registries.conf. Returns 1 when
 * there is one. */
static int resolve_alias(const struct registries *registries, const struct registry_paths *paths,
			 const struct reference *name, struct short_name_candidates *candidates,
			 struct err *err)
{
	autojson struct json_object *cache = read_cache(paths);
	const char *remembered = json_get_string(json_get(cache, "aliases"), name->path, NULL);
	const char *alias = remembered ? remembered : registries_alias(registries, name->path);

	if (!alias || !*alias) /* an empty choice takes back what registries.conf says */
		return 0;
	int r = use_alias(candidates, name, alias,
			  remembered ? paths->alias_cache
				     : registries_alias_file(registries, name->path),
			  err);
	return r < 0 ? r : 1;
}

static int resolve_by_search(const struct registries *registries,
			     const struct registry_paths *paths, const struct reference *name,
			     struct short_name_candidates *candidates, struct err *err)
{
	const struct strlist *search = registries_search(registries);
	enum short_name_mode mode = registries_short_name_mode(registries);

	for (size_t i = 0; i < search->count; i++) {
		autoreference struct reference full = reference_copy(name);
		int r = reference_set_registry(&full, search->items[i], err);
		if (r < 0)
			return err_wrap(err, "unqualified-search-registries");
		add_candidate(candidates, &full);
	}
	if (candidates->count == 0)
		return err_set(err, ENOENT,
			       "short-name \"%s\" did not resolve to an alias and no "
			       "unqualified-search registries are defined in \"%s\"; write the "
			       "full name, such as docker.io/%s%s",
			       name->path, paths->registries_conf,
			       strchr(name->path, '/') ? "" : "library/", name->path);
	candidates->must_ask = mode != SHORT_NAME_DISABLED && candidates->count > 1;
	candidates->may_try_all = mode != SHORT_NAME_ENFORCING;
	candidates->from = xstrdup(paths->registries_conf);
	return 0;
}

int short_name_resolve(const struct registries *registries, const struct registry_paths *paths,
		       const struct reference *name, struct short_name_candidates *ret_candidates,
		       struct err *err)
{
	autocandidates struct short_name_candidates candidates = { 0 };

	if (!reference_is_short(name)) {
		struct reference full = reference_copy(name);
		add_candidate(&candidates, &full);
	} else {
		int r = resolve_alias(registries, paths, name, &candidates, err);
		if (r == 0)
			r = resolve_by_search(registries, paths, name, &candidates, err);
		if (r < 0)
			return r;
	}
	*ret_candidates = candidates;
	candidates = (struct short_name_candidates){ 0 };
	return 0;
}

int short_name_remember(const struct registry_paths *paths, const struct reference *name,
			const struct reference *chosen, struct err *err)
{
	autojson struct json_object *cache = read_cache(paths);
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	autofree char *repository = reference_repository(chosen);

	int r = alias_check(name->path, repository, err);
	if (r < 0)
		return r;
	strbuf_adds(&text, "# Registries chosen for short names; written by container tools.\n"
			   "[aliases]\n");
	struct json_object *aliases = json_get(cache, "aliases");
	if (json_object_is_type(aliases, json_type_object)) {
		json_object_object_foreach(aliases, key, value)
		{
			struct err ignored = { 0 };
			if (strcmp(key, name->path) != 0 &&
			    json_object_is_type(value, json_type_string) &&
			    alias_check(key, json_object_get_string(value), &ignored) >= 0)
				strbuf_addf(&text, "  \"%s\" = \"%s\"\n", key,
					    json_object_get_string(value));
		}
	}
	/* Both are names by now: nothing in them needs an escape. */
	strbuf_addf(&text, "  \"%s\" = \"%s\"\n", name->path, repository);

	const char *slash = strrchr(paths->alias_cache, '/');
	autofree char *directory =
		xstrndup(paths->alias_cache, (size_t)(slash ? slash - paths->alias_cache : 0));
	r = slash ? file_make_dirs(AT_FDCWD, directory, 0755, err) : 0;
	if (r < 0)
		return r;
	return file_write(AT_FDCWD, paths->alias_cache, text.data, text.size, 0600, 0, err);
}
