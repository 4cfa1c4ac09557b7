/* What rmi and prune do with images, in podman's words and order. */
#include "engine/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/container-mount.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "oci/image-config.h"
#include "oci/reference.h"
#include "registry/paths.h"
#include "registry/registries.h"
#include "registry/short-name.h"
#include "store/blob.h"
#include "store/layer.h"
#include "store/store.h"

#define HOUR_NSEC (3600LL * 1000000000)

static int add_candidates(const struct reference *reference, struct strlist *candidates,
			  struct err *err)
{
	struct registry_paths paths;
	autoregistries struct registries *registries = NULL;
	autocandidates struct short_name_candidates found = { 0 };
	struct err none = { 0 };

	registry_paths_init(&paths, getenv, geteuid());
	int r = registries_load(&paths, &registries, err);
	/* That no registry is configured for it says nothing about local images. */
	if (r >= 0 && short_name_resolve(registries, &paths, reference, &found, &none) >= 0) {
		for (size_t i = 0; i < found.count; i++)
			strlist_take(candidates, reference_print(&found.items[i]));
	}
	registry_paths_clear(&paths);
	return r;
}

int image_resolve(struct engine *engine, const char *word, struct image **ret_image,
		  struct err *err)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	autostrlist struct strlist candidates = STRLIST_EMPTY;
	struct err own = { 0 };
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r < 0)
		return r;
	if (strncmp(word, "containers-storage:", 19) == 0)
		word += 19;
	bool is_id = strlen(word) == 64 || strncmp(word, "sha256:", 7) == 0;
	if (is_id || reference_parse(word, &reference, &own) < 0 || !reference_is_short(&reference))
		return image_find(store, word, NULL, ret_image, err);

	autofree char *local = xasprintf("localhost/%s", word);
	strlist_add(&candidates, local);
	/* Nearly always one that is there under the first full name that is tried: looked for
	 * without reading the configuration, when nothing else can come before it. */
	r = image_find(store, local, NULL, ret_image, &own);
	if (r != -ENOENT) {
		if (r < 0)
			*err = own;
		return r;
	}
	r = add_candidates(&reference, &candidates, err);
	if (r < 0)
		return r;
	return image_find(store, word, &candidates, ret_image, err);
}

int image_local_name(const char *word, char **ret_name, struct err *err)
{
	autoreference struct reference reference = REFERENCE_EMPTY;
	int r = reference_parse(word, &reference, err);

	if (r >= 0 && reference_is_short(&reference))
		r = reference_set_registry(&reference, "localhost", err);
	if (r < 0)
		return r;
	if (reference.digest)
		return err_set(err, EINVAL, "name '%s' has a digest, which only a pull can give",
			       word);
	reference_set_default_tag(&reference);
	*ret_name = reference_print(&reference);
	return 0;
}

static void tell_removal(struct engine *engine, const struct image *image)
{
	for (size_t i = 0; i < image->names.count; i++)
		event_image(engine, EVENT_UNTAG, image->id, image->names.items[i]);
	event_image(engine, EVENT_REMOVE, image->id,
		    image->names.count ? image->names.items[0] : NULL);
}

static int remove_containers(struct engine *engine, struct store *store, const struct image *image,
			     const struct image_removal *removal, struct err *err)
{
	autostrlist struct strlist users = STRLIST_EMPTY;
	int r = image_containers(store, image->id, &users, err);

	for (size_t i = 0; r >= 0 && i < users.count; i++)
		r = removal->remove_container(engine, users.items[i], err);
	return r;
}

/* Names that a removal of `image` takes away before its deletion are told one by one. */
static int delete_image(struct engine *engine, struct store *store, struct image *image,
			const struct image_removal *removal, struct strlist *untagged,
			struct strlist *deleted, struct err *err)
{
	int r = 0;

	if (removal->force && removal->remove_container)
		r = remove_containers(engine, store, image, removal, err);
	if (r >= 0)
		r = image_delete(store, image, err);
	if (r < 0)
		return r;
	container_forget_mount(engine, image->id);
	tell_removal(engine, image);
	strlist_extend(untagged, &image->names);
	strlist_add(deleted, image->id);
	return 0;
}

int image_remove(struct engine *engine, const char *word, const struct image_removal *removal,
		 struct strlist *untagged, struct strlist *deleted, struct err *err)
{
	autoimage struct image *image = NULL;
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = image_resolve(engine, word, &image, err);
	if (r >= 0)
		r = image_load_names(store, image, err);
	if (r < 0)
		return r;

	if (image->found_name && image->names.count > 1 &&
	    strlist_contains(&image->names, image->found_name)) {
		r = image_untag(store, image, image->found_name, err);
		if (r >= 0) {
			event_image(engine, EVENT_UNTAG, image->id, image->found_name);
			strlist_add(untagged, image->found_name);
		}
		return r;
	}
	if (!image->found_name && image->names.count > 1 && !removal->force && !removal->all) {
		autofree char *names = strlist_join(&image->names, " ");
		return err_set(err, ENOTUNIQ,
			       "unable to delete image \"%s\" by ID with more than one tag ([%s]): "
			       "please force removal",
			       image->id, names);
	}
	return delete_image(engine, store, image, removal, untagged, deleted, err);
}

static int empty_trash(void *arg, struct err *err)
{
	struct store *store = arg;
	int r = store_empty_trash(store, err);

	return r < 0 ? r : layer_sweep(store_root_fd(store), err);
}

int image_empty_trash(struct engine *engine, struct err *err)
{
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r < 0 || !store_has_trash(store))
		return r;
	if (!store_is_rootless(store))
		return empty_trash(store, err);
	/* The database stays with this process: the child touches files only. */
	r = engine_run_mapped(engine, empty_trash, store, err);
	return r < 0 ? r : 0;
}

void image_empty_trash_aside(struct engine *engine)
{
	const struct userns_map *map;
	struct store *store;
	struct err ignored;

	/* All that needs the database, which is this process's, comes before. */
	if (engine_store(engine, &store, &ignored) < 0 || !store_has_trash(store) ||
	    engine_map(engine, &map, &ignored) < 0)
		return;
	pid_t pid = fork();
	if (pid != 0)
		return; /* whoever adopts it reaps it */
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null_fd, fd); /* a pipe of the caller's ends when the caller does */
	unsigned root_fd = (unsigned)store_root_fd(store);
	(void)close_range(3, root_fd - 1, 0);
	(void)close_range(root_fd + 1, UINT_MAX, 0);
	(void)setsid();
	(void)image_empty_trash(engine, &ignored);
	_exit(0);
}

bool labels_match(const struct strlist *labels, const char *wanted)
{
	size_t size = strlen(wanted);
	bool has_value = strchr(wanted, '=') != NULL;

	for (size_t i = 0; i < labels->count; i++)
		if (strncmp(labels->items[i], wanted, size) == 0 &&
		    (labels->items[i][size] == '\0' ||
		     (!has_value && labels->items[i][size] == '=')))
			return true;
	return false;
}

static int is_prunable(struct store *store, struct image *image, const struct image_prune *prune,
		       struct err *err)
{
	if (image->container_count > 0 || (!prune->all && image->names.count > 0))
		return 0;
	if (prune->before_nsec > 0 && image->created_nsec >= prune->before_nsec)
		return 0;
	if (prune->labels.count + prune->not_labels.count == 0)
		return 1;
	int r = image_load_config(store, image, err);
	if (r < 0) { /* nobody knows its labels, so it is not meant */
		log_warn("%s; see 'davit system check'", err->text);
		return 0;
	}
	for (size_t i = 0; i < prune->labels.count; i++)
		if (!labels_match(&image->config->labels, prune->labels.items[i]))
			return 0;
	for (size_t i = 0; i < prune->not_labels.count; i++)
		if (labels_match(&image->config->labels, prune->not_labels.items[i]))
			return 0;
	return 1;
}

int image_prune(struct engine *engine, const struct image_prune *prune, struct strlist *deleted,
		struct err *err)
{
	autoimage_list struct image_list list = { 0 };
	struct store *store;
	int r = engine_store(engine, &store, err);

	if (r >= 0)
		r = image_list(store, &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		struct err own = { 0 };
		r = is_prunable(store, list.items[i], prune, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = image_delete(store, list.items[i], &own);
		if (r >= 0)
			container_forget_mount(engine, list.items[i]->id);
		if (r == -EBUSY || r == -ENOENT) /* taken or gone since it was listed */
			continue;
		if (r < 0) {
			*err = own;
			return r;
		}
		tell_removal(engine, list.items[i]);
		strlist_add(deleted, list.items[i]->id);
	}
	store_sweep(store, prune->leftovers ? 0 : HOUR_NSEC);
	return image_empty_trash(engine, err);
}
