/* Manifests and indexes: which blobs make up an image, and which image is for which machine.
 *
 * OCI image manifests and indexes, and Docker's "schema 2" manifests and manifest lists, which have
 * the same members under other media types. Docker's schema 1 is refused by name. The documents are
 * foreign and bounded; digests are checked for form here and for truth by whoever fetches. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;

/* The distribution specification's recommended limit for a manifest. */
#define OCI_MANIFEST_SIZE_MAX (4 * 1024 * 1024)

#define OCI_MEDIA_TYPE_MANIFEST	   "application/vnd.oci.image.manifest.v1+json"
#define OCI_MEDIA_TYPE_INDEX	   "application/vnd.oci.image.index.v1+json"
#define OCI_MEDIA_TYPE_CONFIG	   "application/vnd.oci.image.config.v1+json"
#define OCI_MEDIA_TYPE_LAYER	   "application/vnd.oci.image.layer.v1.tar"
#define OCI_MEDIA_TYPE_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_MEDIA_TYPE_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define DOCKER_MEDIA_TYPE_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_MEDIA_TYPE_LIST	   "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MEDIA_TYPE_CONFIG   "application/vnd.docker.container.image.v1+json"
#define DOCKER_MEDIA_TYPE_LAYER	   "application/vnd.docker.image.rootfs.diff.tar.gzip"

/* What all of these to ask a registry for: the value of an Accept header. */
#define OCI_MANIFEST_ACCEPT                                                                        \
	OCI_MEDIA_TYPE_MANIFEST ", " OCI_MEDIA_TYPE_INDEX ", " DOCKER_MEDIA_TYPE_MANIFEST          \
				", " DOCKER_MEDIA_TYPE_LIST

struct oci_platform {
	char *os, *architecture, *variant; /* NULL when absent */
};

struct oci_descriptor {
	char *media_type; /* "" when absent */
	char *digest;	  /* "sha256:HEX", checked for form */
	int64_t size;	  /* bytes, >= 0 */
	bool has_platform;
	struct oci_platform platform; /* entries of an index */
	char *reference_name;	      /* annotation org.opencontainers.image.ref.name, or NULL */
	char *image_name; /* annotation io.containerd.image.name, a full name, or NULL */
};

/* As manifests and indexes name a blob; owned by the caller. */
struct json_object *oci_descriptor_to_json(const char *media_type, const char *digest,
					   int64_t size);

enum oci_manifest_kind { OCI_MANIFEST_IMAGE, OCI_MANIFEST_INDEX };

struct oci_manifest {
	enum oci_manifest_kind kind;
	char *media_type;	      /* its own, or what it must be by its members */
	bool is_docker;		      /* of Docker's types */
	struct oci_descriptor config; /* of an image */
	struct oci_descriptor *items; /* layers, lowest first; or the index's manifests */
	size_t item_count;
};

/* @digest:      names the document in errors
 * @media_type:  what the server said it is, or NULL; the document's own word is believed first
 *
 * -EBADMSG if it is neither manifest nor index, -EOPNOTSUPP for schema 1 and artifacts. */
int oci_manifest_parse(const char *text, size_t size, const char *digest, const char *media_type,
		       struct oci_manifest **ret_manifest, struct err *err);
void oci_manifest_free(struct oci_manifest *manifest);

static inline void oci_manifest_free_auto(struct oci_manifest **at)
{
	oci_manifest_free(*at);
}
#define automanifest __attribute__((cleanup(oci_manifest_free_auto)))

void oci_platform_clear(struct oci_platform *platform);

/* This machine: Linux, the architecture in Go's words ("amd64", "arm64"), the variant of ARM. */
struct oci_platform oci_platform_of_host(void);

/* "OS[/ARCH[/VARIANT]]"; parts that are absent become the host's. uname's words for architectures
 * ("x86_64", "aarch64") are turned into Go's. */
int oci_platform_parse(const char *text, struct oci_platform *ret_platform, struct err *err);
/* Replace single parts; NULL keeps. Another architecture drops the variant. */
/* Are these words that images use? Either may be NULL. */
int oci_platform_check(const char *os, const char *architecture, struct err *err);
void oci_platform_set(struct oci_platform *platform, const char *os, const char *architecture,
		      const char *variant);
char *oci_platform_print(const struct oci_platform *platform); /* "linux/amd64" */

/* The entry of the index that suits the platform best: the exact variant, then compatible older
 * variants (ARM), then one without a variant. -ENOENT names what there is instead. */
int oci_index_select(const struct oci_manifest *index, const char *digest,
		     const struct oci_platform *platform, const struct oci_descriptor **ret_entry,
		     struct err *err);

bool oci_media_type_is_index(const char *media_type);
