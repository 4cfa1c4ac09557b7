#include "oci/runtime-config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Make room for one more element of an array that only grows here, and clear it. */
#define APPEND(array, count)                                                                       \
	((array) = xreallocarray((array), (count) + 1, sizeof(*(array))),                          \
	 memset(&(array)[(count)], 0, sizeof(*(array))), &(array)[(count)++])

struct oci_runtime_config *oci_runtime_config_new(void)
{
	struct oci_runtime_config *config = xcalloc(1, sizeof(*config));

	config->process.umask = -1;
	config->resources.memory_swappiness = -1;
	return config;
}

static void key_values_free(struct key_value *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].key);
		free(entries[i].value);
	}
	free(entries);
}

static void resources_clear(struct cgroup_resources *resources)
{
	free(resources->cpuset_cpus);
	free(resources->cpuset_mems);
	free(resources->weight_devices);
	for (size_t i = 0; i < ARRAY_SIZE(resources->throttle); i++)
		free(resources->throttle[i]);
	for (size_t i = 0; i < resources->hugepage_limit_count; i++)
		free(resources->hugepage_limits[i].page_size);
	free(resources->hugepage_limits);
	free(resources->devices);
	key_values_free(resources->unified, resources->unified_count);
}

static void process_clear(struct oci_process *process)
{
	strlist_clear(&process->args);
	strlist_clear(&process->env);
	free(process->cwd);
	free(process->additional_gids);
	for (size_t i = 0; i < process->rlimit_count; i++)
		free(process->rlimits[i].type);
	free(process->rlimits);
	free(process->apparmor_profile);
	free(process->selinux_label);
}

static void mount_clear(struct oci_mount *mount)
{
	free(mount->destination);
	free(mount->type);
	free(mount->source);
	strlist_clear(&mount->options);
}

void oci_runtime_config_free(struct oci_runtime_config *config)
{
	if (!config)
		return;
	free(config->id);
	free(config->hostname);
	free(config->domainname);
	free(config->root_path);
	strlist_clear(&config->overlay.lowers);
	free(config->overlay.upper);
	free(config->overlay.work);
	free(config->rootfs_propagation);
	for (size_t i = 0; i < config->mount_count; i++)
		mount_clear(&config->mounts[i]);
	free(config->mounts);
	process_clear(&config->process);
	for (size_t i = 0; i < OCI_NS_COUNT; i++)
		free(config->namespaces[i].path);
	free(config->uid_maps);
	free(config->gid_maps);
	for (size_t i = 0; i < config->device_count; i++) {
		free(config->devices[i].path);
		free(config->devices[i].source);
	}
	free(config->devices);
	free(config->cgroups_path);
	resources_clear(&config->resources);
	key_values_free(config->sysctls, config->sysctl_count);
	strlist_clear(&config->masked_paths);
	strlist_clear(&config->readonly_paths);
	free(config->seccomp.instructions);
	strlist_clear(&config->annotations);
	free(config);
}

struct oci_mount *oci_runtime_config_add_mount(struct oci_runtime_config *config,
					       const char *destination, const char *type,
					       const char *source, const char *options)
{
	struct oci_mount *mount = APPEND(config->mounts, config->mount_count);

	mount->destination = xstrdup(destination);
	mount->type = xstrdup(type);
	mount->source = xstrdup(source);
	if (options)
		strlist_split(&mount->options, options, ',');
	return mount;
}

void oci_runtime_config_remove_mount(struct oci_runtime_config *config, size_t index)
{
	mount_clear(&config->mounts[index]);
	config->mount_count--;
	memmove(&config->mounts[index], &config->mounts[index + 1],
		(config->mount_count - index) * sizeof(*config->mounts));
}

void oci_runtime_config_add_sysctl(struct oci_runtime_config *config, const char *key,
				   const char *value)
{
	struct key_value *entry = APPEND(config->sysctls, config->sysctl_count);

	entry->key = xstrdup(key);
	entry->value = xstrdup(value);
}

struct oci_rlimit *oci_runtime_config_add_rlimit(struct oci_runtime_config *config,
						 const char *type, uint64_t soft, uint64_t hard)
{
	struct oci_rlimit *limit = APPEND(config->process.rlimits, config->process.rlimit_count);

	limit->type = xstrdup(type);
	limit->soft = soft;
	limit->hard = hard;
	return limit;
}

struct oci_device *oci_runtime_config_add_device(struct oci_runtime_config *config, char type,
						 const char *path, int64_t major, int64_t minor,
						 mode_t mode)
{
	struct oci_device *device = APPEND(config->devices, config->device_count);

	device->type = type;
	device->path = xstrdup(path);
	device->major = major;
	device->minor = minor;
	device->file_mode = mode;
	return device;
}

void oci_runtime_config_add_device_rule(struct oci_runtime_config *config, bool allow, char type,
					int64_t major, int64_t minor, const char *access)
{
	struct cgroup_device_rule *rule =
		APPEND(config->resources.devices, config->resources.device_count);

	rule->allow = allow;
	rule->type = type;
	rule->major = major;
	rule->minor = minor;
	snprintf(rule->access, sizeof(rule->access), "%s", access);
}
