#include "engine/commit-config.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "engine/container-spec.h"
#include "engine/mount-spec.h"
#include "oci/image-instruction.h"

static void set_list(struct json_object *config, const char *key, const struct strlist *list)
{
	json_object_object_del(config, key);
	if (list->count)
		json_add_strlist(config, key, list);
}

/* Each container is given these anew. */
static void set_environment(struct json_object *config, const struct container_spec *spec)
{
	static const char *const given[] = { "container", "HOSTNAME" };
	autostrlist struct strlist env = STRLIST_EMPTY;

	strlist_extend(&env, &spec->env);
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		strlist_env_unset(&env, given[i]);
	set_list(config, "Env", &env);
}

static int add_volumes(struct json_object *config, const struct container_spec *spec,
		       struct err *err)
{
	struct json_object *volumes = json_get(config, "Volumes");

	if (!json_object_is_type(volumes, json_type_object)) {
		volumes = json_object_new_object();
		json_object_object_add(config, "Volumes", volumes);
	}
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct mount_spec mount;
		int r = mount_spec_load(spec->mounts.items[i], &mount, err);
		if (r < 0)
			return r;
		if (mount.kind == MOUNT_BIND || mount.kind == MOUNT_VOLUME)
			json_object_object_add(volumes, mount.destination,
					       json_object_new_object());
		mount_spec_clear(&mount);
	}
	return 0;
}

static int add_ports(struct json_object *config, const struct strlist *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++) {
		/* Of "IP:HOST:CONTAINER/PROTOCOL" the last part. */
		const char *colon = strrchr(ports->items[i], ':');
		autofree char *instruction =
			xasprintf("EXPOSE %s", colon ? colon + 1 : ports->items[i]);
		int r = image_instruction_apply(config, instruction, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int commit_config_fill(struct json_object *config, const struct container_spec *spec,
		       bool include_volumes, struct err *err)
{
	set_environment(config, spec);
	set_list(config, "Entrypoint", &spec->entrypoint);
	set_list(config, "Cmd", &spec->command);
	json_object_object_del(config, "User");
	if (spec->user && *spec->user)
		json_add_string(config, "User", spec->user);
	json_object_object_del(config, "WorkingDir");
	json_add_string(config, "WorkingDir", spec->workdir);
	if (spec->stop_signal) {
		json_object_object_del(config, "StopSignal");
		json_add_string(config, "StopSignal", spec->stop_signal);
	}
	json_object_object_del(config, "Labels");
	if (spec->labels.count)
		json_object_object_add(config, "Labels", json_from_pairs(&spec->labels));
	int r = add_ports(config, &spec->expose, err);
	if (r == 0)
		r = add_ports(config, &spec->ports, err);
	return r == 0 && include_volumes ? add_volumes(config, spec, err) : r;
}
