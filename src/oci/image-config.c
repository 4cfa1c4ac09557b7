/* Reads the image configuration. Only what decides which layers are used is checked hard: a wrong
 * label must not keep an image from running. */
#include "oci/image-config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "oci/reference.h"
#include "oci/timestamp.h"

static char *get_text(struct json_object *object, const char *key)
{
	return xstrdup(json_get_string(object, key, ""));
}

/* The keys of an object used as a set: {"80/tcp": {}}. Old documents have a list there. */
static void get_keys(struct json_object *object, const char *key, struct strlist *list)
{
	struct json_object *set = json_get(object, key);

	if (json_object_is_type(set, json_type_array)) {
		json_get_strlist(object, key, list);
		return;
	}
	if (!json_object_is_type(set, json_type_object))
		return;
	json_object_object_foreach(set, name, unused)
	{
		(void)unused;
		strlist_add(list, name);
	}
}

static void get_labels(struct json_object *object, struct strlist *labels)
{
	struct json_object *set = json_get(object, "Labels");

	if (!json_object_is_type(set, json_type_object))
		return;
	json_object_object_foreach(set, name, value)
	{
		if (json_object_is_type(value, json_type_string))
			strlist_addf(labels, "%s=%s", name, json_object_get_string(value));
	}
}

static void get_time(struct json_object *object, const char *key, int64_t *ret_nsec, bool *ret_has)
{
	*ret_has = oci_time_parse(json_get_string(object, key, ""), ret_nsec) == 0;
}

static void parse_run_config(struct json_object *object, struct oci_image_config *config)
{
	struct json_object *health = json_get(object, "Healthcheck");

	config->user = get_text(object, "User");
	json_get_strlist(object, "Env", &config->env);
	json_get_strlist(object, "Entrypoint", &config->entrypoint);
	json_get_strlist(object, "Cmd", &config->cmd);
	json_get_strlist(object, "OnBuild", &config->on_build);
	json_get_strlist(object, "Shell", &config->shell);
	get_keys(object, "ExposedPorts", &config->exposed_ports);
	get_keys(object, "Volumes", &config->volumes);
	get_labels(object, &config->labels);
	config->working_dir = get_text(object, "WorkingDir");
	config->stop_signal = get_text(object, "StopSignal");

	json_get_strlist(health, "Test", &config->health_check.test);
	config->health_check.interval_nsec = json_get_int(health, "Interval", 0);
	config->health_check.timeout_nsec = json_get_int(health, "Timeout", 0);
	config->health_check.start_period_nsec = json_get_int(health, "StartPeriod", 0);
	config->health_check.retries = json_get_int(health, "Retries", 0);
}

static void parse_history(struct json_object *list, struct oci_image_config *config)
{
	if (!json_object_is_type(list, json_type_array))
		return;
	size_t count = json_object_array_length(list);
	config->history = xcalloc(count ? count : 1, sizeof(*config->history));
	config->history_count = count;
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		struct oci_history *history = &config->history[i];

		get_time(entry, "created", &history->created_nsec, &history->has_created);
		history->created_by = xstrdup(json_get_string(entry, "created_by", NULL));
		history->author = xstrdup(json_get_string(entry, "author", NULL));
		history->comment = xstrdup(json_get_string(entry, "comment", NULL));
		history->empty_layer = json_get_bool(entry, "empty_layer", false);
	}
}

static int parse_layers(struct json_object *root, const char *digest,
			struct oci_image_config *config, struct err *err)
{
	struct json_object *list = json_get(json_get(root, "rootfs"), "diff_ids");

	if (!list)
		return err_set(err, EBADMSG,
			       "image configuration '%s' names no layers (rootfs.diff_ids); it is "
			       "no container image",
			       digest);
	if (!json_object_is_type(list, json_type_array))
		return err_set(err, EBADMSG, "image configuration '%s': rootfs.diff_ids is no list",
			       digest);
	size_t count = json_object_array_length(list);
	if (count > OCI_LAYERS_MAX)
		return err_set(err, EBADMSG,
			       "image configuration '%s' has %zu layers, more than the %d allowed",
			       digest, count, OCI_LAYERS_MAX);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *diff_id = json_object_is_type(item, json_type_string)
					      ? json_object_get_string(item)
					      : "";
		if (!reference_digest_is_valid(diff_id))
			return err_set(err, EBADMSG,
				       "image configuration '%s': diff ID '%.100s' of layer %zu is "
				       "no sha256 digest",
				       digest, diff_id, i);
		strlist_add(&config->diff_ids, diff_id);
	}
	return 0;
}

int oci_image_config_parse(const char *text, size_t size, const char *digest,
			   struct oci_image_config **ret_config, struct err *err)
{
	autojson struct json_object *root = NULL;
	autoimage_config struct oci_image_config *config = xcalloc(1, sizeof(*config));

	if (size > OCI_IMAGE_CONFIG_SIZE_MAX)
		return err_set(err, EBADMSG,
			       "image configuration '%s' is larger than the %d bytes allowed",
			       digest, OCI_IMAGE_CONFIG_SIZE_MAX);
	int r = json_parse(text, size, &root, err);
	if (r < 0) {
		(void)err_wrap(err, "image configuration '%s'", digest);
		err->code = EBADMSG;
		return -EBADMSG;
	}
	if (!json_object_is_type(root, json_type_object))
		return err_set(err, EBADMSG, "image configuration '%s' is no JSON object", digest);

	config->architecture = get_text(root, "architecture");
	config->os = get_text(root, "os");
	config->variant = get_text(root, "variant");
	config->author = get_text(root, "author");
	config->comment = get_text(root, "comment");
	get_time(root, "created", &config->created_nsec, &config->has_created);
	parse_run_config(json_get(root, "config"), config);
	parse_history(json_get(root, "history"), config);
	r = parse_layers(root, digest, config, err);
	if (r < 0)
		return r;
	*ret_config = take_ptr(&config);
	return 0;
}

void oci_image_config_free(struct oci_image_config *config)
{
	if (!config)
		return;
	free(config->architecture);
	free(config->os);
	free(config->variant);
	free(config->author);
	free(config->comment);
	free(config->user);
	strlist_clear(&config->env);
	strlist_clear(&config->entrypoint);
	strlist_clear(&config->cmd);
	strlist_clear(&config->exposed_ports);
	strlist_clear(&config->volumes);
	strlist_clear(&config->on_build);
	strlist_clear(&config->shell);
	strlist_clear(&config->labels);
	free(config->working_dir);
	free(config->stop_signal);
	strlist_clear(&config->health_check.test);
	strlist_clear(&config->diff_ids);
	for (size_t i = 0; i < config->history_count; i++) {
		free(config->history[i].created_by);
		free(config->history[i].author);
		free(config->history[i].comment);
	}
	free(config->history);
	free(config);
}
