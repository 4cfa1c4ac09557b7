#include "cli/image-row.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "oci/image-config.h"
#include "oci/timestamp.h"
#include "store/store.h"

char *image_time_text(int64_t nsec)
{
	autofree char *text = oci_time_print(nsec);
	size_t size = strlen(text);

	/* "2024-01-02T03:04:05.5Z" */
	return xasprintf("%.10s %.*s +0000 UTC", text, (int)(size - 12), text + 11);
}

struct json_object *labels_to_json(const struct strlist *labels)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < labels->count; i++) {
		const char *equals = strchr(labels->items[i], '=');
		autofree char *key =
			xstrndup(labels->items[i], equals ? (size_t)(equals - labels->items[i])
							  : strlen(labels->items[i]));
		json_add_string(object, key, equals ? equals + 1 : "");
	}
	return object;
}

struct json_object *list_or_null(const struct strlist *list)
{
	if (list->count == 0)
		return NULL;
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, json_object_new_string(list->items[i]));
	return array;
}

/* Names without those by digest. */
static void tags_of(const struct image *image, struct strlist *tags)
{
	for (size_t i = 0; i < image->names.count; i++)
		if (!strchr(image->names.items[i], '@'))
			strlist_add(tags, image->names.items[i]);
}

static struct json_object *new_list(const struct strlist *list)
{
	struct json_object *array = list_or_null(list);

	return array ? array : json_object_new_array();
}

int image_to_json(struct engine *engine, struct image *image, struct json_object **ret_json,
		  struct err *err)
{
	autostrlist struct strlist tags = STRLIST_EMPTY;
	autofree char *created = oci_time_print(image->created_nsec);
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = image_load_config(store, image, err);
	if (r < 0)
		return r;
	tags_of(image, &tags);
	struct json_object *json = json_object_new_object();
	json_add_string(json, "Id", image->id);
	json_add_string(json, "ParentId", "");
	json_object_object_add(json, "RepoTags", list_or_null(&tags));
	json_object_object_add(json, "RepoDigests", new_list(&image->digests));
	json_add_int(json, "Size", image->size_bytes);
	json_add_int(json, "SharedSize", 0);
	json_add_int(json, "VirtualSize", image->size_bytes);
	json_object_object_add(json, "Labels",
			       image->config->labels.count ? labels_to_json(&image->config->labels)
							   : NULL);
	json_add_int(json, "Containers", image->container_count);
	if (image->names.count == 0)
		json_add_bool(json, "Dangling", true);
	json_object_object_add(json, "Names", new_list(&image->names));
	json_add_string(json, "Digest", image->manifest_digest);
	json_object_object_add(json, "History", new_list(&image->names));
	json_add_int(json, "Created", image->created_nsec / 1000000000);
	json_add_string(json, "CreatedAt", created);
	*ret_json = json;
	return 0;
}

static struct json_object *set_to_json(const struct strlist *set)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < set->count; i++)
		json_object_object_add(object, set->items[i], json_object_new_object());
	return object;
}

/* What a container runs, as far as the image says anything. */
static struct json_object *run_config(const struct oci_image_config *config)
{
	struct json_object *json = json_object_new_object();
	const struct {
		const char *key;
		const struct strlist *list;
	} lists[] = { { "Env", &config->env },
		      { "Entrypoint", &config->entrypoint },
		      { "Cmd", &config->cmd },
		      { "OnBuild", &config->on_build },
		      { "Shell", &config->shell } };

	if (*config->user)
		json_add_string(json, "User", config->user);
	if (config->exposed_ports.count)
		json_object_object_add(json, "ExposedPorts", set_to_json(&config->exposed_ports));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].list->count)
			json_object_object_add(json, lists[i].key, new_list(lists[i].list));
	if (config->volumes.count)
		json_object_object_add(json, "Volumes", set_to_json(&config->volumes));
	if (*config->working_dir)
		json_add_string(json, "WorkingDir", config->working_dir);
	if (config->labels.count)
		json_object_object_add(json, "Labels", labels_to_json(&config->labels));
	if (*config->stop_signal)
		json_add_string(json, "StopSignal", config->stop_signal);
	if (config->health_check.test.count) {
		const struct oci_health_check *check = &config->health_check;
		struct json_object *health = json_object_new_object();
		json_object_object_add(health, "Test", new_list(&check->test));
		if (check->interval_nsec)
			json_add_int(health, "Interval", check->interval_nsec);
		if (check->timeout_nsec)
			json_add_int(health, "Timeout", check->timeout_nsec);
		if (check->start_period_nsec)
			json_add_int(health, "StartPeriod", check->start_period_nsec);
		if (check->retries)
			json_add_int(health, "Retries", check->retries);
		json_object_object_add(json, "Healthcheck", health);
	}
	return json;
}

static struct json_object *history_to_json(const struct oci_image_config *config)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < config->history_count; i++) {
		const struct oci_history *step = &config->history[i];
		struct json_object *json = json_object_new_object();
		if (step->has_created) {
			autofree char *created = oci_time_print(step->created_nsec);
			json_add_string(json, "created", created);
		}
		json_add_string(json, "created_by", step->created_by);
		json_add_string(json, "author", step->author);
		json_add_string(json, "comment", step->comment);
		if (step->empty_layer)
			json_add_bool(json, "empty_layer", true);
		json_object_array_add(array, json);
	}
	return array;
}

/* Where the layers lie, in the words of podman's overlay driver. */
static struct json_object *graph_driver(struct store *store, const struct oci_image_config *config)
{
	struct json_object *driver = json_object_new_object(), *data = json_object_new_object();
	autostrlist struct strlist lower = STRLIST_EMPTY;
	size_t count = config->diff_ids.count;

	json_add_string(driver, "Name", "overlay");
	for (size_t i = count; i > 1; i--)
		strlist_take(&lower, store_layer_path(store, config->diff_ids.items[i - 2]));
	if (lower.count) {
		autofree char *joined = strlist_join(&lower, ":");
		json_add_string(data, "LowerDir", joined);
	}
	if (count > 0) {
		autofree char *upper = store_layer_path(store, config->diff_ids.items[count - 1]);
		json_add_string(data, "UpperDir", upper);
	}
	json_object_object_add(driver, "Data", data);
	return driver;
}

int inspect_image(struct engine *engine, const char *name, struct json_object **ret_json,
		  struct err *err)
{
	autoimage struct image *image = NULL;
	autostrlist struct strlist tags = STRLIST_EMPTY;
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = image_resolve(engine, name, &image, err);
	if (r >= 0)
		r = image_load_config(store, image, err);
	if (r >= 0)
		r = image_load_names(store, image, err);
	if (r < 0)
		return r;
	const struct oci_image_config *config = image->config;
	autofree char *created =
		oci_time_print(config->has_created ? config->created_nsec : INT64_MIN);
	const char *comment =
		config->history_count ? config->history[config->history_count - 1].comment : NULL;
	struct json_object *json = json_object_new_object(), *root_fs = json_object_new_object();
	autofree char *digest = xasprintf("sha256:%s", image->id);

	tags_of(image, &tags);
	json_add_string(json, "Id", image->id);
	json_add_string(json, "Digest", image->manifest_digest);
	json_object_object_add(json, "RepoTags", new_list(&tags));
	json_object_object_add(json, "RepoDigests", new_list(&image->digests));
	json_add_string(json, "Parent", "");
	json_add_string(json, "Comment", comment ? comment : "");
	json_add_string(json, "Created", created);
	json_object_object_add(json, "Config", run_config(config));
	json_add_string(json, "Version", "");
	json_add_string(json, "Author", config->author);
	json_add_string(json, "Architecture", config->architecture);
	json_add_string(json, "Os", config->os);
	if (*config->variant)
		json_add_string(json, "Variant", config->variant);
	json_add_int(json, "Size", image->size_bytes);
	json_add_int(json, "VirtualSize", image->size_bytes);
	json_object_object_add(json, "GraphDriver", graph_driver(store, config));
	json_add_string(root_fs, "Type", "layers");
	json_object_object_add(root_fs, "Layers", new_list(&config->diff_ids));
	json_object_object_add(json, "RootFS", root_fs);
	json_object_object_add(json, "Labels",
			       config->labels.count ? labels_to_json(&config->labels) : NULL);
	json_object_object_add(json, "Annotations", json_object_new_object());
	json_add_string(json, "ManifestType", image->manifest_type);
	json_add_string(json, "User", config->user);
	json_object_object_add(json, "History", history_to_json(config));
	json_object_object_add(json, "NamesHistory", new_list(&image->names));
	*ret_json = json;
	return 0;
}
