/* The program is part of davit's own executable (builtin-data.S); layer, configuration and manifest
 * are made from it when the image is asked for. All times are fixed, so one davit always makes the
 * same digests. */
#include "engine/builtin-image.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/strbuf.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/layer-fetch.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/store.h"
#include "store/tar.h"

#define NAME	"localhost/davit/helloweb:latest"
#define CREATED "2025-01-01T00:00:00Z"

extern const char builtin_helloweb[];
extern const uint64_t builtin_helloweb_size;

bool builtin_image_is(const struct reference *reference)
{
	return strcmp(reference->path, "davit/helloweb") == 0 &&
	       (!reference->domain || strcmp(reference->domain, "localhost") == 0) &&
	       !reference->digest && (!reference->tag || strcmp(reference->tag, "latest") == 0);
}

static int add_to_buffer(void *arg, const void *data, size_t size, struct err *err)
{
	struct strbuf *buf = arg;

	strbuf_add(buf, data, size);
	return 0;
}

static int make_layer(struct strbuf *ret_tar, struct err *err)
{
	static const struct {
		const char *path;
		mode_t mode;
	} directories[] = { { "dev/", 0755 },
			    { "etc/", 0755 },
			    { "proc/", 0555 },
			    { "sys/", 0555 },
			    { "tmp/", 01777 } };
	struct tar_sink sink = { .write = add_to_buffer, .arg = ret_tar };
	autotarwriter struct tar_writer *writer = tar_writer_new(&sink);
	size_t size = (size_t)builtin_helloweb_size;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(directories); i++) {
		struct tar_entry entry = { .type = TAR_DIRECTORY,
					   .path = directories[i].path,
					   .link = "",
					   .mode = directories[i].mode };
		r = tar_writer_entry(writer, &entry, err);
	}
	struct tar_entry program = {
		.type = TAR_FILE, .path = "helloweb", .link = "", .size = size, .mode = 0755
	};
	if (r >= 0)
		r = tar_writer_entry(writer, &program, err);
	if (r >= 0)
		r = tar_writer_data(writer, builtin_helloweb, size, err);
	return r < 0 ? r : tar_writer_finish(writer, err);
}

static char *make_config(const char *diff_id)
{
	struct oci_platform host = oci_platform_of_host();
	char *text = xasprintf(
		"{\"created\":\"" CREATED "\",\"author\":\"davit\",\"architecture\":\"%s\","
		"\"os\":\"linux\",\"config\":{\"ExposedPorts\":{\"88/tcp\":{}},\"Cmd\":"
		"[\"/helloweb\"],\"WorkingDir\":\"/\",\"Labels\":{"
		"\"org.opencontainers.image.title\":\"helloweb\","
		"\"org.opencontainers.image.description\":\"A tiny web server that davit "
		"carries\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]},\"history\":["
		"{\"created\":\"" CREATED "\",\"created_by\":\"davit\",\"comment\":\"built in\"}]}",
		host.architecture, diff_id);

	oci_platform_clear(&host);
	return text;
}

static char *make_manifest(const char *config_digest, size_t config_size, const char *layer_digest,
			   size_t layer_size)
{
	return xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_TYPE_MANIFEST
			 "\",\"config\":{\"mediaType\":\"" OCI_MEDIA_TYPE_CONFIG
			 "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
			 "\"" OCI_MEDIA_TYPE_LAYER "\",\"digest\":\"%s\",\"size\":%zu}]}",
			 config_digest, config_size, layer_digest, layer_size);
}

int builtin_image_make(struct engine *engine, struct progress *progress, char **ret_id,
		       struct err *err)
{
	autostrbuf struct strbuf tar = STRBUF_EMPTY;
	autostrlist struct strlist names = STRLIST_EMPTY;
	automanifest struct oci_manifest *manifest = NULL;
	autoimage_config struct oci_image_config *config = NULL;
	autoclose int pull_lock = -1;
	char layer_digest[DIGEST_TEXT_SIZE], config_digest[DIGEST_TEXT_SIZE],
		manifest_digest[DIGEST_TEXT_SIZE];
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = store_begin_pull(store, &pull_lock, err);
	if (r >= 0)
		r = make_layer(&tar, err);
	if (r >= 0)
		r = blob_write(store, tar.data, tar.size, layer_digest, err);
	if (r < 0)
		return err_wrap(err, "built-in image");
	autofree char *config_text = make_config(layer_digest);
	r = blob_write(store, config_text, strlen(config_text), config_digest, err);
	if (r < 0)
		return err_wrap(err, "built-in image");
	autofree char *manifest_text =
		make_manifest(config_digest, strlen(config_text), layer_digest, tar.size);
	r = blob_write(store, manifest_text, strlen(manifest_text), manifest_digest, err);
	if (r >= 0)
		r = oci_manifest_parse(manifest_text, strlen(manifest_text), manifest_digest, NULL,
				       &manifest, err);
	if (r >= 0)
		r = oci_image_config_parse(config_text, strlen(config_text), config_digest, &config,
					   err);
	struct layer_fetch fetch = {
		.engine = engine, .manifest = manifest, .config = config, .progress = progress
	};
	if (r >= 0)
		r = layer_fetch_all(&fetch, err);
	if (r < 0)
		return err_wrap(err, "built-in image");

	struct image_layer layer = { .diff_id = layer_digest,
				     .blob_digest = layer_digest,
				     .media_type = manifest->items[0].media_type,
				     .blob_size = (int64_t)tar.size };
	strlist_add(&names, NAME);
	struct image_record record = { .manifest_digest = manifest_digest,
				       .manifest_type = manifest->media_type,
				       .config = config_text,
				       .config_size = strlen(config_text),
				       .layers = &layer,
				       .layer_count = 1,
				       .names = &names };
	return image_record(store, &record, ret_id, err);
}
