#include "cli/userns-options.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/container-options.h"
#include "engine/container-spec.h"
#include "engine/engine.h"
#include "engine/userns-mode.h"
#include "kernel/userns.h"

static int read_mode(const struct engine *engine, const struct container_args *args,
		     struct userns_mode *mode, struct err *err)
{
	bool has_maps = args->uid_maps.count || args->gid_maps.count;

	if (has_maps && args->userns)
		return err_set(err, EINVAL,
			       "--userns and --uidmap or --gidmap contradict each other; give the "
			       "one or the others");
	if (has_maps) {
		mode->kind = USERNS_MAPS;
		strlist_extend(&mode->uid_maps, &args->uid_maps);
		strlist_extend(&mode->gid_maps, &args->gid_maps);
		return 0;
	}
	if (args->userns)
		return userns_mode_parse(args->userns, mode, err);
	const char *variable = engine_getenv(engine, "PODMAN_USERNS");
	if (variable && *variable) {
		int r = userns_mode_parse(variable, mode, err);
		return r < 0 ? err_wrap(err, "PODMAN_USERNS") : 0;
	}
	int r = userns_mode_parse(engine->settings.userns, mode, err);
	return r < 0 ? err_wrap(err, "containers.conf, userns") : 0;
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

	int r = read_mode(engine, args, &mode, err);
	if (r < 0 || mode.kind == USERNS_HOST)
		return r;
	if (mode.kind == USERNS_PRIVATE && !engine->is_rootless)
		mode.kind = USERNS_AUTO;
	if (!userns_mode_has_map(&mode))
		return err_set(err, ENOTSUP, "--userns %s is not there yet", args->userns);
	r = engine_map(engine, &caller.base, err);
	if (r == 0)
		r = userns_mode_maps(&mode, &caller, &uid, &gid, err);
	if (r < 0)
		return r;
	spec->userns_mode = xstrdup(args->userns);
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
