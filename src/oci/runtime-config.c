#include "oci/runtime-config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "oci/runtime-config-internal.h"

static const struct {
	const char *name;
	int resource;
} rlimits[] = {
	{ "AS", RLIMIT_AS },
	{ "CORE", RLIMIT_CORE },
	{ "CPU", RLIMIT_CPU },
	{ "DATA", RLIMIT_DATA },
	{ "FSIZE", RLIMIT_FSIZE },
	{ "LOCKS", RLIMIT_LOCKS },
	{ "MEMLOCK", RLIMIT_MEMLOCK },
	{ "MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "NICE", RLIMIT_NICE },
	{ "NOFILE", RLIMIT_NOFILE },
	{ "NPROC", RLIMIT_NPROC },
	{ "RSS", RLIMIT_RSS },
	{ "RTPRIO", RLIMIT_RTPRIO },
	{ "RTTIME", RLIMIT_RTTIME },
	{ "SIGPENDING", RLIMIT_SIGPENDING },
	{ "STACK", RLIMIT_STACK },
};

int oci_rlimit_from_name(const char *name)
{
	if (strncasecmp(name, "RLIMIT_", 7) == 0)
		name += 7;
	for (size_t i = 0; i < ARRAY_SIZE(rlimits); i++)
		if (strcasecmp(rlimits[i].name, name) == 0)
			return rlimits[i].resource;
	return -EINVAL;
}

const char *const oci_hook_point_names[OCI_HOOK_POINT_COUNT] = {
	[OCI_HOOK_PRESTART] = "prestart",
	[OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
	[OCI_HOOK_CREATE_CONTAINER] = "createContainer",
	[OCI_HOOK_START_CONTAINER] = "startContainer",
	[OCI_HOOK_POSTSTART] = "poststart",
	[OCI_HOOK_POSTSTOP] = "poststop",
};

static void process_init(struct oci_process *process)
{
	process->umask = -1;
	process->scheduler.policy = -1;
	process->io_priority = -1;
}

struct oci_process *oci_process_new(void)
{
	struct oci_process *process = xcalloc(1, sizeof(*process));

	process_init(process);
	return process;
}

struct oci_runtime_config *oci_runtime_config_new(void)
{
	struct oci_runtime_config *config = xcalloc(1, sizeof(*config));

	process_init(&config->process);
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
	for (size_t i = 0; i < resources->rdma_count; i++)
		free(resources->rdma[i].device);
	free(resources->rdma);
	key_values_free(resources->network_priorities, resources->network_priority_count);
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
	free(process->initial_cpu_affinity);
	free(process->final_cpu_affinity);
}

void oci_process_free(struct oci_process *process)
{
	if (!process)
		return;
	process_clear(process);
	free(process);
}

static void hooks_clear(struct oci_hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++) {
		free(hooks->items[i].path);
		strlist_clear(&hooks->items[i].args);
		strlist_clear(&hooks->items[i].env);
	}
	free(hooks->items);
}

static void mount_clear(struct oci_mount *mount)
{
	free(mount->destination);
	free(mount->type);
	free(mount->source);
	strlist_clear(&mount->options);
	free(mount->uid_maps);
	free(mount->gid_maps);
}

void oci_runtime_config_free(struct oci_runtime_config *config)
{
	if (!config)
		return;
	free(config->id);
	free(config->bundle_path);
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
	strlist_clear(&config->own_paths);
	strlist_clear(&config->masked_paths);
	strlist_clear(&config->readonly_paths);
	free(config->seccomp.instructions);
	free(config->seccomp_recording.instructions);
	free(config->seccomp_profile);
	free(config->seccomp_listener_path);
	free(config->seccomp_listener_metadata);
	free(config->mount_label);
	for (size_t i = 0; i < OCI_HOOK_POINT_COUNT; i++)
		hooks_clear(&config->hooks[i]);
	strlist_clear(&config->annotations);
	free(config);
}

struct oci_mount *oci_runtime_config_add_mount(struct oci_runtime_config *config,
					       const char *destination, const char *type,
					       const char *source, const char *options)
{
	struct oci_mount *mount = OCI_APPEND(config->mounts, config->mount_count);

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
	struct key_value *entry = OCI_APPEND(config->sysctls, config->sysctl_count);

	entry->key = xstrdup(key);
	entry->value = xstrdup(value);
}

struct oci_rlimit *oci_runtime_config_add_rlimit(struct oci_runtime_config *config,
						 const char *type, uint64_t soft, uint64_t hard)
{
	struct oci_rlimit *limit =
		OCI_APPEND(config->process.rlimits, config->process.rlimit_count);

	limit->type = xstrdup(type);
	limit->soft = soft;
	limit->hard = hard;
	return limit;
}

struct oci_device *oci_runtime_config_add_device(struct oci_runtime_config *config, char type,
						 const char *path, int64_t major, int64_t minor,
						 mode_t mode)
{
	struct oci_device *device = OCI_APPEND(config->devices, config->device_count);

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
		OCI_APPEND(config->resources.devices, config->resources.device_count);

	rule->allow = allow;
	rule->type = type;
	rule->major = major;
	rule->minor = minor;
	snprintf(rule->access, sizeof(rule->access), "%s", access);
}
