/* The way of an image into the store: name → manifest → platform → configuration → layers → record.
 *
 * Small documents are asked for one after another, layers all at once (layer-fetch.c). Nothing is
 * recorded before all of it is there, and nothing that is complete is lost when the process dies
 * before: the next pull finds blobs and layers in their places and goes on. */
#include "engine/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "engine/builtin-image.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/image-source.h"
#include "engine/image.h"
#include "engine/layer-fetch.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "registry/paths.h"
#include "registry/policy.h"
#include "registry/registries.h"
#include "registry/short-name.h"
#include "store/blob.h"
#include "store/store.h"

/* How often layers may be removed under a pull before it gives up. */
#define RECORD_ATTEMPTS 4

/* What belongs to no image is kept this long for a pull that may be repeated. */
#define LEFTOVER_NSEC (24LL * 3600 * 1000000000)

int pull_policy_parse(const char *word, enum pull_policy *ret_policy, struct err *err)
{
	static const char *const words[] = { [PULL_ALWAYS] = "always",
					     [PULL_MISSING] = "missing",
					     [PULL_NEWER] = "newer",
					     [PULL_NEVER] = "never" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_policy = (enum pull_policy)i;
			return 0;
		}
	}
	if (strcmp(word, "ifnotpresent") == 0 || strcmp(word, "true") == 0 ||
	    strcmp(word, "false") == 0) {
		*ret_policy = strcmp(word, "true") == 0	   ? PULL_ALWAYS
			      : strcmp(word, "false") == 0 ? PULL_NEVER
							   : PULL_MISSING;
		return 0;
	}
	return err_set(err, EINVAL,
		       "unsupported pull policy \"%s\"; use always, missing, newer or never", word);
}

/* One pull; its parts are made when they are needed. */
struct pull {
	struct engine *engine;
	struct store *store;
	const struct pull_options *options;
	struct oci_platform platform;
	struct registry_paths paths;
	struct registries *registries;
	struct policy *policy;
	struct registry_client *client;
	int lock_fd; /* keeps sweeps away */
};

static void pull_clear(struct pull *pull)
{
	registry_client_close(pull->client);
	registries_free(pull->registries);
	policy_free(pull->policy);
	registry_paths_clear(&pull->paths);
	oci_platform_clear(&pull->platform);
	fd_close(&pull->lock_fd);
}
#define autopull __attribute__((cleanup(pull_clear)))

static int find_platform(const struct pull_options *options, struct oci_platform *ret_platform,
			 struct err *err)
{
	if (options->platform && *options->platform) {
		int r = oci_platform_parse(options->platform, ret_platform, err);
		if (r < 0)
			return r;
	} else {
		*ret_platform = oci_platform_of_host();
	}
	oci_platform_set(ret_platform, options->os, options->architecture, options->variant);
	return 0;
}

static int pull_begin(struct pull *pull, struct engine *engine, const struct pull_options *options,
		      struct err *err)
{
	*pull = (struct pull){ .engine = engine, .options = options, .lock_fd = -1 };
	int r = engine_store(engine, &pull->store, err);
	if (r >= 0)
		r = find_platform(options, &pull->platform, err);
	if (r >= 0)
		r = store_begin_pull(pull->store, &pull->lock_fd, err);
	return r;
}

static void need_paths(struct pull *pull)
{
	if (!pull->paths.registries_conf)
		registry_paths_init(&pull->paths, getenv, geteuid());
}

static int need_policy(struct pull *pull, struct err *err)
{
	if (pull->policy)
		return 0;
	need_paths(pull);
	return policy_load(&pull->paths, &pull->policy, err);
}

static int need_registries(struct pull *pull, struct err *err)
{
	if (pull->registries)
		return 0;
	need_paths(pull);
	return registries_load(&pull->paths, &pull->registries, err);
}

static int need_client(struct pull *pull, struct err *err)
{
	const struct pull_options *options = pull->options;
	autofree char *program = engine_helper_path(pull->engine, "davit-registry");
	struct registry_options registry_options = {
		.program = program,
		.authfile = options->authfile,
		.user = options->user,
		.password = options->password,
		.cert_dir = options->cert_dir,
		.tls = options->tls,
		.retry = options->retry,
		.retry_delay_usec = options->retry_delay_usec,
	};

	if (pull->client)
		return 0;
	int r = need_registries(pull, err);
	int dir_fd = r < 0 ? r : store_directory(pull->store, STORE_PULL, err);
	if (dir_fd < 0)
		return dir_fd;
	return registry_client_open(dir_fd, pull->registries, &pull->paths, &registry_options,
				    &pull->client, err);
}

/* What is known of an image before its layers are there. */
struct pulled_image {
	char manifest_digest[DIGEST_TEXT_SIZE], index_digest[DIGEST_TEXT_SIZE];
	char *index_type; /* NULL: no index led to it */
	struct oci_manifest *manifest;
	struct strbuf manifest_text, index_text, config_text;
	struct oci_image_config *config;
};

static void pulled_image_clear(struct pulled_image *image)
{
	free(image->index_type);
	oci_manifest_free(image->manifest);
	strbuf_clear(&image->manifest_text);
	strbuf_clear(&image->index_text);
	strbuf_clear(&image->config_text);
	oci_image_config_free(image->config);
}
#define autopulled __attribute__((cleanup(pulled_image_clear)))

/* Failures that another attempt may get past: what has been fetched waits for it. */
static bool may_pass(int code)
{
	switch (code) {
	case EAGAIN:
	case EBUSY:
	case EACCES:
	case ECANCELED:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case EINTR:
	case ENETUNREACH:
	case EPIPE:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* A download that another pull is at stays: it holds the file's lock. */
static void discard_download(struct pull *pull, const char *digest)
{
	char name[REGISTRY_BLOB_NAME_SIZE];
	struct err ignored = { 0 };
	int dir_fd = store_directory(pull->store, STORE_PULL, &ignored);

	registry_blob_name(digest, name);
	autoclose int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(dir_fd, name, 0); /* swept if this fails */
}

/* After a failure for good nothing half-made stays. */
static void discard(struct pull *pull, const struct pulled_image *image)
{
	autostrlist struct strlist digests = STRLIST_EMPTY;
	static const struct strlist no_layers = { 0 };
	struct err ignored = { 0 }; /* the failure itself is the one to tell; a sweep follows */

	registry_client_close(take_ptr(&pull->client)); /* the helper lets go of its files */
	strlist_add(&digests, image->manifest_digest);
	strlist_add(&digests, image->index_digest);
	if (image->manifest && image->manifest->kind == OCI_MANIFEST_IMAGE) {
		strlist_add(&digests, image->manifest->config.digest);
		for (size_t i = 0; i < image->manifest->item_count; i++) {
			strlist_add(&digests, image->manifest->items[i].digest);
			discard_download(pull, image->manifest->items[i].digest);
		}
	}
	if (image_discard_parts(pull->store, image->config ? &image->config->diff_ids : &no_layers,
				&digests, &ignored) >= 0)
		(void)image_empty_trash(pull->engine, &ignored);
}

static int write_documents(struct pull *pull, struct pulled_image *image, struct err *err)
{
	char config_digest[DIGEST_TEXT_SIZE];
	int r = blob_write(pull->store, image->manifest_text.data, image->manifest_text.size,
			   image->manifest_digest, err);

	if (r >= 0 && image->index_type)
		r = blob_write(pull->store, image->index_text.data, image->index_text.size,
			       image->index_digest, err);
	if (r >= 0)
		r = blob_write(pull->store, image->config_text.data, image->config_text.size,
			       config_digest, err);
	return r;
}

/* Fetch the layers and record. Whatever somebody else removes meanwhile is brought once more. */
static int complete(struct pull *pull, struct pulled_image *image,
		    const struct reference *reference, struct image_source *source,
		    const struct strlist *names, char **ret_id, struct err *err)
{
	struct layer_fetch fetch = { .engine = pull->engine,
				     .manifest = image->manifest,
				     .config = image->config,
				     .client = reference ? pull->client : NULL,
				     .reference = reference,
				     .source = source,
				     .progress = pull->options->progress };
	size_t count = image->manifest->item_count;
	autofree struct image_layer *layers = xcalloc(count + 1, sizeof(*layers));
	int r = -EAGAIN;

	for (int attempt = 0; r == -EAGAIN && attempt < RECORD_ATTEMPTS; attempt++) {
		r = write_documents(pull, image, err);
		if (r >= 0)
			r = layer_fetch_all(&fetch, err);
		if (r < 0)
			break;
		for (size_t i = 0; i < count; i++) {
			const struct oci_descriptor *blob = &image->manifest->items[i];
			layers[i] = (struct image_layer){
				.diff_id = image->config->diff_ids.items[i],
				.blob_digest = blob->digest,
				.media_type = blob->media_type,
				.blob_size = blob->size,
			};
		}
		struct image_record record = {
			.manifest_digest = image->manifest_digest,
			.manifest_type = image->manifest->media_type,
			.index_digest = image->index_type ? image->index_digest : NULL,
			.index_type = image->index_type,
			.config = image->config_text.data,
			.config_size = image->config_text.size,
			.layers = layers,
			.layer_count = count,
			.names = names,
		};
		r = image_record(pull->store, &record, ret_id, err);
	}
	return r;
}

static int parse_config(struct pull *pull, struct pulled_image *image, struct err *err)
{
	int r = oci_image_config_parse(strbuf_text(&image->config_text), image->config_text.size,
				       image->manifest->config.digest, &image->config, err);

	if (r < 0)
		return r;
	if (*image->config->architecture && *image->config->os &&
	    (strcmp(image->config->architecture, pull->platform.architecture) != 0 ||
	     strcmp(image->config->os, pull->platform.os) != 0))
		log_warn("image platform (%.60s/%.60s) does not match the expected platform "
			 "(%s/%s)",
			 image->config->os, image->config->architecture, pull->platform.os,
			 pull->platform.architecture);
	return 0;
}

/* Registries */

/* Keep the bytes and take them apart. */
static int take_manifest(struct pulled_image *image, const struct registry_manifest *found,
			 struct err *err)
{
	strbuf_reset(&image->manifest_text);
	strbuf_add(&image->manifest_text, found->data, found->size);
	memcpy(image->manifest_digest, found->digest, sizeof(image->manifest_digest));
	oci_manifest_free(take_ptr(&image->manifest));
	return oci_manifest_parse(found->data, found->size, found->digest, found->media_type,
				  &image->manifest, err);
}

static int choose_from_index(struct pull *pull, const struct reference *reference,
			     struct pulled_image *image, struct err *err)
{
	const struct oci_descriptor *entry;
	struct registry_manifest found = { 0 };
	autoreference struct reference exact = reference_copy(reference);
	int r = oci_index_select(image->manifest, image->index_digest, &pull->platform, &entry,
				 err);

	if (r < 0)
		return r;
	free(exact.digest);
	exact.digest = xstrdup(entry->digest);
	r = registry_client_get_manifest(pull->client, &exact, &found, err);
	if (r < 0)
		return r;
	r = take_manifest(image, &found, err);
	if (r >= 0 && image->manifest->kind == OCI_MANIFEST_INDEX)
		r = err_set(err, EBADMSG, "index '%s' leads to another index", image->index_digest);
	registry_manifest_clear(&found);
	return r;
}

/* Whether the local image of this name is what the registry has under this digest. */
static bool has_digest(struct pull *pull, const struct reference *reference, const char *digest,
		       struct image **ret_image)
{
	struct err ignored = { 0 };
	autofree char *name = reference_print(reference);
	autoimage struct image *image = NULL;

	if (image_find(pull->store, name, NULL, &image, &ignored) < 0 ||
	    image_load_names(pull->store, image, &ignored) < 0)
		return false;
	autofree char *repository = reference_repository(reference);
	autofree char *wanted = xasprintf("%s@%s", repository, digest);
	if (!strlist_contains(&image->digests, wanted))
		return false;
	*ret_image = take_ptr(&image);
	return true;
}

static int fetch_image(struct pull *pull, const struct reference *reference,
		       struct pulled_image *image, char **ret_id, struct err *err)
{
	struct registry_manifest found = { 0 };
	autostrlist struct strlist names = STRLIST_EMPTY;
	int r = need_client(pull, err);

	if (r >= 0)
		r = registry_client_get_manifest(pull->client, reference, &found, err);
	if (r < 0)
		return r;
	autoimage struct image *local = NULL;
	if (pull->options->policy == PULL_NEWER &&
	    has_digest(pull, reference, found.digest, &local)) {
		registry_manifest_clear(&found);
		*ret_id = xstrdup(local->id);
		return 0;
	}
	r = take_manifest(image, &found, err);
	registry_manifest_clear(&found);
	if (r >= 0 && image->manifest->kind == OCI_MANIFEST_INDEX) {
		image->index_text = image->manifest_text;
		image->manifest_text = STRBUF_EMPTY;
		memcpy(image->index_digest, image->manifest_digest, sizeof(image->index_digest));
		image->index_type = xstrdup(image->manifest->media_type);
		r = choose_from_index(pull, reference, image, err);
	}
	if (r < 0)
		return r;

	const struct oci_descriptor *config = &image->manifest->config;
	struct err absent = { 0 };
	if (!blob_is_present(pull->store, config->digest) ||
	    blob_read(pull->store, config->digest, OCI_IMAGE_CONFIG_SIZE_MAX, &image->config_text,
		      &absent) < 0) {
		strbuf_reset(&image->config_text);
		r = registry_client_get_blob(pull->client, reference, config->digest, config->size,
					     &image->config_text, err);
	}
	if (r >= 0)
		r = parse_config(pull, image, err);
	if (r < 0)
		return r;

	autoreference struct reference recorded = reference_copy(reference);
	if (recorded.digest) { /* a tag beside a digest was not asked of the registry */
		free(recorded.tag);
		recorded.tag = NULL;
	}
	strlist_take(&names, reference_print(&recorded));
	return complete(pull, image, reference, NULL, &names, ret_id, err);
}

static int pull_reference(struct pull *pull, const struct reference *reference, char **ret_id,
			  struct err *err)
{
	autopulled struct pulled_image image = { 0 };
	autofree char *name = reference_print(reference);

	progress_say(pull->options->progress, "Trying to pull %s...", name);
	int r = need_policy(pull, err);
	if (r >= 0)
		r = policy_check_registry(pull->policy, reference, err);
	if (r < 0)
		return r;
	r = fetch_image(pull, reference, &image, ret_id, err);
	if (r < 0 && !may_pass(err->code))
		discard(pull, &image);
	return r < 0 ? err_wrap(err, "image '%s'", name) : 0;
}

/* Which of the names a short one may mean is to be tried; all of them: -1. */
static int choose_candidate(struct pull *pull, const char *name,
			    const struct short_name_candidates *candidates, int *ret_choice,
			    struct err *err)
{
	autostrlist struct strlist names = STRLIST_EMPTY;

	*ret_choice = -1;
	if (!candidates->must_ask)
		return 0;
	for (size_t i = 0; i < candidates->count; i++)
		strlist_take(&names, reference_print(&candidates->items[i]));
	if (pull->options->choose)
		*ret_choice = pull->options->choose(pull->options->choose_arg, name, &names);
	if (*ret_choice >= 0 || candidates->may_try_all)
		return 0;
	autofree char *list = strlist_join(&names, ", ");
	return err_set(
		err, EINVAL,
		"short-name resolution enforced but cannot prompt without a TTY: '%s' may be "
		"any of %s; give the full name",
		name, list);
}

static int pull_candidates(struct pull *pull, const char *name, const struct reference *reference,
			   char **ret_id, struct err *err)
{
	autocandidates struct short_name_candidates candidates = { 0 };
	autostrbuf struct strbuf failures = STRBUF_EMPTY;
	struct err ignored = { 0 };
	int choice, code = 0;
	int r = need_registries(pull, err);

	if (r >= 0)
		r = short_name_resolve(pull->registries, &pull->paths, reference, &candidates, err);
	if (r >= 0)
		r = choose_candidate(pull, name, &candidates, &choice, err);
	if (r < 0)
		return r;
	if (candidates.is_alias)
		progress_say(pull->options->progress, "Resolved \"%s\" as an alias (%s)", name,
			     candidates.from);
	else if (candidates.from)
		progress_say(pull->options->progress,
			     "Resolving \"%s\" using unqualified-search registries (%s)", name,
			     candidates.from);
	for (size_t i = 0; i < candidates.count; i++) {
		struct err own = { 0 };
		if (choice >= 0 && (size_t)choice != i)
			continue;
		r = pull_reference(pull, &candidates.items[i], ret_id, &own);
		if (r >= 0) {
			if (choice >= 0) /* not being able to remember costs the next question */
				(void)short_name_remember(&pull->paths, reference,
							  &candidates.items[i], &ignored);
			return r;
		}
		if (candidates.count == 1 || choice >= 0 || own.code == ENOSPC) {
			*err = own;
			return r;
		}
		strbuf_addf(&failures, "%s%s", failures.size ? "; " : "", own.text);
		code = own.code;
	}
	return err_set(err, code ? code : ENOENT, "%s", strbuf_text(&failures));
}

/* Every tag of the first repository that the name may mean and that has any. */
static int pull_all_tags(struct pull *pull, const char *name, const struct reference *reference,
			 struct strlist *ids, struct err *err)
{
	autocandidates struct short_name_candidates candidates = { 0 };
	autostrlist struct strlist tags = STRLIST_EMPTY;
	size_t i = 0;

	if (reference->tag || reference->digest)
		return err_set(err, EINVAL,
			       "'%s': a tag or a digest cannot be used together with all tags",
			       name);
	int r = need_client(pull, err);
	if (r >= 0)
		r = short_name_resolve(pull->registries, &pull->paths, reference, &candidates, err);
	if (r < 0)
		return r;
	do
		r = registry_client_list_tags(pull->client, &candidates.items[i], &tags, err);
	while (r < 0 && ++i < candidates.count);
	for (size_t j = 0; r >= 0 && j < tags.count; j++) {
		autoreference struct reference tagged = reference_copy(&candidates.items[i]);
		autofree char *id = NULL;
		free(tagged.tag);
		tagged.tag = xstrdup(tags.items[j]);
		r = pull_reference(pull, &tagged, &id, err);
		if (r >= 0 && !strlist_contains(ids, id))
			strlist_take(ids, take_ptr(&id));
	}
	return r;
}

static int pull_from_registry(struct pull *pull, const char *name, struct strlist *ids,
			      struct err *err)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	char *id;
	int r = reference_parse(name, &reference, err);

	if (r < 0)
		return r;
	if (pull->options->all_tags)
		return pull_all_tags(pull, name, &reference, ids, err);
	reference_set_default_tag(&reference);
	if (builtin_image_is(&reference))
		r = builtin_image_make(pull->engine, pull->options->progress, &id, err);
	else
		r = pull_candidates(pull, name, &reference, &id, err);
	if (r >= 0)
		strlist_take(ids, id);
	return r;
}

/* Files */

/* The full name for one that a source gives: full, short, or no more than a tag. */
static void add_source_name(struct strlist *names, const char *word, const char *default_name)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	struct err ignored = { 0 };
	char *full;

	if (default_name && !strchr(word, '/') && !strchr(word, ':')) {
		autofree char *tagged = xasprintf("%s:%s", default_name, word);
		if (image_local_name(tagged, &full, &ignored) >= 0) {
			strlist_take(names, full);
			return;
		}
	}
	if (reference_parse(word, &reference, &ignored) >= 0 && reference.digest)
		strlist_take(names, reference_print(&reference));
	else if (image_local_name(word, &full, &ignored) >= 0)
		strlist_take(names, full);
	else
		log_warn("'%.100s' is no name for an image; it gets none", word);
}

static int read_image(struct pull *pull, struct image_source *source,
		      const struct source_image *from, struct pulled_image *image, struct err *err)
{
	int r = oci_manifest_parse(strbuf_text(&from->manifest), from->manifest.size, from->digest,
				   from->media_type, &image->manifest, err);

	strbuf_add(&image->manifest_text, from->manifest.data, from->manifest.size);
	if (from->index_type) {
		image->index_type = xstrdup(from->index_type);
		strbuf_add(&image->index_text, from->index.data, from->index.size);
	}
	if (r >= 0)
		r = image_source_read(source, image->manifest->config.digest,
				      OCI_IMAGE_CONFIG_SIZE_MAX, &image->config_text, err);
	return r < 0 ? r : parse_config(pull, image, err);
}

static int import_image(struct pull *pull, struct image_source *source,
			const struct source_image *from, const char *name, struct strlist *loaded,
			struct strlist *ids, struct err *err)
{
	autopulled struct pulled_image image = { 0 };
	autostrlist struct strlist names = STRLIST_EMPTY;
	const char *default_name = image_source_default_name(source);
	autofree char *id = NULL;

	for (size_t i = 0; i < from->names.count; i++)
		add_source_name(&names, from->names.items[i], default_name);
	if (names.count == 0 && (name || default_name))
		add_source_name(&names, name ? name : default_name, NULL);
	int r = read_image(pull, source, from, &image, err);
	if (r >= 0)
		r = complete(pull, &image, NULL, source, &names, &id, err);
	if (r < 0) {
		discard(pull, &image);
		return r;
	}
	if (loaded && names.count > 0)
		strlist_extend(loaded, &names);
	else if (loaded)
		strlist_addf(loaded, "sha256:%s", id);
	if (ids)
		strlist_take(ids, take_ptr(&id));
	return 0;
}

/* Whether policy.json lets images come from this file or directory. */
static int check_file_policy(struct pull *pull, enum image_transport transport,
			     const char *location, struct err *err)
{
	autofree char *path = xstrndup(location, strcspn(location, ":"));
	autofree char *full = strcmp(path, "-") == 0 ? xstrdup("/dev/stdin") : realpath(path, NULL);
	const char *prefix = image_transport_prefix(
		transport == IMAGE_TRANSPORT_NONE ? IMAGE_TRANSPORT_DOCKER_ARCHIVE : transport);
	autofree char *name = xstrndup(prefix, strcspn(prefix, ":"));
	int r = need_policy(pull, err);

	return r < 0 ? r : policy_check_file(pull->policy, name, full ? full : path, err);
}

static int import_all(struct pull *pull, enum image_transport transport, const char *location,
		      const char *name, struct strlist *loaded, struct strlist *ids,
		      struct err *err)
{
	autosource struct image_source *source = NULL;
	int r = check_file_policy(pull, transport, location, err);

	if (r >= 0)
		r = image_source_open(pull->store, transport, location, &pull->platform,
				      pull->options->progress, &source, err);

	for (size_t i = 0; r >= 0 && i < image_source_count(source); i++)
		r = import_image(pull, source, image_source_image(source, i), name, loaded, ids,
				 err);
	return r < 0 ? r : 0;
}

int image_load_archive(struct engine *engine, const char *location, const char *name,
		       struct progress *progress, struct strlist *loaded, struct err *err)
{
	struct pull_options options = PULL_OPTIONS_DEFAULT;
	autopull struct pull pull;
	const char *rest;

	options.progress = progress;
	int r = pull_begin(&pull, engine, &options, err);
	if (r < 0)
		return r;
	enum image_transport transport = image_transport_split(location, &rest);
	if (transport == IMAGE_TRANSPORT_REGISTRY || transport == IMAGE_TRANSPORT_STORAGE)
		return err_set(err, EINVAL, "load '%s': no file or directory; use pull", location);
	r = import_all(&pull, transport, rest, name, loaded, NULL, err);
	if (r >= 0)
		event_image(engine, EVENT_LOAD, NULL, location);
	return r;
}

/* A local image of another platform than the one that was asked for is as good as none. */
static bool suits(const struct pull_options *options, const struct image *image)
{
	struct oci_platform wanted;
	struct err ignored = { 0 }; /* the pull tells what is wrong with the words */

	if (!options->platform && !options->os && !options->architecture && !options->variant)
		return true;
	if (find_platform(options, &wanted, &ignored) < 0)
		return false;
	const char *variant = image->variant && *image->variant ? image->variant : NULL;
	bool same =
		strcmp(wanted.os, image->os ? image->os : "") == 0 &&
		strcmp(wanted.architecture, image->architecture ? image->architecture : "") == 0 &&
		(!variant || !wanted.variant || strcmp(wanted.variant, variant) == 0);
	oci_platform_clear(&wanted);
	return same;
}

static int pull_word(struct engine *engine, const char *name, const struct pull_options *options,
		     struct strlist *ids, struct err *err)
{
	autoimage struct image *image = NULL;
	autopull struct pull pull;
	struct err own = { 0 };
	const char *rest;
	int r = pull_begin(&pull, engine, options, err);

	if (r < 0)
		return r;
	enum image_transport transport = image_transport_split(name, &rest);
	switch (transport) {
	case IMAGE_TRANSPORT_REGISTRY:
		return pull_from_registry(&pull, rest, ids, err);
	case IMAGE_TRANSPORT_OCI:
	case IMAGE_TRANSPORT_OCI_ARCHIVE:
	case IMAGE_TRANSPORT_DOCKER_ARCHIVE:
	case IMAGE_TRANSPORT_DIR:
		return import_all(&pull, transport, rest, NULL, NULL, ids, err);
	case IMAGE_TRANSPORT_STORAGE:
	case IMAGE_TRANSPORT_NONE:
		break;
	}

	bool is_local = image_resolve(engine, rest, &image, &own) >= 0;
	if (is_local && !suits(options, image)) {
		is_local = false;
		(void)err_set(&own, ENOENT, "%s: image not known for this platform", rest);
	}
	if (!is_local && own.code != ENOENT) {
		*err = own;
		return -own.code;
	}
	if (!is_local && options->policy == PULL_NEVER)
		return err_set(err, ENOENT,
			       "%s: image not known here, and the policy is never to pull; pull it "
			       "first",
			       rest);
	if (!is_local && transport == IMAGE_TRANSPORT_STORAGE) {
		*err = own;
		return -own.code;
	}
	if (is_local && (options->policy == PULL_MISSING || options->policy == PULL_NEVER ||
			 transport == IMAGE_TRANSPORT_STORAGE)) {
		strlist_add(ids, image->id);
		return 0;
	}
	r = pull_from_registry(&pull, rest, ids, err);
	if (r < 0 && is_local && options->policy == PULL_NEWER) {
		log_warn("cannot look for a newer image, using the one that is here: %s",
			 err->text);
		strlist_add(ids, image->id);
		return 0;
	}
	return r;
}

int image_pull(struct engine *engine, const char *name, const struct pull_options *options,
	       struct strlist *ids, struct err *err)
{
	struct err ignored = { 0 };
	size_t before = ids->count;
	int r = pull_word(engine, name, options, ids, err);

	for (size_t i = before; r >= 0 && i < ids->count; i++)
		event_image(engine, EVENT_PULL, ids->items[i], name);
	/* Whoever can wait for a download can wait for this. */
	if (r >= 0 && engine->store) {
		store_sweep(engine->store, LEFTOVER_NSEC);
		(void)image_empty_trash(engine, &ignored);
	}
	return r;
}

/* For run, an image that was already resolved for this platform needs no second look. */
int image_obtain(struct engine *engine, const char *word, const struct pull_options *options,
		 struct image **ret_image, struct err *err)
{
	autostrlist struct strlist ids = STRLIST_EMPTY;
	autoimage struct image *image = NULL;
	struct err own = { 0 };
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r < 0)
		return r;
	if (options->policy == PULL_MISSING || options->policy == PULL_NEVER) {
		r = image_resolve(engine, word, &image, &own);
		if (r == -ENOENT) /* image_pull() knows what that means */
			r = 0;
		if (r < 0) {
			*err = own;
			return r;
		}
		if (image && !suits(options, image))
			image_free(take_ptr(&image));
	}
	if (!image) {
		r = image_pull(engine, word, options, &ids, err);
		if (r < 0)
			return r;
		if (ids.count == 0)
			return err_set(err, ENOENT, "%s: image not known", word);
		r = image_load(store, ids.items[ids.count - 1], &image, err);
		if (r < 0)
			return r;
		/* The name that it was just given, as a later command will find it */
		autoimage struct image *named = NULL;
		if (image_resolve(engine, word, &named, &own) >= 0 &&
		    strcmp(named->id, image->id) == 0)
			image->found_name = take_ptr(&named->found_name);
	}
	r = image_load_config(store, image, err);
	if (r < 0)
		return r;
	*ret_image = take_ptr(&image);
	return 0;
}
