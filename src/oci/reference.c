#include "oci/reference.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define NAME_MAX_BYTES 255 /* domain and path together */
#define TAG_MAX_BYTES  128

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_hex(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return true;
}

bool reference_digest_is_valid(const char *digest)
{
	return strlen(digest) == DIGEST_TEXT_SIZE - 1 && strncmp(digest, "sha256:", 7) == 0 &&
	       is_hex(digest + 7, SHA256_HEX_SIZE - 1);
}

/* host labels of letters, digits and inner hyphens, or an IPv6 address in brackets; then a port */
static bool domain_is_valid(const char *domain)
{
	const char *at = domain;

	if (*at == '[') {
		size_t size = strspn(at + 1, "0123456789abcdefABCDEF:");
		if (size < 2 || at[1 + size] != ']')
			return false;
		at += size + 2;
	} else {
		for (;;) {
			const char *label = at;
			while (is_lower_or_digit(*at) || is_upper(*at) || *at == '-')
				at++;
			if (at == label || *label == '-' || at[-1] == '-')
				return false;
			if (*at != '.')
				break;
			at++;
		}
	}
	if (*at == '\0')
		return true;
	if (*at++ != ':')
		return false;
	size_t digits = strspn(at, "0123456789");
	return digits > 0 && digits <= 5 && at[digits] == '\0';
}

/* Components of lower-case words; between words one dot, one or two underscores, or hyphens. */
static bool path_is_valid(const char *path)
{
	for (const char *at = path;;) {
		if (!is_lower_or_digit(*at))
			return false;
		while (is_lower_or_digit(*at))
			at++;
		if (*at == '\0')
			return true;
		if (*at == '/' || *at == '.')
			at++;
		else if (*at == '_')
			at += at[1] == '_' ? 2 : 1;
		else if (*at == '-')
			at += strspn(at, "-");
		else
			return false;
	}
}

static bool tag_is_valid(const char *tag)
{
	size_t size = strlen(tag);

	if (size == 0 || size > TAG_MAX_BYTES || tag[0] == '.' || tag[0] == '-')
		return false;
	for (size_t i = 0; i < size; i++)
		if (!is_lower_or_digit(tag[i]) && !is_upper(tag[i]) && !strchr("_.-", tag[i]))
			return false;
	return true;
}

static bool component_is_domain(const char *component, size_t size)
{
	return memchr(component, '.', size) || memchr(component, ':', size) ||
	       (size == 9 && memcmp(component, "localhost", 9) == 0);
}

static void apply_docker_rules(struct reference *reference)
{
	if (strcmp(reference->domain, "index.docker.io") == 0) {
		free(reference->domain);
		reference->domain = xstrdup("docker.io");
	}
	if (strcmp(reference->domain, "docker.io") == 0 && !strchr(reference->path, '/')) {
		char *longer = xasprintf("library/%s", reference->path);
		free(reference->path);
		reference->path = longer;
	}
}

static int check_name(const struct reference *reference, const char *text, struct err *err)
{
	size_t size =
		strlen(reference->path) + (reference->domain ? strlen(reference->domain) + 1 : 0);

	if (reference->domain && !domain_is_valid(reference->domain))
		return err_set(err, EINVAL, "invalid image name '%.300s': '%.100s' is no registry",
			       text, reference->domain);
	for (const char *at = reference->path; *at; at++)
		if (is_upper(*at))
			return err_set(err, EINVAL,
				       "invalid image name '%.300s': a repository is lower case",
				       text);
	if (!path_is_valid(reference->path))
		return err_set(err, EINVAL,
			       "invalid image name '%.300s'; it must look like "
			       "[REGISTRY[:PORT]/]NAME[:TAG][@sha256:DIGEST]",
			       text);
	if (size > NAME_MAX_BYTES)
		return err_set(err, EINVAL, "invalid image name '%.100s…': longer than %d bytes",
			       text, NAME_MAX_BYTES);
	if (!reference->domain && strlen(reference->path) == SHA256_HEX_SIZE - 1 &&
	    is_hex(reference->path, SHA256_HEX_SIZE - 1))
		return err_set(err, EINVAL,
			       "invalid image name '%s': 64 hex digits are an ID, not a name",
			       text);
	return 0;
}

int reference_parse(const char *text, struct reference *ret_reference, struct err *err)
{
	autoreference struct reference reference = REFERENCE_EMPTY;

	if (*text == '\0')
		return err_set(err, EINVAL, "invalid image name '': it is empty");
	const char *at_sign = strchr(text, '@');
	size_t name_size = at_sign ? (size_t)(at_sign - text) : strlen(text);
	if (at_sign) {
		if (!reference_digest_is_valid(at_sign + 1))
			return err_set(err, EINVAL,
				       "invalid image name '%.300s': behind '@' stands a digest, "
				       "sha256: and 64 lower-case hex digits",
				       text);
		reference.digest = xstrdup(at_sign + 1);
	}

	autofree char *name = xstrndup(text, name_size);
	char *last_slash = strrchr(name, '/');
	char *colon = strchr(last_slash ? last_slash : name, ':');
	if (colon) {
		if (!tag_is_valid(colon + 1))
			return err_set(err, EINVAL,
				       "invalid image name '%.300s': invalid tag '%.150s'", text,
				       colon + 1);
		reference.tag = xstrdup(colon + 1);
		*colon = '\0';
	}
	char *slash = strchr(name, '/');
	if (slash && component_is_domain(name, (size_t)(slash - name))) {
		reference.domain = xstrndup(name, (size_t)(slash - name));
		reference.path = xstrdup(slash + 1);
	} else {
		reference.path = xstrdup(name);
	}
	if (reference.domain)
		apply_docker_rules(&reference); /* first: the whole has to keep to the length */
	int r = check_name(&reference, text, err);
	if (r < 0)
		return r;
	*ret_reference = reference;
	reference = REFERENCE_EMPTY;
	return 0;
}

void reference_clear(struct reference *reference)
{
	free(reference->domain);
	free(reference->path);
	free(reference->tag);
	free(reference->digest);
	*reference = REFERENCE_EMPTY;
}

struct reference reference_copy(const struct reference *reference)
{
	return (struct reference){
		.domain = xstrdup(reference->domain),
		.path = xstrdup(reference->path),
		.tag = xstrdup(reference->tag),
		.digest = xstrdup(reference->digest),
	};
}

int reference_set_registry(struct reference *reference, const char *registry, struct err *err)
{
	autoreference struct reference full = REFERENCE_EMPTY;
	size_t domain_size = strcspn(registry, "/");

	full.domain = xstrndup(registry, domain_size);
	full.path = registry[domain_size]
			    ? xasprintf("%s/%s", registry + domain_size + 1, reference->path)
			    : xstrdup(reference->path);
	autofree char *text = xasprintf("%s/%s", registry, reference->path);
	apply_docker_rules(&full);
	int r = check_name(&full, text, err);
	if (r < 0)
		return r;
	full.tag = take_ptr(&reference->tag);
	full.digest = take_ptr(&reference->digest);
	reference_clear(reference);
	*reference = full;
	full = REFERENCE_EMPTY;
	return 0;
}

void reference_set_default_tag(struct reference *reference)
{
	if (!reference->tag && !reference->digest)
		reference->tag = xstrdup("latest");
}

char *reference_repository(const struct reference *reference)
{
	return reference->domain ? xasprintf("%s/%s", reference->domain, reference->path)
				 : xstrdup(reference->path);
}

static char *print(const char *domain, const char *path, const char *tag, const char *digest)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;

	if (domain)
		strbuf_addf(&text, "%s/", domain);
	strbuf_adds(&text, path);
	if (tag)
		strbuf_addf(&text, ":%s", tag);
	if (digest)
		strbuf_addf(&text, "@%s", digest);
	return strbuf_take(&text);
}

char *reference_print(const struct reference *reference)
{
	return print(reference->domain, reference->path, reference->tag, reference->digest);
}

char *reference_print_familiar(const struct reference *reference)
{
	const char *domain = reference->domain, *path = reference->path;

	if (domain && strcmp(domain, "docker.io") == 0) {
		domain = NULL;
		/* "library/a/b" keeps its prefix: only one component is short for it. */
		if (strncmp(path, "library/", 8) == 0 && !strchr(path + 8, '/'))
			path += 8;
	}
	return print(domain, path, reference->tag, reference->digest);
}

static const char *const transport_prefixes[] = {
	[IMAGE_TRANSPORT_NONE] = "",
	[IMAGE_TRANSPORT_REGISTRY] = "docker://",
	[IMAGE_TRANSPORT_OCI] = "oci:",
	[IMAGE_TRANSPORT_OCI_ARCHIVE] = "oci-archive:",
	[IMAGE_TRANSPORT_DOCKER_ARCHIVE] = "docker-archive:",
	[IMAGE_TRANSPORT_DIR] = "dir:",
	[IMAGE_TRANSPORT_STORAGE] = "containers-storage:",
};
_Static_assert(ARRAY_SIZE(transport_prefixes) == IMAGE_TRANSPORT_STORAGE + 1,
	       "a prefix for each transport");

enum image_transport image_transport_split(const char *text, const char **ret_rest)
{
	for (size_t i = IMAGE_TRANSPORT_NONE + 1; i < ARRAY_SIZE(transport_prefixes); i++) {
		size_t size = strlen(transport_prefixes[i]);
		if (strncmp(text, transport_prefixes[i], size) == 0) {
			*ret_rest = text + size;
			return (enum image_transport)i;
		}
	}
	*ret_rest = text;
	return IMAGE_TRANSPORT_NONE;
}

const char *image_transport_prefix(enum image_transport transport)
{
	return transport_prefixes[transport];
}
