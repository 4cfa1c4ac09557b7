/* Bringing the layers of one image into the store: downloaded and unpacked side by side.
 *
 * A layer that is there already is passed over. Each of the others is unpacked by a worker process
 * while its blob still arrives, as many at a time as there are processors. Whatever is complete
 * when the process dies stays, and an unfinished download is continued by the next one. Two pulls
 * that want the same layer share it: the second one waits until the first has it. */
#pragma once

struct engine;
struct err;
struct image_source;
struct oci_image_config;
struct oci_manifest;
struct progress;
struct reference;
struct registry_client;

struct layer_fetch {
	struct engine *engine;
	const struct oci_manifest *manifest;
	const struct oci_image_config *config;
	/* From a registry … */
	struct registry_client *client;
	const struct reference *reference;
	/* … or from a directory or an archive. */
	struct image_source *source;
	struct progress *progress; /* may be NULL */
};

/* Afterwards all layers are recorded, and those blobs that had to be fetched are. */
int layer_fetch_all(const struct layer_fetch *fetch, struct err *err);
