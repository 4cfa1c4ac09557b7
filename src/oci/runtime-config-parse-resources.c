/* linux.resources of a config.json. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime-config-internal.h"

static int64_t signed_limit(const struct json_at *at, const char *name, int64_t before)
{
	int64_t number = before;

	json_at_int(at, name, -1, INT64_MAX, &number);
	return number;
}

static uint64_t unsigned_limit(const struct json_at *at, const char *name, uint64_t before)
{
	uint64_t number = before;

	json_at_uint(at, name, INT64_MAX, &number);
	return number;
}

/* 0 wishes for nothing. */
static void refuse_leaf_weight(const struct json_at *at)
{
	struct json_object *value = NULL;

	if (json_object_object_get_ex(at->value, "leafWeight", &value) &&
	    json_object_get_boolean(value))
		json_at_fail(at, "leafWeight", "no kernel since 5.0 has it; leave it out");
}

static void parse_device_rules(const struct json_at *resources_at,
			       struct cgroup_resources *resources)
{
	struct json_at list, at;

	if (!json_at_member(resources_at, "devices", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *type = json_at_string(&at, "type"),
			   *access = json_at_string(&at, "access");
		struct cgroup_device_rule *rule =
			OCI_APPEND(resources->devices, resources->device_count);
		struct json_at ignored;
		rule->type = type && *type ? *type : 'a';
		rule->major = signed_limit(&at, "major", -1);
		rule->minor = signed_limit(&at, "minor", -1);
		if (!json_at_member(&at, "allow", json_type_boolean, &ignored))
			json_at_fail(&at, "allow", "missing");
		rule->allow = json_at_bool(&at, "allow");
		if (!strchr("abcu", rule->type) || (type && *type && type[1]))
			json_at_fail(&at, "type", "'%s' is none of a, b, c", type);
		if (rule->type == 'u')
			rule->type = 'c';
		if (access && (strlen(access) > 3 || access[strspn(access, "rwm")]))
			json_at_fail(&at, "access", "'%s' is not made of r, w and m", access);
		else
			snprintf(rule->access, sizeof(rule->access), "%s",
				 access && *access ? access : "rwm");
	}
}

static void parse_memory(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	struct json_at at;

	if (!json_at_member(resources_at, "memory", json_type_object, &at))
		return;
	resources->memory_limit = signed_limit(&at, "limit", resources->memory_limit);
	resources->memory_swap = signed_limit(&at, "swap", resources->memory_swap);
	resources->memory_reservation =
		signed_limit(&at, "reservation", resources->memory_reservation);
	json_at_int(&at, "swappiness", 0, 100, &resources->memory_swappiness);
	if (json_at_bool(&at, "disableOOMKiller"))
		resources->memory_disable_oom_killer = true;
	if (resources->memory_limit > 0 && resources->memory_swap > 0 &&
	    resources->memory_swap < resources->memory_limit)
		json_at_fail(&at, "swap", "is below 'limit', which it includes");
	resources->memory_kernel = signed_limit(&at, "kernel", resources->memory_kernel);
	resources->memory_kernel_tcp = signed_limit(&at, "kernelTCP", resources->memory_kernel_tcp);
	if (json_at_bool(&at, "checkBeforeUpdate"))
		resources->memory_check_before_update = true;
}

static void parse_cpu(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	struct json_at at;
	int64_t idle;

	if (!json_at_member(resources_at, "cpu", json_type_object, &at))
		return;
	resources->cpu_shares = unsigned_limit(&at, "shares", resources->cpu_shares);
	resources->cpu_quota = signed_limit(&at, "quota", resources->cpu_quota);
	resources->cpu_period = unsigned_limit(&at, "period", resources->cpu_period);
	resources->cpu_rt_runtime = signed_limit(&at, "realtimeRuntime", resources->cpu_rt_runtime);
	resources->cpu_rt_period = unsigned_limit(&at, "realtimePeriod", resources->cpu_rt_period);
	json_at_copy(&at, "cpus", &resources->cpuset_cpus);
	json_at_copy(&at, "mems", &resources->cpuset_mems);
	resources->cpu_burst = unsigned_limit(&at, "burst", resources->cpu_burst);
	if (json_at_int(&at, "idle", 0, 1, &idle)) {
		resources->has_cpu_idle = true;
		resources->cpu_idle = idle;
	}
}

static void parse_throttle(const struct json_at *block_io_at, const char *name, int kind,
			   struct cgroup_resources *resources)
{
	struct json_at list, at;

	if (!json_at_member(block_io_at, name, json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		struct cgroup_throttle *throttle =
			OCI_APPEND(resources->throttle[kind], resources->throttle_count[kind]);
		throttle->major = json_at_need_int(&at, "major", 0, UINT32_MAX);
		throttle->minor = json_at_need_int(&at, "minor", 0, UINT32_MAX);
		throttle->rate = unsigned_limit(&at, "rate", 0);
	}
}

static void parse_block_io(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	static const char *const throttles[] = {
		"throttleReadBpsDevice",
		"throttleWriteBpsDevice",
		"throttleReadIOPSDevice",
		"throttleWriteIOPSDevice",
	};
	struct json_at object, list, at;
	int64_t number;

	if (!json_at_member(resources_at, "blockIO", json_type_object, &object))
		return;
	if (json_at_int(&object, "weight", 0, 1000, &number))
		resources->blkio_weight = (uint16_t)number;
	refuse_leaf_weight(&object);
	if (json_at_member(&object, "weightDevice", json_type_array, &list))
		for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
			struct cgroup_weight *weight = OCI_APPEND(resources->weight_devices,
								  resources->weight_device_count);
			weight->major = json_at_need_int(&at, "major", 0, UINT32_MAX);
			weight->minor = json_at_need_int(&at, "minor", 0, UINT32_MAX);
			weight->weight = (uint16_t)json_at_need_int(&at, "weight", 1, 1000);
			refuse_leaf_weight(&at);
		}
	for (int kind = 0; kind < 4; kind++)
		parse_throttle(&object, throttles[kind], kind, resources);
}

static void parse_huge_pages(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	struct json_at list, at;

	if (!json_at_member(resources_at, "hugepageLimits", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		struct cgroup_hugepage_limit *limit =
			OCI_APPEND(resources->hugepage_limits, resources->hugepage_limit_count);
		const char *size = json_at_need_string(&at, "pageSize");
		size_t digits = strspn(size, "0123456789");
		if (!digits ||
		    (strcmp(size + digits, "KB") != 0 && strcmp(size + digits, "MB") != 0 &&
		     strcmp(size + digits, "GB") != 0))
			json_at_fail(&at, "pageSize", "'%s' is not a size such as '2MB' or '1GB'",
				     size);
		limit->page_size = xstrdup(size);
		if (!json_at_uint(&at, "limit", UINT64_MAX, &limit->limit_bytes))
			json_at_fail(&at, "limit", "missing");
	}
}

static void add_unified(void *data, const struct json_at *at, const char *key, const char *value)
{
	struct cgroup_resources *resources = data;

	if (!*key || strchr(key, '/') || !strchr(key, '.'))
		json_at_fail(at, NULL, "not a file of a control group, such as 'memory.high'");
	struct key_value *entry = OCI_APPEND(resources->unified, resources->unified_count);
	entry->key = xstrdup(key);
	entry->value = xstrdup(value);
}

static void parse_rdma(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	struct json_at object, at;

	if (!json_at_member(resources_at, "rdma", json_type_object, &object))
		return;
	json_object_object_foreach(object.value, device, ignored)
	{
		int64_t number;
		(void)ignored;
		if (!json_at_member(&object, device, json_type_object, &at))
			continue;
		if (!*device || strpbrk(device, " \n/"))
			json_at_fail(&at, NULL, "not the name of an adapter");
		struct cgroup_rdma_limit *limit =
			OCI_APPEND(resources->rdma, resources->rdma_count);
		*limit = (struct cgroup_rdma_limit){ xstrdup(device), UINT32_MAX, UINT32_MAX };
		if (json_at_int(&at, "hcaHandles", 0, UINT32_MAX, &number))
			limit->handles = (uint32_t)number;
		if (json_at_int(&at, "hcaObjects", 0, UINT32_MAX, &number))
			limit->objects = (uint32_t)number;
	}
}

static void parse_network(const struct json_at *resources_at, struct cgroup_resources *resources)
{
	struct json_at object, list, at;
	int64_t number;

	if (!json_at_member(resources_at, "network", json_type_object, &object))
		return;
	if (json_at_int(&object, "classID", 0, UINT32_MAX, &number))
		resources->network_class = (uint32_t)number;
	if (!json_at_member(&object, "priorities", json_type_array, &list))
		return;
	for (size_t i = 0; json_at_element(&list, i, json_type_object, &at); i++) {
		const char *name = json_at_need_string(&at, "name");
		int64_t priority = json_at_need_int(&at, "priority", 0, UINT32_MAX);
		if (strpbrk(name, " \n/"))
			json_at_fail(&at, "name", "'%s' is not the name of an interface", name);
		struct key_value *entry = OCI_APPEND(resources->network_priorities,
						     resources->network_priority_count);
		entry->key = xstrdup(name);
		entry->value = xasprintf("%lld", (long long)priority);
	}
}

void oci_parse_resources(const struct json_at *at, struct cgroup_resources *resources)
{
	struct json_at object;

	parse_device_rules(at, resources);
	parse_memory(at, resources);
	parse_cpu(at, resources);
	if (json_at_member(at, "pids", json_type_object, &object))
		resources->pids_limit = json_at_need_int(&object, "limit", -1, INT64_MAX);
	parse_block_io(at, resources);
	parse_huge_pages(at, resources);
	parse_rdma(at, resources);
	parse_network(at, resources);
	json_at_pairs(at, "unified", add_unified, resources);
}
