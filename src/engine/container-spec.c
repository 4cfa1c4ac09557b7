#include "engine/container-spec.h"

#include <errno.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

enum spec_kind { SPEC_STRING, SPEC_STRINGS, SPEC_BOOL, SPEC_INT };

#define STRING(field)                                                                              \
	{                                                                                          \
#field, SPEC_STRING, offsetof(struct container_spec, field)                        \
	}
#define STRINGS(field)                                                                             \
	{                                                                                          \
#field, SPEC_STRINGS, offsetof(struct container_spec, field)                       \
	}
#define BOOL(field)                                                                                \
	{                                                                                          \
#field, SPEC_BOOL, offsetof(struct container_spec, field)                          \
	}
#define INT(field)                                                                                 \
	{                                                                                          \
#field, SPEC_INT, offsetof(struct container_spec, field)                           \
	}

/* clang-format off */
static const struct {
	const char *name;
	enum spec_kind kind;
	size_t offset;
} fields[] = {
	STRING(image_name), STRING(image_id), STRING(image_digest), STRINGS(layers), STRING(base_layer), STRING(base_container), STRING(rootfs), BOOL(rootfs_is_lower), BOOL(rootfs_idmap),
	STRINGS(entrypoint), STRINGS(command), STRINGS(env), STRING(workdir), BOOL(workdir_is_given), STRING(user), STRINGS(groups),
	STRING(user_name), BOOL(keep_groups), BOOL(no_passwd), STRING(passwd_entry), STRING(group_entry), STRINGS(host_users), STRING(timezone), STRING(personality),
	BOOL(tty), BOOL(open_stdin), BOOL(init), STRING(init_path), STRING(hostname), STRING(umask), STRING(stop_signal),
	INT(stop_timeout), INT(timeout), STRING(restart_policy), INT(restart_retries),
	STRING(network_mode), STRING(pid_mode), STRING(ipc_mode), STRING(uts_mode), STRING(cgroupns_mode),
	STRING(userns_mode), STRINGS(uid_maps), STRINGS(gid_maps), INT(userns_size), STRINGS(requires),
	STRING(time_offset),
	STRINGS(ports), STRINGS(expose), BOOL(publish_all), STRINGS(dns_servers), STRINGS(dns_searches),
	STRINGS(dns_options), STRINGS(add_hosts), BOOL(no_hosts), BOOL(no_resolv), BOOL(no_hostname), STRING(hosts_file),
	STRING(static_ip), STRING(static_mac), STRING(interface_name), STRINGS(network_aliases), STRINGS(pasta_options),
	STRINGS(mounts), STRINGS(secrets), STRINGS(chroot_dirs), BOOL(read_only), BOOL(read_only_tmpfs), INT(shm_size),
	BOOL(privileged), STRINGS(cap_add), STRINGS(cap_drop), BOOL(no_new_privileges), STRING(seccomp_profile), STRING(seccomp_text), STRING(seccomp_record), STRING(cap_record),
	STRING(apparmor_profile), STRING(selinux_label), STRINGS(mask), STRINGS(unmask), STRING(proc_options), STRINGS(devices),
	STRINGS(device_rules), STRINGS(sysctls), STRINGS(ulimits),
	STRING(cgroups), STRING(cgroup_parent), INT(memory), INT(memory_swap), INT(memory_reservation),
	INT(pids_limit), INT(cpu_shares), INT(cpu_quota), INT(cpu_period), STRING(cpuset_cpus), STRING(cpuset_mems),
	INT(cpu_rt_period), INT(cpu_rt_runtime), BOOL(has_memory_swappiness), INT(memory_swappiness), BOOL(oom_kill_disable),
	INT(blkio_weight), STRINGS(blkio_weight_devices), STRINGS(device_read_bps), STRINGS(device_write_bps),
	STRINGS(device_read_iops), STRINGS(device_write_iops), STRINGS(cgroup_conf),
	BOOL(has_oom_score_adj), INT(oom_score_adj),
	STRING(log_driver), STRING(log_path), INT(log_size_max), INT(log_files), STRING(log_tag), STRINGS(log_labels),
	STRINGS(health_test), INT(health_interval_nsec), INT(health_timeout_nsec), INT(health_start_period_nsec),
	INT(health_retries), STRING(health_on_failure), STRINGS(health_startup_test), INT(health_startup_interval_nsec),
	INT(health_startup_timeout_nsec), INT(health_startup_retries), INT(health_startup_success),
	STRING(health_log_destination), INT(health_log_count), INT(health_log_size),
	STRINGS(labels), STRINGS(annotations), BOOL(auto_remove), BOOL(detached), STRING(detach_keys), STRINGS(attach),
	BOOL(remove_image), STRING(pid_file), STRING(monitor_pid_file), STRING(cid_file),
};
/* clang-format on */

struct container_spec *container_spec_new(void)
{
	return xcalloc(1, sizeof(struct container_spec));
}

void container_spec_free(struct container_spec *spec)
{
	if (!spec)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		void *field = (char *)spec + fields[i].offset;
		if (fields[i].kind == SPEC_STRING)
			free(*(char **)field);
		else if (fields[i].kind == SPEC_STRINGS)
			strlist_clear(field);
	}
	free(spec);
}

struct json_object *container_spec_to_json(const struct container_spec *spec)
{
	struct json_object *json = json_object_new_object();

	/* Empty fields stay out: the text is written at every `run`. */
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const void *field = (const char *)spec + fields[i].offset;
		switch (fields[i].kind) {
		case SPEC_STRING:
			json_add_string(json, fields[i].name, *(char *const *)field);
			break;
		case SPEC_STRINGS:
			if (((const struct strlist *)field)->count)
				json_add_strlist(json, fields[i].name, field);
			break;
		case SPEC_BOOL:
			if (*(const bool *)field)
				json_add_bool(json, fields[i].name, true);
			break;
		case SPEC_INT:
			if (*(const int64_t *)field)
				json_add_int(json, fields[i].name, *(const int64_t *)field);
			break;
		}
	}
	return json;
}

int container_spec_from_json(struct json_object *json, struct container_spec **ret_spec,
			     struct err *err)
{
	if (!json_object_is_type(json, json_type_object))
		return err_set(err, EINVAL, "a container's description is no JSON object");
	struct container_spec *spec = container_spec_new();
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		void *field = (char *)spec + fields[i].offset;
		switch (fields[i].kind) {
		case SPEC_STRING:
			*(char **)field = xstrdup(json_get_string(json, fields[i].name, NULL));
			break;
		case SPEC_STRINGS:
			json_get_strlist(json, fields[i].name, field);
			break;
		case SPEC_BOOL:
			*(bool *)field = json_get_bool(json, fields[i].name, false);
			break;
		case SPEC_INT:
			*(int64_t *)field = json_get_int(json, fields[i].name, 0);
			break;
		}
	}
	*ret_spec = spec;
	return 0;
}
