/* The runtime configuration as config.json of the OCI runtime specification 1.2: for inspect, and
 * for a runtime that is another program. The overlay has no word there: root.path names where it is
 * to be mounted. The seccomp filter exists only compiled and is left out; who hands the document to
 * another runtime adds the profile. */
#include "oci/runtime-config.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define SPECIFICATION_VERSION "1.2.0"

/* A member that is an object or array and is dropped when it stayed empty. */
static void add_unless_empty(struct json_object *object, const char *key, struct json_object *value)
{
	bool empty = json_object_is_type(value, json_type_array)
			     ? json_object_array_length(value) == 0
			     : json_object_object_length(value) == 0;

	if (empty)
		json_object_put(value);
	else
		json_object_object_add(object, key, value);
}

static void add_nonzero(struct json_object *object, const char *key, int64_t value)
{
	if (value)
		json_add_int(object, key, value);
}

static void add_strlist(struct json_object *object, const char *key, const struct strlist *list)
{
	if (list->count)
		json_add_strlist(object, key, list);
}

static void add_unsigned(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

/* ---- process ---- */

static void add_capability_set(struct json_object *object, const char *key, uint64_t set)
{
	struct json_object *array = json_object_new_array();

	for (int i = 0; i < 64; i++)
		if ((set >> i & 1) && capability_name(i))
			json_append_string(array, capability_name(i));
	add_unless_empty(object, key, array);
}

static struct json_object *capabilities_to_json(const struct capability_sets *sets)
{
	struct json_object *object = json_object_new_object();

	add_capability_set(object, "bounding", sets->bounding);
	add_capability_set(object, "effective", sets->effective);
	add_capability_set(object, "inheritable", sets->inheritable);
	add_capability_set(object, "permitted", sets->permitted);
	add_capability_set(object, "ambient", sets->ambient);
	return object;
}

static struct json_object *user_to_json(const struct oci_process *process)
{
	struct json_object *user = json_object_new_object();
	struct json_object *groups = json_object_new_array();

	json_add_int(user, "uid", process->uid);
	json_add_int(user, "gid", process->gid);
	if (process->umask >= 0)
		json_add_int(user, "umask", process->umask);
	for (size_t i = 0; i < process->additional_gid_count; i++)
		json_object_array_add(groups, json_object_new_int64(process->additional_gids[i]));
	add_unless_empty(user, "additionalGids", groups);
	return user;
}

static struct json_object *process_to_json(const struct oci_process *process)
{
	struct json_object *object = json_object_new_object();
	struct json_object *limits = json_object_new_array();

	if (process->terminal)
		json_add_bool(object, "terminal", true);
	if (process->console_rows || process->console_columns) {
		struct json_object *size = json_object_new_object();
		json_add_int(size, "height", process->console_rows);
		json_add_int(size, "width", process->console_columns);
		json_object_object_add(object, "consoleSize", size);
	}
	json_object_object_add(object, "user", user_to_json(process));
	json_add_strlist(object, "args", &process->args);
	add_strlist(object, "env", &process->env);
	json_add_string(object, "cwd", process->cwd && *process->cwd ? process->cwd : "/");
	add_unless_empty(object, "capabilities", capabilities_to_json(&process->capabilities));
	for (size_t i = 0; i < process->rlimit_count; i++) {
		struct json_object *limit = json_object_new_object();
		json_add_string(limit, "type", process->rlimits[i].type);
		add_unsigned(limit, "hard", process->rlimits[i].hard);
		add_unsigned(limit, "soft", process->rlimits[i].soft);
		json_object_array_add(limits, limit);
	}
	add_unless_empty(object, "rlimits", limits);
	if (process->no_new_privileges)
		json_add_bool(object, "noNewPrivileges", true);
	if (process->has_oom_score_adj)
		json_add_int(object, "oomScoreAdj", process->oom_score_adj);
	json_add_string(object, "apparmorProfile", process->apparmor_profile);
	json_add_string(object, "selinuxLabel", process->selinux_label);
	return object;
}

/* ---- resources ---- */

static struct json_object *device_rules_to_json(const struct cgroup_resources *resources)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < resources->device_count; i++) {
		const struct cgroup_device_rule *rule = &resources->devices[i];
		struct json_object *object = json_object_new_object();
		json_add_bool(object, "allow", rule->allow);
		if (rule->type && rule->type != 'a')
			json_object_object_add(object, "type",
					       json_object_new_string_len(&rule->type, 1));
		if (rule->major >= 0 && rule->type != 'a')
			json_add_int(object, "major", rule->major);
		if (rule->minor >= 0 && rule->type != 'a')
			json_add_int(object, "minor", rule->minor);
		json_add_string(object, "access", *rule->access ? rule->access : "rwm");
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *memory_to_json(const struct cgroup_resources *resources)
{
	struct json_object *object = json_object_new_object();

	add_nonzero(object, "limit", resources->memory_limit);
	add_nonzero(object, "swap", resources->memory_swap);
	add_nonzero(object, "reservation", resources->memory_reservation);
	add_nonzero(object, "kernel", resources->memory_kernel);
	add_nonzero(object, "kernelTCP", resources->memory_kernel_tcp);
	if (resources->memory_swappiness >= 0)
		json_add_int(object, "swappiness", resources->memory_swappiness);
	if (resources->memory_disable_oom_killer)
		json_add_bool(object, "disableOOMKiller", true);
	return object;
}

static struct json_object *cpu_to_json(const struct cgroup_resources *resources)
{
	struct json_object *object = json_object_new_object();

	add_nonzero(object, "shares", (int64_t)resources->cpu_shares);
	add_nonzero(object, "quota", resources->cpu_quota);
	add_nonzero(object, "period", (int64_t)resources->cpu_period);
	add_nonzero(object, "realtimeRuntime", resources->cpu_rt_runtime);
	add_nonzero(object, "realtimePeriod", (int64_t)resources->cpu_rt_period);
	add_nonzero(object, "burst", (int64_t)resources->cpu_burst);
	if (resources->has_cpu_idle)
		json_add_int(object, "idle", resources->cpu_idle);
	json_add_string(object, "cpus", resources->cpuset_cpus);
	json_add_string(object, "mems", resources->cpuset_mems);
	return object;
}

static struct json_object *block_io_to_json(const struct cgroup_resources *resources)
{
	static const char *const throttles[] = {
		"throttleReadBpsDevice",
		"throttleWriteBpsDevice",
		"throttleReadIOPSDevice",
		"throttleWriteIOPSDevice",
	};
	struct json_object *object = json_object_new_object();
	struct json_object *weights = json_object_new_array();

	add_nonzero(object, "weight", resources->blkio_weight);
	for (size_t i = 0; i < resources->weight_device_count; i++) {
		const struct cgroup_weight *from = &resources->weight_devices[i];
		struct json_object *weight = json_object_new_object();
		json_add_int(weight, "major", from->major);
		json_add_int(weight, "minor", from->minor);
		json_add_int(weight, "weight", from->weight);
		json_object_array_add(weights, weight);
	}
	add_unless_empty(object, "weightDevice", weights);
	for (size_t kind = 0; kind < ARRAY_SIZE(throttles); kind++) {
		struct json_object *array = json_object_new_array();
		for (size_t i = 0; i < resources->throttle_count[kind]; i++) {
			const struct cgroup_throttle *from = &resources->throttle[kind][i];
			struct json_object *throttle = json_object_new_object();
			json_add_int(throttle, "major", from->major);
			json_add_int(throttle, "minor", from->minor);
			add_unsigned(throttle, "rate", from->rate);
			json_object_array_add(array, throttle);
		}
		add_unless_empty(object, throttles[kind], array);
	}
	return object;
}

static struct json_object *rdma_to_json(const struct cgroup_resources *resources)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < resources->rdma_count; i++) {
		const struct cgroup_rdma_limit *from = &resources->rdma[i];
		struct json_object *limit = json_object_new_object();
		if (from->handles != UINT32_MAX)
			json_add_int(limit, "hcaHandles", from->handles);
		if (from->objects != UINT32_MAX)
			json_add_int(limit, "hcaObjects", from->objects);
		json_object_object_add(object, from->device, limit);
	}
	return object;
}

static struct json_object *network_to_json(const struct cgroup_resources *resources)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();

	add_nonzero(object, "classID", resources->network_class);
	for (size_t i = 0; i < resources->network_priority_count; i++) {
		struct json_object *entry = json_object_new_object();
		json_add_string(entry, "name", resources->network_priorities[i].key);
		json_add_int(entry, "priority",
			     strtoll(resources->network_priorities[i].value, NULL, 10));
		json_object_array_add(list, entry);
	}
	add_unless_empty(object, "priorities", list);
	return object;
}

static struct json_object *resources_to_json(const struct cgroup_resources *resources)
{
	struct json_object *object = json_object_new_object();
	struct json_object *huge = json_object_new_array();
	struct json_object *unified = json_object_new_object();

	add_unless_empty(object, "devices", device_rules_to_json(resources));
	add_unless_empty(object, "memory", memory_to_json(resources));
	add_unless_empty(object, "cpu", cpu_to_json(resources));
	if (resources->pids_limit) {
		struct json_object *pids = json_object_new_object();
		json_add_int(pids, "limit", resources->pids_limit);
		json_object_object_add(object, "pids", pids);
	}
	add_unless_empty(object, "blockIO", block_io_to_json(resources));
	for (size_t i = 0; i < resources->hugepage_limit_count; i++) {
		struct json_object *limit = json_object_new_object();
		json_add_string(limit, "pageSize", resources->hugepage_limits[i].page_size);
		add_unsigned(limit, "limit", resources->hugepage_limits[i].limit_bytes);
		json_object_array_add(huge, limit);
	}
	add_unless_empty(object, "hugepageLimits", huge);
	add_unless_empty(object, "rdma", rdma_to_json(resources));
	add_unless_empty(object, "network", network_to_json(resources));
	for (size_t i = 0; i < resources->unified_count; i++)
		json_add_string(unified, resources->unified[i].key, resources->unified[i].value);
	add_unless_empty(object, "unified", unified);
	return object;
}

/* ---- linux ---- */

static struct json_object *extents_to_json(const struct id_extent *extents, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *extent = json_object_new_object();
		json_add_int(extent, "containerID", extents[i].inside);
		json_add_int(extent, "hostID", extents[i].outside);
		json_add_int(extent, "size", extents[i].size);
		json_object_array_add(array, extent);
	}
	return array;
}

static struct json_object *namespaces_to_json(const struct oci_runtime_config *config)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < OCI_NS_COUNT; i++) {
		if (!config->namespaces[i].wanted)
			continue;
		struct json_object *ns = json_object_new_object();
		json_add_string(ns, "type", oci_namespace_names[i]);
		json_add_string(ns, "path", config->namespaces[i].path);
		json_object_array_add(array, ns);
	}
	return array;
}

static struct json_object *devices_to_json(const struct oci_runtime_config *config)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < config->device_count; i++) {
		const struct oci_device *from = &config->devices[i];
		struct json_object *device = json_object_new_object();
		json_object_object_add(device, "type", json_object_new_string_len(&from->type, 1));
		json_add_string(device, "path", from->path);
		json_add_int(device, "major", from->major);
		json_add_int(device, "minor", from->minor);
		json_add_int(device, "fileMode", from->file_mode ? from->file_mode : 0666);
		json_add_int(device, "uid", from->uid);
		json_add_int(device, "gid", from->gid);
		json_object_array_add(array, device);
	}
	return array;
}

static struct json_object *linux_to_json(const struct oci_runtime_config *config)
{
	struct json_object *object = json_object_new_object();
	struct json_object *sysctls = json_object_new_object();

	add_unless_empty(object, "uidMappings",
			 extents_to_json(config->uid_maps, config->uid_map_count));
	add_unless_empty(object, "gidMappings",
			 extents_to_json(config->gid_maps, config->gid_map_count));
	for (size_t i = 0; i < config->sysctl_count; i++)
		json_add_string(sysctls, config->sysctls[i].key, config->sysctls[i].value);
	add_unless_empty(object, "sysctl", sysctls);
	add_unless_empty(object, "resources", resources_to_json(&config->resources));
	json_add_string(object, "cgroupsPath", config->cgroups_path);
	add_unless_empty(object, "namespaces", namespaces_to_json(config));
	add_unless_empty(object, "devices", devices_to_json(config));
	json_add_string(object, "rootfsPropagation", config->rootfs_propagation);
	add_strlist(object, "maskedPaths", &config->masked_paths);
	add_strlist(object, "readonlyPaths", &config->readonly_paths);
	return object;
}

/* ---- the whole ---- */

static struct json_object *mounts_to_json(const struct oci_runtime_config *config)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < config->mount_count; i++) {
		const struct oci_mount *from = &config->mounts[i];
		struct json_object *mount = json_object_new_object();
		json_add_string(mount, "destination", from->destination);
		json_add_string(mount, "type", from->type);
		json_add_string(mount, "source", from->source);
		add_strlist(mount, "options", &from->options);
		json_object_array_add(array, mount);
	}
	return array;
}

struct json_object *oci_runtime_config_to_json(const struct oci_runtime_config *config)
{
	struct json_object *object = json_object_new_object();
	struct json_object *root = json_object_new_object();
	struct json_object *annotations = json_object_new_object();

	json_add_string(object, "ociVersion", SPECIFICATION_VERSION);
	json_object_object_add(object, "process", process_to_json(&config->process));
	json_add_string(root, "path", config->root_path ? config->root_path : "");
	if (config->root_readonly)
		json_add_bool(root, "readonly", true);
	json_object_object_add(object, "root", root);
	json_add_string(object, "hostname", config->hostname);
	json_add_string(object, "domainname", config->domainname);
	add_unless_empty(object, "mounts", mounts_to_json(config));
	for (size_t i = 0; i < config->annotations.count; i++) {
		const char *entry = config->annotations.items[i];
		const char *equals = strchrnul(entry, '=');
		autofree char *key = xstrndup(entry, (size_t)(equals - entry));
		json_add_string(annotations, key, *equals ? equals + 1 : "");
	}
	add_unless_empty(object, "annotations", annotations);
	json_object_object_add(object, "linux", linux_to_json(config));
	return object;
}
