/* The file is checked once, when it is read, and then asked directly: a look-up goes from the most
 * specific scope to the least and stops at the first that is there. */
#include "registry/policy.h"

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

#define POLICY_SIZE_MAX ((size_t)1024 * 1024)

struct policy {
	char *path;		  /* NULL: there is no file */
	struct json_object *root; /* of the right shape in every part */
};

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	free(policy->path);
	json_object_put(policy->root);
	free(policy);
}

/* ---- reading ---- */

static int check_fields(struct json_object *object, const char *const *known, const char *where,
			struct err *err)
{
	json_object_object_foreach(object, key, value)
	{
		const char *const *at = known;
		(void)value;
		while (*at && strcmp(*at, key) != 0)
			at++;
		if (!*at)
			return err_set(err, EINVAL, "%s: unknown field '%s'", where, key);
	}
	return 0;
}

static int check_requirement(struct json_object *requirement, const char *where, struct err *err)
{
	static const char *const plain_fields[] = { "type", NULL };
	static const char *const gpg_fields[] = { "type",     "keyType", "keyPath",
						  "keyPaths", "keyData", "signedIdentity",
						  NULL };
	static const char *const sigstore_fields[] = { "type",
						       "keyPath",
						       "keyPaths",
						       "keyData",
						       "keyDatas",
						       "fulcio",
						       "pki",
						       "rekorPublicKeyPath",
						       "rekorPublicKeyPaths",
						       "rekorPublicKeyData",
						       "rekorPublicKeyDatas",
						       "signedIdentity",
						       NULL };
	static const struct {
		const char *type;
		const char *const *fields;
	} kinds[] = {
		{ "insecureAcceptAnything", plain_fields },
		{ "reject", plain_fields },
		{ "signedBy", gpg_fields },
		{ "sigstoreSigned", sigstore_fields },
	};
	const char *type = json_get_string(requirement, "type", "");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return check_fields(requirement, kinds[i].fields, where, err);
	return err_set(err, EINVAL, "%s: unknown type of requirement '%s'", where, type);
}

static int check_requirements(struct json_object *array, const char *where, struct err *err)
{
	if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) == 0)
		return err_set(err, EINVAL, "%s: not a list of requirements", where);
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		int r = check_requirement(json_object_array_get_idx(array, i), where, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_transports(struct json_object *transports, struct err *err)
{
	if (!transports)
		return 0;
	if (!json_object_is_type(transports, json_type_object))
		return err_set(err, EINVAL, "transports: not an object");
	json_object_object_foreach(transports, transport, scopes)
	{
		if (!json_object_is_type(scopes, json_type_object))
			return err_set(err, EINVAL, "%s: not an object", transport);
		json_object_object_foreach(scopes, scope, requirements)
		{
			autofree char *where = xasprintf("%s '%s'", transport, scope);
			int r = check_requirements(requirements, where, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int check_shape(struct json_object *root, struct err *err)
{
	static const char *const known[] = { "default", "transports", NULL };

	if (!json_object_is_type(root, json_type_object))
		return err_set(err, EINVAL, "not an object");
	int r = check_fields(root, known, "policy", err);
	if (r >= 0)
		r = check_requirements(json_get(root, "default"), "default", err);
	return r < 0 ? r : check_transports(json_get(root, "transports"), err);
}

int policy_load(const struct registry_paths *paths, struct policy **ret_policy, struct err *err)
{
	autopolicy struct policy *policy = xcalloc(1, sizeof(*policy));

	for (size_t i = 0; i < paths->policies.count && !policy->path; i++) {
		autostrbuf struct strbuf text = STRBUF_EMPTY;
		const char *path = paths->policies.items[i];
		int r = file_read(AT_FDCWD, path, &text, POLICY_SIZE_MAX, err);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			return r;
		r = json_parse(strbuf_text(&text), text.size, &policy->root, err);
		if (r >= 0)
			r = check_shape(policy->root, err);
		if (r < 0)
			return err_wrap(err, "'%s'", path);
		policy->path = xstrdup(path);
	}
	if (!policy->path)
		log_debug("no policy.json; images may come from everywhere");
	*ret_policy = take_ptr(&policy);
	return 0;
}

/* ---- asking ---- */

static int apply(const struct policy *policy, struct json_object *requirements, const char *name,
		 const char *scope, struct err *err)
{
	for (size_t i = 0; i < json_object_array_length(requirements); i++) {
		const char *type =
			json_get_string(json_object_array_get_idx(requirements, i), "type", "");
		if (strcmp(type, "insecureAcceptAnything") == 0)
			continue;
		if (strcmp(type, "reject") == 0)
			return err_set(err, EPERM,
				       "'%s' is rejected by policy (%s in '%s'); allow it there or "
				       "use another image",
				       name, scope, policy->path);
		return err_set(err, EPERM,
			       "'%s' has to be signed (%s in '%s' says %s), and davit cannot check "
			       "signatures yet; allow it there with insecureAcceptAnything",
			       name, scope, policy->path, type);
	}
	return 0;
}

/* Apply the rules of the first of the scopes that has any. */
static int check(const struct policy *policy, const char *transport, const struct strlist *scopes,
		 const char *name, struct err *err)
{
	struct json_object *of_transport =
		json_get(json_get(policy->root, "transports"), transport);

	if (!policy->path)
		return 0;
	for (size_t i = 0; i < scopes->count; i++) {
		struct json_object *requirements = json_get(of_transport, scopes->items[i]);
		if (requirements) {
			autofree char *scope = xasprintf("%s '%s'", transport, scopes->items[i]);
			return apply(policy, requirements, name, scope, err);
		}
	}
	return apply(policy, json_get(policy->root, "default"), name, "default", err);
}

/* "a/b/c", "a/b", "a"; an empty rest is left out. */
static void add_parents(struct strlist *scopes, const char *path)
{
	autofree char *copy = xstrdup(path);

	while (*copy) {
		strlist_add(scopes, copy);
		char *slash = strrchr(copy, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
}

int policy_check_registry(const struct policy *policy, const struct reference *reference,
			  struct err *err)
{
	autostrlist struct strlist scopes = STRLIST_EMPTY;
	autofree char *name = reference_print(reference);
	autofree char *repository = reference_repository(reference);

	/* Only one of tag and digest is asked of the registry. */
	if (reference->digest)
		strlist_addf(&scopes, "%s@%s", repository, reference->digest);
	else
		strlist_addf(&scopes, "%s:%s", repository,
			     reference->tag ? reference->tag : "latest");
	add_parents(&scopes, repository);
	/* Wildcards stand for subdomains, and know no ports. */
	autofree char *host = xstrndup(reference->domain, strcspn(reference->domain, ":"));
	for (const char *dot = strchr(host, '.'); dot; dot = strchr(dot + 1, '.'))
		strlist_addf(&scopes, "*%s", dot);
	strlist_add(&scopes, "");
	return check(policy, "docker", &scopes, name, err);
}

int policy_check_file(const struct policy *policy, const char *transport, const char *path,
		      struct err *err)
{
	autostrlist struct strlist scopes = STRLIST_EMPTY;
	autofree char *name = xasprintf("%s:%s", transport, path);

	add_parents(&scopes, path);
	strlist_add(&scopes, "");
	return check(policy, transport, &scopes, name, err);
}
