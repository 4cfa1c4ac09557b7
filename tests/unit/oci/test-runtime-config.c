#include "oci/runtime-config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static struct oci_runtime_config *sample(void)
{
	struct oci_runtime_config *config = oci_runtime_config_new();
	struct id_extent one = { 0, 1000, 1 };

	config->root_path = xstrdup("/srv/root");
	config->hostname = xstrdup("box");
	strlist_add(&config->process.args, "sh");
	strlist_add(&config->process.env, "A=b");
	config->process.umask = 022;
	config->process.capabilities.bounding = 1 | UINT64_C(1) << 40;
	config->namespaces[OCI_NS_PID].wanted = true;
	config->namespaces[OCI_NS_NETWORK].wanted = true;
	config->namespaces[OCI_NS_NETWORK].path = xstrdup("/run/netns/x");
	config->uid_maps = xmemdup(&one, sizeof(one));
	config->uid_map_count = 1;
	config->resources.pids_limit = 2048;
	strlist_add(&config->annotations, "key=a=b");
	oci_runtime_config_add_mount(config, "/tmp", "tmpfs", "tmpfs", "nosuid,size=1m");
	oci_runtime_config_add_sysctl(config, "net.ipv4.ip_forward", "1");
	oci_runtime_config_add_rlimit(config, "RLIMIT_NOFILE", 5, UINT64_MAX);
	oci_runtime_config_add_device(config, 'c', "/dev/fuse", 10, 229, 0660);
	oci_runtime_config_add_device_rule(config, false, 'a', -1, -1, "rwm");
	return config;
}

static void test_every_part_has_its_place_in_config_json(void **state)
{
	(void)state;
	struct oci_runtime_config *config = sample();
	autojson struct json_object *json = oci_runtime_config_to_json(config);
	struct json_object *process = json_get(json, "process");
	struct json_object *linux_part = json_get(json, "linux");

	assert_string_equal(json_get_string(json_get(json, "root"), "path", ""), "/srv/root");
	assert_int_equal(json_get_int(json_get(process, "user"), "umask", -1), 022);
	struct json_object *bounding = json_get(json_get(process, "capabilities"), "bounding");
	assert_int_equal(json_object_array_length(bounding), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(bounding, 1)),
			    "CAP_CHECKPOINT_RESTORE");
	assert_int_equal(
		json_object_get_uint64(json_get(
			json_object_array_get_idx(json_get(process, "rlimits"), 0), "hard")),
		UINT64_MAX);
	assert_string_equal(json_get_string(json_get(json, "annotations"), "key", ""), "a=b");
	assert_int_equal(json_object_array_length(json_get(linux_part, "namespaces")), 2);
	assert_int_equal(
		json_get_int(json_object_array_get_idx(json_get(linux_part, "uidMappings"), 0),
			     "hostID", -1),
		1000);
	assert_int_equal(
		json_get_int(json_get(json_get(linux_part, "resources"), "pids"), "limit", 0),
		2048);
	oci_runtime_config_free(config);
}

static void test_what_is_not_given_is_left_out(void **state)
{
	(void)state;
	struct oci_runtime_config *config = oci_runtime_config_new();
	autojson struct json_object *json = oci_runtime_config_to_json(config);

	assert_null(json_get(json, "mounts"));
	assert_null(json_get(json_get(json, "linux"), "resources"));
	assert_null(json_get(json_get(json, "process"), "capabilities"));
	assert_null(json_get(json_get(json_get(json, "process"), "user"), "umask"));
	oci_runtime_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_part_has_its_place_in_config_json),
		cmocka_unit_test(test_what_is_not_given_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
