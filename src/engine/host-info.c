#include "engine/host-info.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "config.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "kernel/userns.h"
#include "oci/manifest.h"
#include "registry/paths.h"
#include "registry/registries.h"
#include "store/image.h"
#include "store/store.h"

#define SMALL_FILE 65536

/* The value of KEY=VALUE or KEY="VALUE" on a line of its own; "" when there is none. */
static char *os_release_value(const char *text, const char *key)
{
	size_t size = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, size) != 0 || line[size] != '=')
			continue;
		const char *value = line + size + 1;
		size_t length = strcspn(value, "\n");
		if (length >= 2 && (*value == '"' || *value == '\''))
			return xstrndup(value + 1, length - 2);
		return xstrndup(value, length);
	}
	return xstrdup("");
}

static struct json_object *distribution(void)
{
	static const struct {
		const char *name, *key;
	} fields[] = { { "distribution", "ID" },
		       { "version", "VERSION_ID" },
		       { "codename", "VERSION_CODENAME" } };
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct json_object *object = json_object_new_object();
	struct err ignored;

	if (file_read(AT_FDCWD, "/etc/os-release", &text, SMALL_FILE, &ignored) < 0)
		(void)file_read(AT_FDCWD, "/usr/lib/os-release", &text, SMALL_FILE, &ignored);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		autofree char *value = os_release_value(strbuf_text(&text), fields[i].key);

		json_add_string(object, fields[i].name, value);
	}
	return object;
}

/* "v2", "v1", or "hybrid" where the limits are v1's beside a v2 tree. */
static const char *cgroup_version(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		return "v2";
	if (statfs("/sys/fs/cgroup/unified", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		return "hybrid";
	return "v1";
}

static struct json_object *extents(const struct id_extent *list, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();

		json_add_int(object, "container_id", list[i].inside);
		json_add_int(object, "host_id", list[i].outside);
		json_add_int(object, "size", list[i].size);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *id_mappings(struct engine *engine)
{
	struct json_object *object = json_object_new_object();
	const struct userns_map *map;
	struct err ignored;

	if (!engine->is_rootless || engine_map(engine, &map, &ignored) < 0)
		return object;
	json_object_object_add(object, "uidmap", extents(map->uid, map->uid_count));
	json_object_object_add(object, "gidmap", extents(map->gid, map->gid_count));
	return object;
}

static struct json_object *security(const struct engine *engine)
{
	struct json_object *object = json_object_new_object();
	autofree char *capabilities = strlist_join(&engine->settings.default_capabilities, ",");

	json_add_bool(object, "apparmorEnabled",
		      access("/sys/kernel/security/apparmor/profiles", F_OK) == 0);
	json_add_string(object, "capabilities", capabilities);
	json_add_bool(object, "rootless", engine->is_rootless);
	json_add_bool(object, "seccompEnabled", access("/proc/sys/kernel/seccomp", F_OK) == 0);
	json_add_string(object, "seccompProfilePath", engine->settings.seccomp_profile ?: "");
	json_add_bool(object, "selinuxEnabled", access("/sys/fs/selinux/enforce", F_OK) == 0);
	return object;
}

/* What podman tells of programs that it works with: ours has a monitor, and no service that listens. */
static void add_helpers(const struct engine *engine, struct json_object *object)
{
	struct json_object *monitor = json_object_new_object(), *socket = json_object_new_object();
	autofree char *path = engine_helper_path(engine, "davit-monitor");

	json_add_string(monitor, "path", path);
	json_add_string(monitor, "version", "davit " DAVIT_VERSION);
	json_object_object_add(object, "conmon", monitor);
	json_add_bool(socket, "exists", false);
	json_add_string(socket, "path", "");
	json_object_object_add(object, "remoteSocket", socket);
	json_add_bool(object, "serviceIsRemote", false);
}

static struct json_object *plugins(void)
{
	static const struct {
		const char *kind, *names[6];
	} kinds[] = {
		{ "log", { "k8s-file", "json-file", "journald", "none", "passthrough" } },
		{ "network", { "bridge", "pasta" } },
		{ "volume", { "local" } },
	};
	struct json_object *object = json_object_new_object();

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct json_object *names = json_object_new_array();
		for (const char *const *at = kinds[k].names; *at; at++)
			json_object_array_add(names, json_object_new_string(*at));
		json_object_object_add(object, kinds[k].kind, names);
	}
	return object;
}

static struct json_object *host(struct engine *engine)
{
	struct json_object *object = json_object_new_object();
	struct oci_platform platform = oci_platform_of_host();
	struct sysinfo system = { 0 };
	struct utsname names;

	(void)uname(&names);	/* fails only for a bad pointer */
	(void)sysinfo(&system); /* likewise */
	json_add_string(object, "arch", platform.architecture);
	json_add_string(object, "cgroupManager", engine->settings.cgroup_manager ?: "cgroupfs");
	json_add_string(object, "cgroupVersion", cgroup_version());
	json_add_int(object, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	json_object_object_add(object, "distribution", distribution());
	json_add_string(object, "eventLogger", event_is_wanted(engine) ? "file" : "none");
	json_add_string(object, "hostname", names.nodename);
	json_object_object_add(object, "idMappings", id_mappings(engine));
	json_add_string(object, "kernel", names.release);
	json_add_string(object, "logDriver", engine->settings.log_driver ?: "");
	json_add_int(object, "memFree", (int64_t)system.freeram * system.mem_unit);
	json_add_int(object, "memTotal", (int64_t)system.totalram * system.mem_unit);
	json_add_string(object, "networkBackend", "davit");
	add_helpers(engine, object);
	struct json_object *runtime = json_object_new_object();
	json_add_string(runtime, "name", "davit");
	json_add_string(runtime, "path", engine->self_path);
	json_add_string(runtime, "version", "davit " DAVIT_VERSION ", in the process");
	json_object_object_add(object, "ociRuntime", runtime);
	json_add_string(object, "os", "linux");
	json_object_object_add(object, "security", security(engine));
	json_add_int(object, "swapFree", (int64_t)system.freeswap * system.mem_unit);
	json_add_int(object, "swapTotal", (int64_t)system.totalswap * system.mem_unit);
	autofree char *uptime = xasprintf("%ldh %ldm %ld.00s", system.uptime / 3600,
					  system.uptime / 60 % 60, system.uptime % 60);
	json_add_string(object, "uptime", uptime);
	oci_platform_clear(&platform);
	return object;
}

static int add_containers(struct engine *engine, struct json_object *object, struct err *err)
{
	struct json_object *counts = json_object_new_object();
	struct container **list;
	size_t count, running = 0, paused = 0;

	json_object_object_add(object, "containerStore", counts);
	int r = container_list(engine, 0, &list, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		bool is_paused = list[i]->run.is_paused;
		running += list[i]->state == CONTAINER_RUNNING && !is_paused;
		paused += list[i]->state == CONTAINER_RUNNING && is_paused;
	}
	container_list_free(list, count);
	json_add_int(counts, "number", (int64_t)count);
	json_add_int(counts, "paused", (int64_t)paused);
	json_add_int(counts, "running", (int64_t)running);
	json_add_int(counts, "stopped", (int64_t)(count - running - paused));
	return 0;
}

static int add_store(struct engine *engine, struct json_object *root, struct err *err)
{
	struct json_object *object = json_object_new_object(), *images = json_object_new_object();
	autoimage_list struct image_list list = { 0 };
	struct store *store;
	struct statvfs fs;

	json_object_object_add(root, "store", object);
	int r = add_containers(engine, object, err);
	if (r >= 0)
		r = engine_store(engine, &store, err);
	if (r >= 0)
		r = image_list(store, &list, err);
	if (r < 0)
		return r;
	autofree char *volumes = store_path(store, STORE_VOLUMES);
	json_add_string(object, "graphDriverName", "overlay");
	json_add_string(object, "graphRoot", engine->root);
	if (statvfs(engine->root, &fs) == 0) {
		json_add_int(object, "graphRootAllocated", (int64_t)(fs.f_blocks * fs.f_frsize));
		json_add_int(object, "graphRootUsed",
			     (int64_t)((fs.f_blocks - fs.f_bfree) * fs.f_frsize));
	}
	json_add_int(images, "number", (int64_t)list.count);
	json_object_object_add(object, "imageStore", images);
	json_add_string(object, "runRoot", engine->runroot);
	json_add_bool(object, "transientStore", false);
	json_add_string(object, "volumePath", volumes);
	return 0;
}

static struct json_object *registries_info(const struct engine *engine)
{
	autoregistries struct registries *registries = NULL;
	struct json_object *object = json_object_new_object();
	struct registry_paths paths;
	struct err ignored;

	registry_paths_init(&paths, getenv, engine->uid);
	if (registries_load(&paths, &registries, &ignored) >= 0)
		json_add_strlist(object, "search", registries_search(registries));
	registry_paths_clear(&paths);
	return object;
}

static struct json_object *version(void)
{
	struct json_object *object = json_object_new_object();
	struct oci_platform platform = oci_platform_of_host();
	autofree char *os_arch = oci_platform_print(&platform);

	json_add_string(object, "APIVersion", DAVIT_VERSION); /* as podman has it: its own */
	json_add_string(object, "Version", DAVIT_VERSION);
	json_add_string(object, "OsArch", os_arch);
	json_add_string(object, "Os", "linux");
	oci_platform_clear(&platform);
	return object;
}

int host_info(struct engine *engine, struct json_object **ret_info, struct err *err)
{
	autojson struct json_object *root = json_object_new_object();

	json_object_object_add(root, "host", host(engine));
	int r = add_store(engine, root, err);
	if (r < 0)
		return r;
	json_object_object_add(root, "plugins", plugins());
	json_object_object_add(root, "registries", registries_info(engine));
	json_object_object_add(root, "version", version());
	*ret_info = take_ptr(&root);
	return 0;
}
