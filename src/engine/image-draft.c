#include "engine/image-draft.h"

#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/signals.h"
#include "oci/image-instruction.h"
#include "oci/manifest.h"
#include "oci/timestamp.h"
#include "store/blob.h"
#include "store/store.h"

#define DOCKER_MEDIA_TYPE_LAYER_PLAIN "application/vnd.docker.image.rootfs.diff.tar"
#define DOCKER_MEDIA_TYPE_LAYER_ZSTD  "application/vnd.docker.image.rootfs.diff.tar.zstd"

struct image_draft {
	struct json_object *document;
	struct image_layer *layers; /* owned, with their texts */
	size_t layer_count;
	int64_t now_nsec; /* one time for all of it */
	bool is_docker;
};

struct image_draft *image_draft_new(const struct oci_platform *platform)
{
	struct image_draft *draft = xcalloc(1, sizeof(*draft));

	draft->now_nsec = timestamp_now_nsec();
	draft->document = json_object_new_object();
	json_add_string(draft->document, "architecture", platform->architecture);
	json_add_string(draft->document, "os", platform->os);
	json_add_string(draft->document, "variant", platform->variant);
	(void)json_need_object(draft->document, "config");
	return draft;
}

static void append_layer(struct image_draft *draft, const struct image_layer *layer)
{
	draft->layers =
		xreallocarray(draft->layers, draft->layer_count + 1, sizeof(*draft->layers));
	draft->layers[draft->layer_count++] = (struct image_layer){
		.diff_id = xstrdup(layer->diff_id),
		.blob_digest = xstrdup(layer->blob_digest),
		.media_type = xstrdup(layer->media_type),
		.blob_size = layer->blob_size,
	};
}

/* Old documents may have no history; readers count on an entry for each layer once there is one. */
static void complete_history(struct image_draft *draft)
{
	struct json_object *list = json_need_array(draft->document, "history");
	size_t count = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		count += !json_get_bool(json_object_array_get_idx(list, i), "empty_layer", false);
	for (; count < draft->layer_count; count++) {
		struct json_object *entry = json_object_new_object();
		json_add_string(entry, "created_by", "");
		json_object_array_add(list, entry);
	}
}

int image_draft_from_image(struct engine *engine, struct image *image,
			   struct image_draft **ret_draft, struct err *err)
{
	/* What Docker keeps there of how the image came about, which is not how this one does. */
	static const char *const stale[] = { "id",	"parent",	    "container",
					     "comment", "container_config", "docker_version",
					     "author",	"throwaway" };
	autoimagedraft struct image_draft *draft = xcalloc(1, sizeof(*draft));
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_load_config(store, image, err);
	if (r >= 0)
		r = image_load_layers(store, image, err);
	if (r >= 0)
		r = json_parse(image->config_text, image->config_size, &draft->document, err);
	if (r < 0)
		return r;
	draft->now_nsec = timestamp_now_nsec();
	for (size_t i = 0; i < ARRAY_SIZE(stale); i++)
		json_object_object_del(draft->document, stale[i]);
	json_object_object_del(json_need_object(draft->document, "config"), "OnBuild");
	for (size_t i = 0; i < image->layer_count; i++)
		append_layer(draft, &image->layers[i]);
	complete_history(draft);
	*ret_draft = take_ptr(&draft);
	return 0;
}

static void clear_layers(struct image_draft *draft)
{
	for (size_t i = 0; i < draft->layer_count; i++) {
		free(draft->layers[i].diff_id);
		free(draft->layers[i].blob_digest);
		free(draft->layers[i].media_type);
	}
	free(draft->layers);
	draft->layers = NULL;
	draft->layer_count = 0;
}

void image_draft_free(struct image_draft *draft)
{
	if (!draft)
		return;
	clear_layers(draft);
	json_object_put(draft->document);
	free(draft);
}

struct json_object *image_draft_document(struct image_draft *draft)
{
	return draft->document;
}

struct json_object *image_draft_run_config(struct image_draft *draft)
{
	return json_need_object(draft->document, "config");
}

int image_draft_change(struct json_object *run_config, const char *instruction, struct err *err)
{
	int r = image_instruction_apply(run_config, instruction, err);
	const char *signal = json_get_string(run_config, "StopSignal", NULL);

	if (r == 0 && signal &&
	    strncasecmp(instruction + strspn(instruction, " \t"), "STOPSIGNAL", 10) == 0 &&
	    signal_from_name(signal) < 0)
		return err_set(err, EINVAL,
			       "invalid change \"%s\" - '%s' is no signal; see signal(7)",
			       instruction, signal);
	return r;
}

void image_draft_describe(struct image_draft *draft, const char *author, const char *comment)
{
	json_add_string(draft->document, "author", author);
	json_add_string(draft->document, "comment", comment);
}

void image_draft_set_docker(struct image_draft *draft)
{
	draft->is_docker = true;
}

void image_draft_drop_layers(struct image_draft *draft)
{
	clear_layers(draft);
	json_object_object_add(draft->document, "history", json_object_new_array());
}

void image_draft_add_layer(struct image_draft *draft, const struct image_layer *layer,
			   const struct draft_history *history)
{
	autofree char *created = oci_time_print(draft->now_nsec);
	struct json_object *entry = json_object_new_object();

	append_layer(draft, layer);
	json_add_string(entry, "created", created);
	json_add_string(entry, "created_by", history->created_by);
	json_add_string(entry, "author", history->author);
	json_add_string(entry, "comment", history->comment);
	json_object_array_add(json_need_array(draft->document, "history"), entry);
}

/* ---- recording ---- */

static const char *layer_type(const struct image_draft *draft, const struct image_layer *layer)
{
	const char *type = layer->media_type;
	bool is_gzip = strstr(type, "gzip"), is_zstd = strstr(type, "zstd");

	if (draft->is_docker)
		return is_gzip	 ? DOCKER_MEDIA_TYPE_LAYER
		       : is_zstd ? DOCKER_MEDIA_TYPE_LAYER_ZSTD
				 : DOCKER_MEDIA_TYPE_LAYER_PLAIN;
	return is_gzip	 ? OCI_MEDIA_TYPE_LAYER_GZIP
	       : is_zstd ? OCI_MEDIA_TYPE_LAYER_ZSTD
			 : OCI_MEDIA_TYPE_LAYER;
}

static void finish_document(struct image_draft *draft)
{
	struct json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();
	autofree char *created = oci_time_print(draft->now_nsec);

	json_object_object_del(draft->document, "created");
	json_add_string(draft->document, "created", created);
	json_add_string(rootfs, "type", "layers");
	for (size_t i = 0; i < draft->layer_count; i++)
		json_append_string(ids, draft->layers[i].diff_id);
	json_object_object_add(rootfs, "diff_ids", ids);
	json_object_object_add(draft->document, "rootfs", rootfs);
}

static struct json_object *make_manifest(const struct image_draft *draft, const char *digest,
					 size_t size)
{
	struct json_object *manifest = json_object_new_object(), *layers = json_object_new_array();

	json_add_int(manifest, "schemaVersion", 2);
	json_add_string(manifest, "mediaType",
			draft->is_docker ? DOCKER_MEDIA_TYPE_MANIFEST : OCI_MEDIA_TYPE_MANIFEST);
	json_object_object_add(manifest, "config",
			       oci_descriptor_to_json(draft->is_docker ? DOCKER_MEDIA_TYPE_CONFIG
								       : OCI_MEDIA_TYPE_CONFIG,
						      digest, (int64_t)size));
	for (size_t i = 0; i < draft->layer_count; i++) {
		const struct image_layer *layer = &draft->layers[i];
		json_object_array_add(layers,
				      oci_descriptor_to_json(layer_type(draft, layer),
							     layer->blob_digest, layer->blob_size));
	}
	json_object_object_add(manifest, "layers", layers);
	return manifest;
}

int image_draft_record(struct engine *engine, struct image_draft *draft, const char *name,
		       char **ret_id, struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;
	autojson struct json_object *manifest = NULL;
	char config_digest[DIGEST_TEXT_SIZE], manifest_digest[DIGEST_TEXT_SIZE];
	struct store *store;

	int r = engine_store(engine, &store, err);
	if (r < 0)
		return r;
	finish_document(draft);
	const char *config = json_text(draft->document);
	r = blob_write(store, config, strlen(config), config_digest, err);
	if (r < 0)
		return r;
	manifest = make_manifest(draft, config_digest, strlen(config));
	const char *text = json_text(manifest);
	r = blob_write(store, text, strlen(text), manifest_digest, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < draft->layer_count; i++) {
		char *type = xstrdup(layer_type(draft, &draft->layers[i]));
		free(draft->layers[i].media_type);
		draft->layers[i].media_type = type;
	}
	if (name)
		strlist_add(&names, name);
	struct image_record record = {
		.manifest_digest = manifest_digest,
		.manifest_type =
			draft->is_docker ? DOCKER_MEDIA_TYPE_MANIFEST : OCI_MEDIA_TYPE_MANIFEST,
		.config = config,
		.config_size = strlen(config),
		.layers = draft->layers,
		.layer_count = draft->layer_count,
		.names = &names,
	};
	return image_record(store, &record, ret_id, err);
}
