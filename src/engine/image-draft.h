/* An image that is being made here, by commit or import: its configuration as a JSON document and its layers.
 *
 *	struct image_draft *draft = image_draft_new(&platform);		// or
 *	image_draft_from_image(engine, image, &draft, err);
 *	image_draft_change(image_draft_run_config(draft), "CMD [\"sh\"]", err);
 *	image_draft_add_layer(draft, &layer, &history);
 *	image_draft_record(engine, draft, "localhost/web:latest", &id, err);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct engine;
struct err;
struct image;
struct image_layer;
struct json_object;
struct oci_platform;

struct image_draft;

/* Without layers, for this platform. */
struct image_draft *image_draft_new(const struct oci_platform *platform);
/* With the configuration and layers of another image. */
int image_draft_from_image(struct engine *engine, struct image *image,
			   struct image_draft **ret_draft, struct err *err);
void image_draft_free(struct image_draft *draft);

static inline void image_draft_free_auto(struct image_draft **at)
{
	image_draft_free(*at);
}
#define autoimagedraft __attribute__((cleanup(image_draft_free_auto)))

/* The whole document, and what a container of it runs ("config"); borrowed. */
struct json_object *image_draft_document(struct image_draft *draft);
struct json_object *image_draft_run_config(struct image_draft *draft);

/* image_instruction_apply(), which does not know what signals there are. */
int image_draft_change(struct json_object *run_config, const char *instruction, struct err *err);

/* Who made it, and what Docker's kind of configuration says about it; NULL: nobody, nothing. */
void image_draft_describe(struct image_draft *draft, const char *author, const char *comment);

/* Of another kind than OCI's: Docker's manifest and types. */
void image_draft_set_docker(struct image_draft *draft);

/* Forget layers and history; the settings stay. */
void image_draft_drop_layers(struct image_draft *draft);

struct draft_history {
	const char *created_by, *author, *comment; /* NULL: none */
};
/* The uppermost layer so far, and its entry in the history. */
void image_draft_add_layer(struct image_draft *draft, const struct image_layer *layer,
			   const struct draft_history *history);

/* Write configuration and manifest and record the image under this name, in full, or none. Its ID is
 * owned by the caller. */
int image_draft_record(struct engine *engine, struct image_draft *draft, const char *name,
		       char **ret_id, struct err *err);
