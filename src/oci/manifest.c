/* Reads manifests and indexes, and picks from an index. Each descriptor is checked for form: a
 * digest that is none never becomes a file name. */
#include "oci/manifest.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strlist.h"
#include "oci/image-config.h"
#include "oci/reference.h"

#define INDEX_ENTRIES_MAX 2000

static void descriptor_clear(struct oci_descriptor *descriptor)
{
	free(descriptor->media_type);
	free(descriptor->digest);
	free(descriptor->reference_name);
	free(descriptor->image_name);
	oci_platform_clear(&descriptor->platform);
}

struct json_object *oci_descriptor_to_json(const char *media_type, const char *digest, int64_t size)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "mediaType", media_type);
	json_add_string(object, "digest", digest);
	json_add_int(object, "size", size);
	return object;
}

void oci_manifest_free(struct oci_manifest *manifest)
{
	if (!manifest)
		return;
	free(manifest->media_type);
	descriptor_clear(&manifest->config);
	for (size_t i = 0; i < manifest->item_count; i++)
		descriptor_clear(&manifest->items[i]);
	free(manifest->items);
	free(manifest);
}

void oci_platform_clear(struct oci_platform *platform)
{
	free(platform->os);
	free(platform->architecture);
	free(platform->variant);
	*platform = (struct oci_platform){ 0 };
}

bool oci_media_type_is_index(const char *media_type)
{
	return strcmp(media_type, OCI_MEDIA_TYPE_INDEX) == 0 ||
	       strcmp(media_type, DOCKER_MEDIA_TYPE_LIST) == 0;
}

static bool is_docker_type(const char *media_type)
{
	return strncmp(media_type, "application/vnd.docker.", 23) == 0;
}

static int parse_descriptor(struct json_object *object, const char *what, const char *digest,
			    struct oci_descriptor *descriptor, struct err *err)
{
	const char *own = json_get_string(object, "digest", "");

	if (!reference_digest_is_valid(own))
		return err_set(err, EBADMSG,
			       "manifest '%s': %s has no valid sha256 digest ('%.100s')", digest,
			       what, own);
	descriptor->digest = xstrdup(own);
	descriptor->media_type = xstrdup(json_get_string(object, "mediaType", ""));
	descriptor->size = json_get_int(object, "size", -1);
	if (descriptor->size < 0)
		return err_set(err, EBADMSG, "manifest '%s': %s '%s' has no valid size", digest,
			       what, own);

	struct json_object *platform = json_get(object, "platform");
	if (json_object_is_type(platform, json_type_object)) {
		descriptor->has_platform = true;
		descriptor->platform.os = xstrdup(json_get_string(platform, "os", NULL));
		descriptor->platform.architecture =
			xstrdup(json_get_string(platform, "architecture", NULL));
		descriptor->platform.variant = xstrdup(json_get_string(platform, "variant", NULL));
	}
	struct json_object *annotations = json_get(object, "annotations");
	descriptor->reference_name =
		xstrdup(json_get_string(annotations, "org.opencontainers.image.ref.name", NULL));
	descriptor->image_name =
		xstrdup(json_get_string(annotations, "io.containerd.image.name", NULL));
	return 0;
}

static int parse_items(struct json_object *list, const char *what, size_t limit, const char *digest,
		       struct oci_manifest *manifest, struct err *err)
{
	if (!json_object_is_type(list, json_type_array))
		return err_set(err, EBADMSG, "manifest '%s' has no list of %ss", digest, what);
	size_t count = json_object_array_length(list);
	if (count > limit)
		return err_set(err, EBADMSG, "manifest '%s' has %zu %ss, more than the %zu allowed",
			       digest, count, what, limit);
	manifest->items = xcalloc(count ? count : 1, sizeof(*manifest->items));
	manifest->item_count = count;
	for (size_t i = 0; i < count; i++) {
		int r = parse_descriptor(json_object_array_get_idx(list, i), what, digest,
					 &manifest->items[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int oci_manifest_parse(const char *text, size_t size, const char *digest, const char *media_type,
		       struct oci_manifest **ret_manifest, struct err *err)
{
	autojson struct json_object *root = NULL;
	automanifest struct oci_manifest *manifest = xcalloc(1, sizeof(*manifest));

	if (size > OCI_MANIFEST_SIZE_MAX)
		return err_set(err, EBADMSG, "manifest '%s' is larger than the %d bytes allowed",
			       digest, OCI_MANIFEST_SIZE_MAX);
	int r = json_parse(text, size, &root, err);
	if (r < 0) {
		(void)err_wrap(err, "manifest '%s'", digest);
		err->code = EBADMSG;
		return -EBADMSG;
	}
	if (!json_object_is_type(root, json_type_object))
		return err_set(err, EBADMSG, "manifest '%s' is no JSON object", digest);
	if (json_get_int(root, "schemaVersion", 2) == 1)
		return err_set(err, EOPNOTSUPP,
			       "manifest '%s' is of Docker's old schema 1, which is not supported; "
			       "push the image anew with a current tool",
			       digest);

	/* A document with the members of both kinds could be read as one thing by us and as another
	 * by the next tool (CVE-2021-41190). */
	struct json_object *layers = json_get(root, "layers"),
			   *images = json_get(root, "manifests");
	struct json_object *config = json_get(root, "config");
	if (images && (layers || config))
		return err_set(err, EBADMSG, "manifest '%s' is both an image and an index", digest);

	const char *own_type = json_get_string(root, "mediaType", NULL);
	bool is_index = images != NULL;
	if (!own_type && media_type && *media_type &&
	    oci_media_type_is_index(media_type) == is_index)
		own_type = media_type;
	if (!own_type) {
		const char *config_type = json_get_string(config, "mediaType", "");
		own_type = is_index			 ? OCI_MEDIA_TYPE_INDEX
			   : is_docker_type(config_type) ? DOCKER_MEDIA_TYPE_MANIFEST
							 : OCI_MEDIA_TYPE_MANIFEST;
	}
	if (oci_media_type_is_index(own_type) != is_index)
		return err_set(err, EBADMSG,
			       "manifest '%s' is not what its media type '%.100s' says", digest,
			       own_type);
	if (!is_index && !config)
		return err_set(err, EBADMSG,
			       "manifest '%s' has no config; it is no container image", digest);
	manifest->media_type = xstrdup(own_type);
	manifest->is_docker = is_docker_type(own_type);

	if (is_index) {
		manifest->kind = OCI_MANIFEST_INDEX;
		r = parse_items(images, "manifest", INDEX_ENTRIES_MAX, digest, manifest, err);
	} else {
		manifest->kind = OCI_MANIFEST_IMAGE;
		r = parse_descriptor(config, "config", digest, &manifest->config, err);
		if (r >= 0 && manifest->config.size > OCI_IMAGE_CONFIG_SIZE_MAX)
			return err_set(err, EBADMSG,
				       "manifest '%s': config '%s' is larger than the %d bytes "
				       "allowed",
				       digest, manifest->config.digest, OCI_IMAGE_CONFIG_SIZE_MAX);
		if (r >= 0)
			r = parse_items(layers, "layer", OCI_LAYERS_MAX, digest, manifest, err);
	}
	if (r < 0)
		return r;
	*ret_manifest = take_ptr(&manifest);
	return 0;
}

/* Words of uname(2) and of users, in Go's words. The first row of a machine is what it is called.
 */
static const struct {
	const char *machine, *architecture, *variant;
} architectures[] = {
	{ "x86_64", "amd64", NULL },	  { "x86-64", "amd64", NULL },
	{ "aarch64", "arm64", "v8" },	  { "aarch64_be", "arm64be", "v8" },
	{ "armv8l", "arm", "v8" },	  { "armv7l", "arm", "v7" },
	{ "armhf", "arm", "v7" },	  { "armv6l", "arm", "v6" },
	{ "armel", "arm", "v6" },	  { "armv5tel", "arm", "v5" },
	{ "i686", "386", NULL },	  { "i586", "386", NULL },
	{ "i486", "386", NULL },	  { "i386", "386", NULL },
	{ "ppc64le", "ppc64le", NULL },	  { "s390x", "s390x", NULL },
	{ "riscv64", "riscv64", NULL },	  { "loongarch64", "loong64", NULL },
	{ "mips64el", "mips64le", NULL }, { "mips64", "mips64", NULL },
};

static void set_architecture(struct oci_platform *platform, const char *word)
{
	const char *architecture = word, *variant = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
		if (strcmp(architectures[i].machine, word) == 0) {
			architecture = architectures[i].architecture;
			variant = architectures[i].variant;
			break;
		}
	}
	free(platform->architecture);
	free(platform->variant);
	platform->architecture = xstrdup(architecture);
	platform->variant = xstrdup(variant);
}

struct oci_platform oci_platform_of_host(void)
{
	struct oci_platform platform = { 0 };
	struct utsname name;

	platform.os = xstrdup("linux");
	set_architecture(&platform, uname(&name) < 0 ? "unknown" : name.machine);
	return platform;
}

void oci_platform_set(struct oci_platform *platform, const char *os, const char *architecture,
		      const char *variant)
{
	if (os && *os) {
		free(platform->os);
		platform->os = xstrdup(os);
	}
	if (architecture && *architecture)
		set_architecture(platform, architecture);
	if (variant && *variant) {
		free(platform->variant);
		platform->variant = xstrdup(variant);
	}
}

static const char *const systems[] = { "linux",	  "windows", "darwin",	  "freebsd",
				       "openbsd", "netbsd",  "solaris",	  "illumos",
				       "aix",	  "android", "dragonfly", "ios",
				       "js",	  "plan9",   "wasip1",	  "wasi" };
static const char *const machines[] = {
	"amd64",    "arm64",  "arm",	 "386",	 "ppc64le", "s390x",	 "riscv64",	"loong64",
	"mips64le", "mips64", "ppc64",	 "mips", "mipsle",  "riscv",	 "wasm",	"arm64be",
	"armbe",    "s390",   "sparc64", "ppc",	 "sparc",   "mips64p32", "mips64p32le", "unknown"
};

static bool has_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool is_architecture(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i].machine, word) == 0)
			return true;
	return has_word(machines, ARRAY_SIZE(machines), word);
}

int oci_platform_check(const char *os, const char *architecture, struct err *err)
{
	if (os && *os && !has_word(systems, ARRAY_SIZE(systems), os))
		return err_set(err, EINVAL,
			       "'%s' is no operating system of images; write OS/ARCH[/VARIANT], "
			       "such as linux/amd64 or linux/arm64/v8",
			       os);
	if (architecture && *architecture && !is_architecture(architecture))
		return err_set(
			err, EINVAL,
			"'%s' is no architecture of images; there are amd64, arm64, arm, 386, "
			"ppc64le, s390x, riscv64 and others",
			architecture);
	return 0;
}

int oci_platform_parse(const char *text, struct oci_platform *ret_platform, struct err *err)
{
	autostrlist struct strlist parts = STRLIST_EMPTY;

	strlist_split(&parts, text, '/');
	bool is_bad = parts.count == 0 || parts.count > 3;
	for (size_t i = 0; i < parts.count; i++)
		is_bad = is_bad || !*parts.items[i];
	if (is_bad)
		return err_set(err, EINVAL, "platform '%s' is not of the form OS[/ARCH[/VARIANT]]",
			       text);
	/* One word may be the architecture of Linux. */
	bool is_machine = parts.count == 1 && is_architecture(parts.items[0]);
	const char *os = is_machine ? NULL : parts.items[0],
		   *architecture = is_machine	     ? parts.items[0]
				   : parts.count > 1 ? parts.items[1]
						     : NULL;
	int r = oci_platform_check(os, architecture, err);
	if (r < 0)
		return err_wrap(err, "platform '%s'", text);
	struct oci_platform platform = oci_platform_of_host();
	oci_platform_set(&platform, os, architecture, parts.count > 2 ? parts.items[2] : NULL);
	*ret_platform = platform;
	return 0;
}

char *oci_platform_print(const struct oci_platform *platform)
{
	return xasprintf("%s%s%s%s%s", platform->os ? platform->os : "",
			 platform->architecture ? "/" : "",
			 platform->architecture ? platform->architecture : "",
			 platform->variant ? "/" : "", platform->variant ? platform->variant : "");
}

/* How well an entry suits: 0 not at all, more is better. */
static int platform_score(const struct oci_platform *wanted, const struct oci_platform *offered)
{
	const char *wanted_variant = wanted->variant ? wanted->variant : "";
	const char *variant = offered->variant ? offered->variant : "";

	if (!offered->os || strcmp(wanted->os, offered->os) != 0)
		return 0;
	if (!offered->architecture || strcmp(wanted->architecture, offered->architecture) != 0)
		return 0;
	if (strcmp(wanted_variant, variant) == 0)
		return 100;
	/* "v8" goes without saying for arm64, and there is nothing below it. */
	if (strcmp(wanted->architecture, "arm64") == 0)
		return (!*variant && strcmp(wanted_variant, "v8") == 0) ||
				       (!*wanted_variant && strcmp(variant, "v8") == 0)
			       ? 99
			       : 0;
	if (!*variant)
		return 1;
	/* An older variant runs on a newer processor ("v6" on "v7"), never the other way round. */
	if (strlen(wanted_variant) == 2 && strlen(variant) == 2 && wanted_variant[0] == 'v' &&
	    variant[0] == 'v' && variant[1] < wanted_variant[1])
		return 1 + variant[1] - '0';
	return 0;
}

int oci_index_select(const struct oci_manifest *index, const char *digest,
		     const struct oci_platform *platform, const struct oci_descriptor **ret_entry,
		     struct err *err)
{
	const struct oci_descriptor *best = NULL;
	autostrbuf struct strbuf offered = STRBUF_EMPTY;
	int best_score = 0;

	for (size_t i = 0; i < index->item_count; i++) {
		const struct oci_descriptor *entry = &index->items[i];
		if (!entry->has_platform)
			continue;
		int score = platform_score(platform, &entry->platform);
		if (score > best_score) {
			best_score = score;
			best = entry;
		}
		autofree char *name = oci_platform_print(&entry->platform);
		if (offered.size < 200 && strncmp(name, "unknown", 7) != 0)
			strbuf_addf(&offered, "%s%.60s", offered.size ? ", " : "", name);
	}
	/* One image alone that does not say what it is for: it is the one that was meant. */
	if (!best && index->item_count == 1 && !index->items[0].has_platform)
		best = &index->items[0];
	if (!best) {
		autofree char *wanted = oci_platform_print(platform);
		return err_set(err, ENOENT,
			       "index '%s' has no image for %s, only for %s; choose one with "
			       "--platform",
			       digest, wanted,
			       offered.size ? strbuf_text(&offered) : "no platform at all");
	}
	*ret_entry = best;
	return 0;
}
