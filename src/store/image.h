/* Images: a configuration, the layers it names, and the names that users gave.
 *
 * An image is recorded in one transaction after everything it consists of is there and synced, so
 * an image in the database is complete. Its ID is the digest of its configuration; several
 * manifests may lead to it, and none, one or many names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strlist.h"

struct err;
struct oci_image_config;
struct store;

struct image_layer {
	char *diff_id;	   /* "sha256:HEX" */
	char *blob_digest; /* what it was pulled as */
	char *media_type;
	int64_t blob_size;
};

struct image {
	char *id; /* 64 hex digits */
	char *manifest_digest, *manifest_type;
	int64_t created_nsec;
	int64_t size_bytes; /* unpacked */
	char *architecture, *os, *variant;
	/* The name that it was found by, in full; NULL when it was found by its ID. */
	char *found_name;
	char *config_text; /* the very bytes; NULL in a list */
	size_t config_size;
	struct oci_image_config *config; /* NULL until image_load_config() */

	/* Empty until image_load_names() */
	struct strlist names;	/* "docker.io/library/nginx:latest", and names by digest */
	struct strlist digests; /* "docker.io/library/nginx@sha256:…" */
	/* Empty until image_load_layers(). To run a container config->diff_ids is enough. */
	struct image_layer *layers; /* lowest first */
	size_t layer_count;
	int64_t container_count; /* only in a list */
};

void image_free(struct image *image);
static inline void image_free_auto(struct image **at)
{
	image_free(*at);
}
#define autoimage __attribute__((cleanup(image_free_auto)))

/* The image of a user's word, by the first rule that finds one:
 *
 *	1 a full ID ("HEX", "sha256:HEX"), or a full name with or without tag
 *	2 each of `candidates`, full names in order of preference (registry/short-name.h makes them)
 *	3 the beginning of an ID, when it is that of only one image
 *	4 the end of a name, "/WORD[:TAG]", when it is that of only one image
 *
 * One SELECT for a full ID or name. -ENOENT if there is none, -EEXIST if the word is ambiguous. */
int image_find(struct store *store, const char *word, const struct strlist *candidates,
	       struct image **ret_image, struct err *err);

/* By its full ID. */
int image_load(struct store *store, const char *id, struct image **ret_image, struct err *err);

/* Fill in image->config, names and digests, or layers; each is done once. */
int image_load_config(struct store *store, struct image *image, struct err *err);
int image_load_names(struct store *store, struct image *image, struct err *err);
int image_load_layers(struct store *store, struct image *image, struct err *err);

/* All images, newest first, with names and the number of their containers. */
struct image_list {
	struct image **items;
	size_t count;
};
int image_list(struct store *store, struct image_list *ret_list, struct err *err);
void image_list_clear(struct image_list *list);
#define autoimage_list __attribute__((cleanup(image_list_clear)))

/* What a finished pull, load or build hands over. Everything it names is in the store already. */
struct image_record {
	const char *manifest_digest; /* of the image manifest */
	const char *manifest_type;
	const char *index_digest; /* of the index that led to it, or NULL */
	const char *index_type;
	const void *config;
	size_t config_size;
	const struct image_layer *layers;
	size_t layer_count;
	/* Full names; one that another image has is taken from it. */
	const struct strlist *names;
};
/* Record it, syncing the file system first when something of it is not synced yet. *ret_id is owned
 * by the caller. -EAGAIN if a layer or blob has been removed meanwhile: fetch what is missing. */
int image_record(struct store *store, const struct image_record *record, char **ret_id,
		 struct err *err);

/* Give it one more name, in full; taken from whoever has it. */
int image_tag(struct store *store, const struct image *image, const char *name, struct err *err);
/* Take a name from it. -ENOENT if it does not have it. */
int image_untag(struct store *store, const struct image *image, const char *name, struct err *err);

/* IDs of the containers made from it. */
int image_containers(struct store *store, const char *id, struct strlist *ret_ids, struct err *err);

/* Delete image and names; layers and blobs that no other image needs go into the store's trash,
 * which the caller empties. -EBUSY if a container uses it. */
int image_delete(struct store *store, const struct image *image, struct err *err);

/* Put away what a pull that failed for good has brought: those of these layers and blobs that no image
 * has. They go into the trash. */
int image_discard_parts(struct store *store, const struct strlist *diff_ids,
			const struct strlist *digests, struct err *err);

/* Full names: "REPOSITORY:TAG" or "REPOSITORY@DIGEST" taken apart; *ret_tag is NULL with a digest.
 * All owned by the caller. */
void image_name_split(const char *name, char **ret_repository, char **ret_tag, char **ret_digest);
