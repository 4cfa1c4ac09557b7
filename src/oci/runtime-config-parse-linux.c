/* What is of Linux only in a config.json. */
#include <errno.h>
#include <string.h>
#include <sys/personality.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "kernel/seccomp-profile.h"
#include "oci/runtime-config-internal.h"

const char *const oci_namespace_names[OCI_NS_COUNT] = {
	[OCI_NS_USER] = "user",	      [OCI_NS_MOUNT] = "mount", [OCI_NS_PID] = "pid",
	[OCI_NS_NETWORK] = "network", [OCI_NS_IPC] = "ipc",	[OCI_NS_UTS] = "uts",
	[OCI_NS_CGROUP] = "cgroup",   [OCI_NS_TIME] = "time",
};

static void parse_namespaces(const struct json_at *linux_at, struct oci_runtime_config *config)
{
	struct json_at list, at;

	if (!json_at_member(linux_at, "namespaces", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *type = json_at_need_string(&at, "type"),
			   *path = json_at_string(&at, "path");
		int ns = 0;
		while (ns < OCI_NS_COUNT && strcmp(oci_namespace_names[ns], type) != 0)
			ns++;
		if (ns == OCI_NS_COUNT) {
			json_at_fail(&at, "type", "unknown namespace '%s'", type);
			return;
		}
		if (config->namespaces[ns].wanted)
			json_at_fail(&at, "type", "'%s' is given twice", type);
		config->namespaces[ns].wanted = true;
		if (!path || !*path)
			continue;
		if (*path != '/')
			json_at_fail(&at, "path", "'%s' is not an absolute path", path);
		free(config->namespaces[ns].path);
		config->namespaces[ns].path = xstrdup(path);
	}
}

static void parse_mappings(const struct json_at *at, struct oci_runtime_config *config)
{
	const struct oci_namespace_config *user = &config->namespaces[OCI_NS_USER];

	oci_parse_extents(at, "uidMappings", &config->uid_maps, &config->uid_map_count);
	oci_parse_extents(at, "gidMappings", &config->gid_maps, &config->gid_map_count);
	if (config->uid_map_count && !user->wanted)
		json_at_fail(
			at, "uidMappings",
			"needs a user namespace; add { \"type\": \"user\" } to linux.namespaces");
	if (config->gid_map_count && !user->wanted)
		json_at_fail(
			at, "gidMappings",
			"needs a user namespace; add { \"type\": \"user\" } to linux.namespaces");
	if (user->wanted && !user->path && !config->uid_map_count)
		json_at_fail(at, "uidMappings", "missing; a new user namespace needs it");
	if (user->wanted && !user->path && !config->gid_map_count)
		json_at_fail(at, "gidMappings", "missing; a new user namespace needs it");
}

static void parse_time_offsets(const struct json_at *linux_at, struct oci_runtime_config *config)
{
	static const char *const clocks[OCI_CLOCK_COUNT] = {
		[OCI_CLOCK_MONOTONIC] = "monotonic",
		[OCI_CLOCK_BOOTTIME] = "boottime",
	};
	const struct oci_namespace_config *time = &config->namespaces[OCI_NS_TIME];
	struct json_at object, at;

	if (!json_at_member(linux_at, "timeOffsets", json_type_object, &object))
		return;
	for (int i = 0; i < OCI_CLOCK_COUNT; i++) {
		int64_t nanoseconds = 0;
		if (!json_at_member(&object, clocks[i], json_type_object, &at))
			continue;
		if (!time->wanted || time->path)
			json_at_fail(linux_at, "timeOffsets",
				     "needs a new time namespace; add { \"type\": \"time\" } to "
				     "linux.namespaces");
		config->time_offsets[i].given = true;
		json_at_int(&at, "secs", INT64_MIN / 2, INT64_MAX / 2,
			    &config->time_offsets[i].seconds);
		json_at_int(&at, "nanosecs", 0, 999999999, &nanoseconds);
		config->time_offsets[i].nanoseconds = (uint32_t)nanoseconds;
	}
	json_object_object_foreach(object.value, key, value)
	{
		(void)value;
		if (strcmp(key, clocks[0]) != 0 && strcmp(key, clocks[1]) != 0)
			json_at_fail(&object, key,
				     "unknown clock; there are 'monotonic' and 'boottime'");
	}
}

static void parse_devices(const struct json_at *linux_at, struct oci_runtime_config *config)
{
	struct json_at list, at;
	int64_t number;

	if (!json_at_member(linux_at, "devices", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *type = json_at_need_string(&at, "type"),
			   *path = json_at_need_string(&at, "path");
		if (strlen(type) > 1 || !strchr("bcup", *type))
			json_at_fail(&at, "type", "'%s' is none of c, b, u, p", type);
		if (*path != '/')
			json_at_fail(&at, "path", "'%s' is not an absolute path", path);
		struct oci_device *device = OCI_APPEND(config->devices, config->device_count);
		device->type = *type;
		device->path = xstrdup(path);
		if (*type != 'p') {
			device->major = json_at_need_int(&at, "major", 0, UINT32_MAX);
			device->minor = json_at_need_int(&at, "minor", 0, UINT32_MAX);
		}
		device->file_mode = 0666;
		if (json_at_int(&at, "fileMode", 0, UINT32_MAX, &number))
			device->file_mode = (mode_t)number & 07777;
		if (json_at_int(&at, "uid", 0, UINT32_MAX - 1, &number))
			device->uid = (uint32_t)number;
		if (json_at_int(&at, "gid", 0, UINT32_MAX - 1, &number))
			device->gid = (uint32_t)number;
	}
}

static void add_sysctl(void *data, const struct json_at *at, const char *key, const char *value)
{
	if (!*key)
		json_at_fail(at, NULL, "a setting without a name");
	oci_runtime_config_add_sysctl(data, key, value);
}

/* The profile stays as it is: compiled filters are kept by its text. It is looked through here for errors with a place. */
static void parse_seccomp(const struct json_at *linux_at, struct oci_runtime_config *config)
{
	struct json_at at;

	if (!json_at_member(linux_at, "seccomp", json_type_object, &at))
		return;
	seccomp_profile_free(seccomp_profile_read(&at, config->process.capabilities.bounding));
	json_at_copy(&at, "listenerPath", &config->seccomp_listener_path);
	json_at_copy(&at, "listenerMetadata", &config->seccomp_listener_metadata);
	const char *path = config->seccomp_listener_path;
	if (path && *path != '/')
		json_at_fail(&at, "listenerPath", "'%s' is not an absolute path", path);
	if (!path && config->seccomp_listener_metadata && *config->seccomp_listener_metadata)
		json_at_fail(&at, "listenerMetadata", "needs 'listenerPath'");
	config->seccomp_profile = xstrdup(json_text(at.value));
}

static void parse_personality(const struct json_at *linux_at, struct oci_runtime_config *config)
{
	struct json_at at, flags;

	if (!json_at_member(linux_at, "personality", json_type_object, &at))
		return;
	const char *domain = json_at_need_string(&at, "domain");
	config->has_personality = true;
	config->personality = strcmp(domain, "LINUX32") == 0 ? PER_LINUX32 : PER_LINUX;
	if (strcmp(domain, "LINUX") != 0 && strcmp(domain, "LINUX32") != 0)
		json_at_fail(&at, "domain", "'%s' is neither LINUX nor LINUX32", domain);
	if (json_at_member(&at, "flags", json_type_array, &flags) &&
	    json_object_array_length(flags.value))
		json_at_fail(&at, "flags", "the specification has no flags yet; leave them out");
}

static void parse_propagation(const struct json_at *at, struct oci_runtime_config *config)
{
	static const char *const words[] = { "private",	 "slave",  "shared",  "unbindable",
					     "rprivate", "rslave", "rshared", "runbindable" };

	json_at_copy(at, "rootfsPropagation", &config->rootfs_propagation);
	if (!config->rootfs_propagation)
		return;
	if (!*config->rootfs_propagation) {
		free(take_ptr(&config->rootfs_propagation));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], config->rootfs_propagation) == 0)
			return;
	json_at_fail(at, "rootfsPropagation", "'%s' is none of private, slave, shared, unbindable",
		     config->rootfs_propagation);
}

void oci_parse_linux(const struct json_at *at, struct oci_runtime_config *config)
{
	struct json_at object;

	parse_namespaces(at, config);
	parse_mappings(at, config);
	parse_time_offsets(at, config);
	parse_devices(at, config);
	json_at_pairs(at, "sysctl", add_sysctl, config);
	json_at_copy(at, "cgroupsPath", &config->cgroups_path);
	if (json_at_member(at, "resources", json_type_object, &object))
		oci_parse_resources(&object, &config->resources);
	parse_propagation(at, config);
	parse_seccomp(at, config);
	oci_parse_paths(at, "maskedPaths", &config->masked_paths);
	oci_parse_paths(at, "readonlyPaths", &config->readonly_paths);
	json_at_copy(at, "mountLabel", &config->mount_label);
	parse_personality(at, config);
	if (json_at_member(at, "intelRdt", json_type_object, &object))
		json_at_fail(at, "intelRdt",
			     "not supported by this runtime; leave it out and put the container's "
			     "process into a group "
			     "below /sys/fs/resctrl");
}
