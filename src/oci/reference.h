/* Names of images: [registry[:port]/]path[:tag][@digest], and the transports that may stand in
 * front of them. The grammar is the one of distribution's reference package, which podman, skopeo
 * and docker share.
 *
 * The first component is a registry when it contains '.' or ':' or is "localhost"; a name without
 * one is short, and which registry is meant is for registry/short-name.h to say. Two rules are of
 * docker.io alone: "index.docker.io" is another word for it, and a path of one component lives
 * below "library/". */
#pragma once

#include <stdbool.h>

struct err;

struct reference {
	char *domain; /* "docker.io", "localhost:5000"; NULL for a short name */
	char *path;   /* "library/nginx"; never NULL */
	char *tag;    /* NULL when none is given */
	char *digest; /* "sha256:HEX", NULL when none is given; wins over the tag */
};

#define REFERENCE_EMPTY ((struct reference){ 0 })
#define autoreference	__attribute__((cleanup(reference_clear)))

/* Take a name apart and check every part. No tag is made up. `text` must not have a transport in
 * front. Returns 0, or -EINVAL with a message that quotes the name. */
int reference_parse(const char *text, struct reference *ret_reference, struct err *err);
void reference_clear(struct reference *reference);
struct reference reference_copy(const struct reference *reference);

static inline bool reference_is_short(const struct reference *reference)
{
	return !reference->domain;
}

/* Put the name into a registry or a namespace of one ("quay.io", "localhost:5000/team"); a
 * docker.io name gains its "library/". Fails with EINVAL when the parts do not make a name. */
int reference_set_registry(struct reference *reference, const char *registry, struct err *err);

/* Set the tag "latest" when there is neither tag nor digest. */
void reference_set_default_tag(struct reference *reference);

/* Texts, owned by the caller. */
char *reference_repository(const struct reference *reference); /* domain/path */
char *reference_print(const struct reference *reference);      /* domain/path[:tag][@digest] */
/* As docker prints it: without "docker.io/" and "library/". */
char *reference_print_familiar(const struct reference *reference);

/* "sha256:" and 64 lower-case hex digits. */
bool reference_digest_is_valid(const char *digest);

enum image_transport {
	IMAGE_TRANSPORT_NONE, /* no prefix: a name, perhaps a local one */
	IMAGE_TRANSPORT_REGISTRY,
	IMAGE_TRANSPORT_OCI,
	IMAGE_TRANSPORT_OCI_ARCHIVE,
	IMAGE_TRANSPORT_DOCKER_ARCHIVE,
	IMAGE_TRANSPORT_DIR,
	IMAGE_TRANSPORT_STORAGE,
};

/* Which transport stands in front of `text`, and where the rest begins (inside `text`). See
 * containers-transports(5). */
enum image_transport image_transport_split(const char *text, const char **ret_rest);
/* "docker://", "oci-archive:", …; "" for none */
const char *image_transport_prefix(enum image_transport transport);
