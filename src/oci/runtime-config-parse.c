/* config.json of the OCI runtime specification 1.2: the document as a whole, root, mounts and hooks. Processes, what is
 * of Linux only, and resources have files of their own. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "oci/runtime-config-internal.h"

struct parser {
	struct oci_runtime_config *config;
	const char *bundle;
};

void oci_parse_extents(const struct json_at *object, const char *name, struct id_extent **extents,
		       size_t *count)
{
	struct json_at list, at;

	if (!json_at_member(object, name, json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		struct id_extent *extent = OCI_APPEND(*extents, *count);
		extent->inside = (uint32_t)json_at_need_int(&at, "containerID", 0, UINT32_MAX - 1);
		extent->outside = (uint32_t)json_at_need_int(&at, "hostID", 0, UINT32_MAX - 1);
		extent->size = (uint32_t)json_at_need_int(&at, "size", 1, UINT32_MAX);
		if ((uint64_t)extent->inside + extent->size > UINT32_MAX ||
		    (uint64_t)extent->outside + extent->size > UINT32_MAX)
			json_at_fail(&at, "size", "reaches beyond the last ID");
	}
}

void oci_parse_paths(const struct json_at *object, const char *name, struct strlist *paths)
{
	struct json_at list, at;

	if (!json_at_member(object, name, json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_string, &at); i++) {
		const char *path = json_at_text(&at);
		if (*path != '/')
			json_at_fail(&at, NULL, "'%s' is not an absolute path", path);
		strlist_add(paths, path);
	}
}

/* Relative to the bundle where it is relative. */
static char *bundle_path(const struct parser *parser, const char *path)
{
	return *path == '/' ? xstrdup(path) : xasprintf("%s/%s", parser->bundle, path);
}

static void parse_version(const struct json_at *root)
{
	const char *version = json_at_need_string(root, "ociVersion"), *at = version;
	int64_t number[3];

	for (int i = 0; i < 3; i++)
		if ((i > 0 && *at++ != '.') || number_take(&at, 0, 99999, &number[i]) < 0) {
			json_at_fail(root, "ociVersion", "'%s' is not MAJOR.MINOR.PATCH", version);
			return;
		}
	if (*at && *at != '-' && *at != '+')
		json_at_fail(root, "ociVersion", "'%s' is not MAJOR.MINOR.PATCH", version);
	if (number[0] != 1)
		json_at_fail(root, "ociVersion",
			     "'%s' is not supported; this runtime knows 1.0.0 to 1.2.x", version);
}

static void parse_root(const struct parser *parser, const struct json_at *root)
{
	struct json_at at;

	if (!json_at_member(root, "root", json_type_object, &at)) {
		json_at_fail(root, "root", "missing");
		return;
	}
	free(parser->config->root_path);
	parser->config->root_path = bundle_path(parser, json_at_need_string(&at, "path"));
	parser->config->root_readonly = json_at_bool(&at, "readonly");
}

/* ---- mounts ---- */

static void parse_mount(const struct parser *parser, const struct json_at *at)
{
	struct oci_mount *mount = OCI_APPEND(parser->config->mounts, parser->config->mount_count);
	const char *destination = json_at_need_string(at, "destination");
	const char *source = json_at_string(at, "source");

	if (*destination != '/')
		json_at_fail(at, "destination", "'%s' is not an absolute path", destination);
	mount->destination = xstrdup(destination);
	json_at_copy(at, "type", &mount->type);
	json_at_strlist(at, "options", &mount->options);
	oci_parse_extents(at, "uidMappings", &mount->uid_maps, &mount->uid_map_count);
	oci_parse_extents(at, "gidMappings", &mount->gid_maps, &mount->gid_map_count);
	if (!mount->uid_map_count != !mount->gid_map_count)
		json_at_fail(at, mount->uid_map_count ? "gidMappings" : "uidMappings",
			     "missing; an ID-mapped mount needs maps of users and of groups");

	bool is_bind = strlist_contains(&mount->options, "bind") ||
		       strlist_contains(&mount->options, "rbind") ||
		       (mount->type && strcmp(mount->type, "bind") == 0);
	if (!is_bind && (!mount->type || !*mount->type))
		json_at_fail(at, "type",
			     "missing; only a mount with option 'bind' or 'rbind' can do without");
	if (is_bind && (!source || !*source))
		json_at_fail(at, "source", "missing; a bind mount needs one");
	if (mount->uid_map_count && !is_bind)
		json_at_fail(at, "uidMappings", "only a bind mount can have its IDs mapped");
	mount->source = is_bind && source ? bundle_path(parser, source) : xstrdup(source);
}

/* ---- hooks ---- */

static void parse_hook(const struct json_at *at, struct oci_hooks *hooks)
{
	struct oci_hook *hook = OCI_APPEND(hooks->items, hooks->count);
	const char *path = json_at_need_string(at, "path");
	int64_t timeout = 0;

	if (*path != '/')
		json_at_fail(at, "path", "'%s' is not an absolute path", path);
	hook->path = xstrdup(path);
	json_at_strlist(at, "args", &hook->args);
	json_at_strlist(at, "env", &hook->env);
	if (json_at_int(at, "timeout", 1, INT32_MAX / 1000, &timeout))
		hook->timeout_seconds = (unsigned)timeout;
}

static void parse_hooks(const struct parser *parser, const struct json_at *root)
{
	struct json_at object, list, at;

	if (!json_at_member(root, "hooks", json_type_object, &object))
		return;
	for (int point = 0; point < OCI_HOOK_POINT_COUNT; point++) {
		if (!json_at_member(&object, oci_hook_point_names[point], json_type_array, &list))
			continue;
		for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++)
			parse_hook(&at, &parser->config->hooks[point]);
	}
}

/* ---- the whole ---- */

static void add_annotation(void *data, const struct json_at *at, const char *key, const char *value)
{
	struct oci_runtime_config *config = data;

	if (!*key)
		json_at_fail(at, NULL, "an annotation without a name");
	strlist_addf(&config->annotations, "%s=%s", key, value);
}

/* What would change the host's own name. */
static void check_names(const struct parser *parser, const struct json_at *root)
{
	const struct oci_runtime_config *config = parser->config;
	const char *member = config->hostname && *config->hostname	 ? "hostname"
			     : config->domainname && *config->domainname ? "domainname"
									 : NULL;

	if (member && !config->namespaces[OCI_NS_UTS].wanted)
		json_at_fail(
			root, member,
			"would change the host's; add { \"type\": \"uts\" } to linux.namespaces");
}

static void parse_document(const struct parser *parser, const struct json_at *root)
{
	struct oci_runtime_config *config = parser->config;
	struct json_at at;

	if (!json_object_is_type(root->value, json_type_object)) {
		json_at_fail(root, NULL, "not an object");
		return;
	}
	parse_version(root);
	parse_root(parser, root);
	json_at_copy(root, "hostname", &config->hostname);
	json_at_copy(root, "domainname", &config->domainname);
	struct json_at mounts;
	if (json_at_member(root, "mounts", json_type_array, &mounts))
		for (size_t i = 0; json_at_element(&mounts, i, json_type_object, &at); i++)
			parse_mount(parser, &at);
	if (json_at_member(root, "process", json_type_object, &at))
		oci_parse_process(&at, &config->process);
	else
		json_at_fail(root, "process", "missing");
	parse_hooks(parser, root);
	json_at_pairs(root, "annotations", add_annotation, config);
	if (json_at_member(root, "linux", json_type_object, &at))
		oci_parse_linux(&at, config);
	check_names(parser, root);
}

int oci_runtime_config_parse(const char *text, size_t size, const char *bundle,
			     struct oci_runtime_config **ret_config, struct err *err)
{
	struct json_reader reader = { .document = "config.json", .err = err };
	autojson struct json_object *root = NULL;

	int r = json_parse(text, size, &root, err);
	if (r < 0)
		return err_wrap(err, "config.json");
	struct parser parser = { oci_runtime_config_new(), bundle };
	parser.config->bundle_path = xstrdup(bundle);
	struct json_at at = json_at_root(&reader, root);
	parse_document(&parser, &at);
	r = json_reader_failed(&reader);
	if (r < 0) {
		oci_runtime_config_free(parser.config);
		return r;
	}
	*ret_config = parser.config;
	return 0;
}

int oci_process_parse(const char *text, size_t size, const char *document,
		      struct oci_process **ret_process, struct err *err)
{
	struct json_reader reader = { .document = document, .err = err };
	autojson struct json_object *root = NULL;

	int r = json_parse(text, size, &root, err);
	if (r < 0)
		return err_wrap(err, "%s", document);
	struct oci_process *process = oci_process_new();
	struct json_at at = json_at_root(&reader, root);
	if (json_object_is_type(root, json_type_object))
		oci_parse_process(&at, process);
	else
		json_at_fail(&at, NULL, "not an object");
	r = json_reader_failed(&reader);
	if (r < 0) {
		oci_process_free(process);
		return r;
	}
	*ret_process = process;
	return 0;
}

int oci_resources_parse(const char *text, size_t size, struct cgroup_resources *resources,
			struct err *err)
{
	struct json_reader reader = { .document = "resources", .err = err };
	autojson struct json_object *root = NULL;

	int r = json_parse(text, size, &root, err);
	if (r < 0)
		return err_wrap(err, "resources");
	struct json_at at = json_at_root(&reader, root);
	if (json_object_is_type(root, json_type_object))
		oci_parse_resources(&at, resources);
	else
		json_at_fail(&at, NULL, "not an object");
	return json_reader_failed(&reader);
}
