#include "engine/plan-mount.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "engine/identity.h"
#include "engine/mount-spec.h"
#include "engine/plan.h"
#include "engine/volume-backing.h"
#include "oci/runtime-config.h"
#include "store/layer-remap.h"
#include "store/layer.h"

/* The value behind "KEY=", or NULL. */
static const char *find_option(const struct mount_spec *mount, const char *prefix)
{
	for (size_t i = 0; i < mount->options.count; i++)
		if (strncmp(mount->options.items[i], prefix, strlen(prefix)) == 0)
			return mount->options.items[i] + strlen(prefix);
	return NULL;
}

/* The kernel takes texts of up to 255 bytes for one option, so layers of an image come one by one. */
static void add_overlay(const struct plan_input *input, const struct mount_spec *mount,
			const struct strlist *lowers, bool writable, size_t number,
			struct oci_runtime_config *config)
{
	/* Images and volumes have the image's IDs on disk. */
	bool is_mapped =
		!input->is_rootless && !input->map->is_identity && mount->kind != MOUNT_BIND;
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	const char *upper = find_option(mount, "upperdir="), *work = find_option(mount, "workdir=");

	if (lowers->count == 1)
		strbuf_addf(&text, "lowerdir=%s", lowers->items[0]);
	for (size_t i = 0; lowers->count > 1 && i < lowers->count; i++)
		strbuf_addf(&text, "%slowerdir+=%s", i ? "," : "", lowers->items[i]);
	if (writable && upper && work)
		strbuf_addf(&text, ",upperdir=%s,workdir=%s", upper, work);
	else if (writable)
		strbuf_addf(&text, ",upperdir=%s/overlay-%zu/upper,workdir=%s/overlay-%zu/work",
			    input->container_dir, number, input->container_dir, number);
	if (input->is_rootless)
		strbuf_adds(&text, ",userxattr");
	if (is_mapped || strlist_contains(&mount->options, "idmap"))
		strbuf_adds(&text, ",idmap");
	if (mount->read_only)
		strbuf_adds(&text, ",ro");
	oci_runtime_config_add_mount(config, mount->destination, "overlay", "overlay",
				     strbuf_text(&text));
}

/* One layer alone makes no overlay without a place to write. */
static void add_image(const struct plan_input *input, const struct mount_spec *mount, size_t number,
		      struct oci_runtime_config *config)
{
	autostrlist struct strlist lowers = STRLIST_EMPTY;

	for (size_t i = mount->layers.count; i > 0; i--) {
		const char *layer = mount->layers.items[i - 1];
		autofree char *relative = input->map_name ? layer_remap_path(layer, input->map_name)
							  : layer_path(layer);
		autofree char *path = path_join(input->store_dir, relative ?: "");
		if (!strlist_contains(&lowers, path))
			strlist_take(&lowers, take_ptr(&path));
	}
	if (mount->read_only && lowers.count == 1)
		oci_runtime_config_add_mount(config, mount->destination, "bind", lowers.items[0],
					     input->is_rootless || input->map->is_identity
						     ? "bind,rprivate,ro,nosuid,nodev"
						     : "bind,rprivate,ro,nosuid,nodev,idmap");
	else
		add_overlay(input, mount, &lowers, !mount->read_only, number, config);
}

/* Those for the mount: what a volume is made of is none. */
static void add_options(const struct mount_spec *mount, struct strlist *options)
{
	const char *backing = volume_backing_of(mount);

	for (size_t i = 0; i < mount->options.count; i++)
		if (!backing || !strchr(mount->options.items[i], '=') ||
		    strcmp(strchr(mount->options.items[i], '=') + 1, backing) != 0)
			strlist_add(options, mount->options.items[i]);
}

static void add_file_system(const struct plan_input *input, const struct mount_spec *mount,
			    struct oci_runtime_config *config)
{
	autostrlist struct strlist options = STRLIST_EMPTY;
	const char *type = mount->kind == MOUNT_VOLUME ? "tmpfs" : mount_kind_name(mount->kind);

	add_options(mount, &options);
	if (mount->read_only)
		strlist_add(&options, "ro");
	if (mount->chown_to_user && strcmp(type, "tmpfs") == 0) {
		strlist_addf(&options, "uid=%u", input->identity->uid);
		strlist_addf(&options, "gid=%u", input->identity->gid);
	}
	autofree char *text = strlist_join(&options, ",");
	oci_runtime_config_add_mount(config, mount->destination, type, type, text);
}

static void add_bind(const struct mount_spec *mount, const char *source, const char *before,
		     struct oci_runtime_config *config)
{
	autostrlist struct strlist list = STRLIST_EMPTY;
	add_options(mount, &list);
	autofree char *options = strlist_join(&list, ",");
	autofree char *text = xasprintf("%s%s%s%s", before, *options ? "," : "", options,
					mount->read_only ? ",ro" : "");

	oci_runtime_config_add_mount(config, mount->destination, "bind", source, text);
}

int plan_user_mount(const struct plan_input *input, const struct mount_spec *mount, size_t number,
		    struct oci_runtime_config *config, struct err *err)
{
	autofree char *volume =
		mount->kind == MOUNT_VOLUME
			? xasprintf("%s/%s/_data", input->volumes_dir, mount->source)
			: NULL;
	const char *backing = volume ? volume_backing_of(mount) : NULL;
	const char *source = backing ?: volume ?: mount->source;
	bool is_recursive = !strlist_contains(&mount->options, "bind");

	if (backing && backing[0] != '/') {
		add_file_system(input, mount, config);
		return 0;
	}
	switch (mount->kind) {
	case MOUNT_VOLUME:
	case MOUNT_BIND:
		if (mount->is_overlay) {
			autostrlist struct strlist lower = STRLIST_EMPTY;
			strlist_add(&lower, source);
			add_overlay(input, mount, &lower, true, number, config);
		} else if (volume) {
			/* Volumes have the image's IDs on disk, so that containers of several mappings may
			 * share one. A user's containers share it only under the same mapping. */
			bool is_mapped =
				!backing && !input->is_rootless && !input->map->is_identity;
			add_bind(mount, source,
				 is_mapped ? "rbind,rprivate,nosuid,nodev,idmap"
					   : "rbind,rprivate,nosuid,nodev",
				 config);
		} else {
			add_bind(mount, source, is_recursive ? "rbind,rprivate" : "bind,rprivate",
				 config);
		}
		return 0;
	case MOUNT_IMAGE:
		add_image(input, mount, number, config);
		return 0;
	case MOUNT_TMPFS:
	case MOUNT_RAMFS:
	case MOUNT_DEVPTS:
		add_file_system(input, mount, config);
		return 0;
	case MOUNT_KIND_COUNT:
		break;
	}
	return err_set(err, EINVAL, "mount at '%s' is of an unknown kind", mount->destination);
}
