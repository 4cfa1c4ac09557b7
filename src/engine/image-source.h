/* Images in files: OCI layouts, docker's archives and skopeo's directories, as sources.
 *
 *	docker-archive:FILE[:NAME]   what `docker save` writes
 *	oci-archive:FILE[:NAME]      an OCI layout in a tar archive
 *	oci:DIRECTORY[:NAME]         an OCI image layout
 *	dir:DIRECTORY                one file a blob, and manifest.json
 *
 * All of it is hostile. Archives may be compressed and may come through a pipe: they are unpacked
 * once into a directory of the store and hashed on the way, and their blobs are then renamed into
 * place. Links in archives are looked up in the archive's own list, never in the file system. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "oci/manifest.h"
#include "oci/reference.h"

struct err;
struct image_source;
struct progress;
struct store;

/* One image of a source. */
struct source_image {
	struct strbuf manifest; /* the bytes; made here for docker's archives, which have none */
	char digest[DIGEST_TEXT_SIZE];
	char *media_type;
	/* The index that led to it, when there is one below index.json. */
	struct strbuf index;
	char *index_type;
	struct strlist names; /* as the source has them: full, short, or a tag alone */
};

/* @transport:  one of the four, or IMAGE_TRANSPORT_NONE: find out what it is
 * @location:   what stands behind the transport's colon; "-" is standard input for archives
 * @platform:   which image of an index
 *
 * -ENOENT if there is no such file, -EBADMSG if it is no image. */
int image_source_open(struct store *store, enum image_transport transport, const char *location,
		      const struct oci_platform *platform, struct progress *progress,
		      struct image_source **ret_source, struct err *err);
void image_source_close(struct image_source *source);

static inline void image_source_close_auto(struct image_source **at)
{
	image_source_close(*at);
}
#define autosource __attribute__((cleanup(image_source_close_auto)))

size_t image_source_count(const struct image_source *source);
const struct source_image *image_source_image(const struct image_source *source, size_t index);
/* "localhost/tmp/image": the name that podman gives to images of nameless sources; NULL for
 * archives. Borrowed. */
const char *image_source_default_name(const struct image_source *source);

/* Read a small blob and check it; -EBADMSG if it is not what its digest says. */
int image_source_read(struct image_source *source, const char *digest, size_t limit,
		      struct strbuf *ret_data, struct err *err);
/* Bring a blob into the store, checked. */
int image_source_adopt(struct image_source *source, const char *digest, int64_t size_bytes,
		       struct err *err);
