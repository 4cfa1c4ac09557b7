#include "cli/userns-options.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/container-options.h"
#include "engine/container-ids.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/shared-userns.h"
#include "engine/userns-mode.h"
#include "kernel/userns.h"

/* --uidmap, --subuidname and their like. Returns 1 if there are any. */
static int read_maps(struct engine *engine, const struct container_args *args,
		     struct userns_mode *mode, struct err *err)
{
	bool has_maps = args->uid_maps.count || args->gid_maps.count;
	bool has_names = args->subuid_name || args->subgid_name;

	if (!has_maps && !has_names)
		return 0;
	if (args->userns || (has_maps && has_names))
		return err_set(err, EINVAL,
			       "--userns, --uidmap or --gidmap, and --subuidname or --subgidname "
			       "contradict each other; give one kind of them");
	mode->kind = USERNS_MAPS;
	strlist_extend(&mode->uid_maps, &args->uid_maps);
	strlist_extend(&mode->gid_maps, &args->gid_maps);
	if (!has_names)
		return 1;
	int r = container_ids_named(engine, args->subuid_name, args->subgid_name, &mode->uid_maps,
				    &mode->gid_maps, err);
	return r < 0 ? r : 1;
}

/* *ret_text is the mode in words, NULL with --uidmap. */
static int read_mode(struct engine *engine, const struct container_args *args,
		     struct userns_mode *mode, char **ret_text, struct err *err)
{
	const char *variable = engine_getenv(engine, "PODMAN_USERNS");
	const struct {
		const char *text, *name;
	} sources[] = { { args->userns, NULL },
			{ variable && *variable ? variable : NULL, "PODMAN_USERNS" },
			{ engine->settings.userns, "containers.conf, userns" } };

	int r = read_maps(engine, args, mode, err);
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!sources[i].text)
			continue;
		r = userns_mode_parse(sources[i].text, mode, err);
		if (r < 0)
			return sources[i].name ? err_wrap(err, "%s", sources[i].name) : r;
		*ret_text = xstrdup(sources[i].text);
		return 0;
	}
	return 0;
}

int userns_options_apply(struct engine *engine, const struct container_args *args,
			 struct container_spec *spec, struct err *err)
{
	autouserns struct userns_mode mode = { .uid = -1, .gid = -1 };
	autoidmap struct id_map uid = { 0 }, gid = { 0 };
	struct userns_caller caller = {
		.is_rootless = engine->is_rootless,
		.uid = engine->uid,
		.gid = engine->gid,
	};
	autofree char *text = NULL;

	int r = read_mode(engine, args, &mode, &text, err);
	if (r < 0 || mode.kind == USERNS_HOST)
		return r;
	if (mode.kind == USERNS_PRIVATE && !engine->is_rootless)
		mode.kind = USERNS_AUTO;
	if (mode.kind == USERNS_CONTAINER || mode.kind == USERNS_PATH)
		return shared_userns_resolve(engine, &mode, spec, err);
	spec->userns_mode = take_ptr(&text);
	if (mode.kind == USERNS_AUTO) /* only whether there are any: chosen when it is recorded */
		return container_ids_available(engine, &uid, &gid, err);
	r = engine_map(engine, &caller.base, err);
	if (r == 0)
		r = userns_mode_maps(&mode, &caller, &uid, &gid, err);
	if (r < 0)
		return r;
	id_map_format(&uid, &spec->uid_maps);
	id_map_format(&gid, &spec->gid_maps);
	if (mode.kind == USERNS_KEEP_ID) {
		spec->user_name = userns_user_name(engine->uid);
		spec->user = xasprintf(
			"%lld:%lld", mode.uid >= 0 ? (long long)mode.uid : (long long)engine->uid,
			mode.gid >= 0 ? (long long)mode.gid : (long long)engine->gid);
	}
	return 0;
}
