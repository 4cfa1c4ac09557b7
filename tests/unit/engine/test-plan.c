#include "engine/plan.h"

#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/container-spec.h"
#include "engine/identity.h"
#include "engine/mount-spec.h"
#include "engine/settings.h"
#include "engine/shared-namespaces.h"
#include "kernel/caps.h"
#include "kernel/userns.h"
#include "oci/runtime-config.h"

/* One container of the defaults, which each test changes in one respect. */
struct ground {
	struct container_spec *spec;
	struct settings settings;
	struct identity identity;
	struct userns_map map;
	struct strlist layer_dirs;
	struct plan_input input;
};

static int set_up(void **state)
{
	struct ground *ground = xcalloc(1, sizeof(*ground));
	autostrlist struct strlist environment = STRLIST_EMPTY;
	struct err err;

	strlist_env_set(&environment, "CONTAINERS_CONF", "/dev/null");
	assert_int_equal(settings_load(&ground->settings, &environment, "/", false, &err), 0);
	ground->spec = container_spec_new();
	ground->spec->image_name = xstrdup("localhost/test:latest");
	ground->spec->network_mode = xstrdup("none");
	strlist_add(&ground->spec->command, "true");
	ground->identity.home = xstrdup("/root");
	ground->map.is_identity = true;
	strlist_add(&ground->layer_dirs, "/layers/top");
	strlist_add(&ground->layer_dirs, "/layers/bottom");
	ground->input = (struct plan_input){
		.spec = ground->spec,
		.settings = &ground->settings,
		.identity = &ground->identity,
		.map = &ground->map,
		.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.name = "test",
		.container_dir = "/root/containers/x",
		.run_dir = "/run/containers/x",
		.volumes_dir = "/root/volumes",
		.init_path = "/libexec/davit-init",
		.layer_dirs = &ground->layer_dirs,
		.host_memory_bytes = UINT64_C(10) << 30,
		.available_capabilities = capability_all(),
	};
	*state = ground;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *ground = *state;

	container_spec_free(ground->spec);
	settings_clear(&ground->settings);
	identity_clear(&ground->identity);
	strlist_clear(&ground->layer_dirs);
	free(ground);
	return 0;
}

static struct oci_runtime_config *plan(struct ground *ground)
{
	struct oci_runtime_config *config = NULL;
	struct err err;

	assert_int_equal(plan_container(&ground->input, &config, &err), 0);
	return config;
}

static const struct oci_mount *find_mount(const struct oci_runtime_config *config,
					  const char *destination, size_t *ret_index)
{
	for (size_t i = 0; i < config->mount_count; i++)
		if (strcmp(config->mounts[i].destination, destination) == 0) {
			if (ret_index)
				*ret_index = i;
			return &config->mounts[i];
		}
	return NULL;
}

static uint64_t bit(const char *name)
{
	return UINT64_C(1) << capability_from_name(name);
}

static void test_defaults_confine(void **state)
{
	struct oci_runtime_config *config = plan(*state);

	for (int i = 0; i < OCI_NS_COUNT; i++)
		if (i != OCI_NS_USER && i != OCI_NS_TIME)
			assert_true(config->namespaces[i].wanted);
	assert_int_equal(__builtin_popcountll(config->process.capabilities.bounding), 11);
	assert_false(config->process.capabilities.bounding & bit("SYS_ADMIN"));
	assert_int_equal(config->process.capabilities.effective,
			 config->process.capabilities.bounding);
	assert_int_equal(config->process.capabilities.ambient, 0);
	assert_int_equal(config->resources.pids_limit, 2048);
	assert_true(config->resources.pids_limit_is_default);
	assert_int_equal(config->resources.memory_limit, INT64_C(9) << 30);
	assert_true(config->resources.memory_limit_is_default);
	assert_true(strlist_contains(&config->masked_paths, "/proc/kcore"));
	assert_true(strlist_contains(&config->readonly_paths, "/proc/sys"));
	assert_true(strlist_contains(&find_mount(config, "/sys", NULL)->options, "ro"));
	assert_false(config->resources.devices[0].allow);
	assert_string_equal(config->hostname, "0123456789ab");
	oci_runtime_config_free(config);
}

static void test_ordinary_user_holds_no_capabilities(void **state)
{
	struct ground *ground = *state;

	ground->identity.uid = 1000;
	strlist_add(&ground->spec->cap_add, "NET_BIND_SERVICE");
	struct oci_runtime_config *config = plan(ground);
	assert_int_equal(config->process.capabilities.effective, bit("NET_BIND_SERVICE"));
	assert_int_equal(config->process.capabilities.ambient, bit("NET_BIND_SERVICE"));
	oci_runtime_config_free(config);
}

static void test_an_image_may_ask_for_fewer_capabilities(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config = plan(ground);
	uint64_t usual = config->process.capabilities.bounding;
	struct err err;

	oci_runtime_config_free(config);
	strlist_add(&ground->spec->labels, CAPABILITIES_LABEL "=CAP_CHOWN,setuid");
	config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding, bit("CHOWN") | bit("SETUID"));
	oci_runtime_config_free(config);
	/* Not for more. */
	strlist_clear(&ground->spec->labels);
	strlist_add(&ground->spec->labels, CAPABILITIES_LABEL "=CHOWN,SYS_ADMIN");
	config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding, usual);
	oci_runtime_config_free(config);
	strlist_add(&ground->spec->cap_add, "SYS_ADMIN");
	config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding, bit("CHOWN") | bit("SYS_ADMIN"));
	oci_runtime_config_free(config);
	strlist_clear(&ground->spec->labels);
	strlist_add(&ground->spec->labels, CAPABILITIES_LABEL "=CHOWN,");
	assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, CAPABILITIES_LABEL));
}

static void test_all_is_the_ground_for_the_other_list(void **state)
{
	struct ground *ground = *state;

	strlist_add(&ground->spec->cap_drop, "all");
	strlist_add(&ground->spec->cap_add, "chown");
	struct oci_runtime_config *config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding, bit("CHOWN"));
	oci_runtime_config_free(config);
}

static void test_privileged_loosens_everything(void **state)
{
	struct ground *ground = *state;

	ground->spec->privileged = true;
	struct oci_runtime_config *config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding, capability_all());
	assert_int_equal(config->masked_paths.count, 0);
	assert_int_equal(config->readonly_paths.count, 0);
	assert_true(config->resources.devices[0].allow);
	assert_false(strlist_contains(&find_mount(config, "/sys", NULL)->options, "ro"));
	oci_runtime_config_free(config);
}

static void test_users_limits_are_no_defaults(void **state)
{
	struct ground *ground = *state;

	ground->spec->memory = 64 << 20;
	ground->spec->pids_limit = -1;
	struct oci_runtime_config *config = plan(ground);
	assert_int_equal(config->resources.memory_limit, 64 << 20);
	assert_false(config->resources.memory_limit_is_default);
	assert_int_equal(config->resources.pids_limit, -1);
	assert_false(config->resources.pids_limit_is_default);
	oci_runtime_config_free(config);
}

static void add_volume(struct ground *ground, const char *text)
{
	struct mount_spec mount;
	struct err err;

	assert_int_equal(mount_spec_parse_volume(text, "/", &mount, &err), 0);
	strlist_take(&ground->spec->mounts, mount_spec_store(&mount));
	mount_spec_clear(&mount);
}

static void test_capabilities_are_those_davit_has(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config;
	struct err err;

	ground->input.available_capabilities &= ~bit("SYS_RESOURCE");
	ground->spec->privileged = true;
	config = plan(ground);
	assert_int_equal(config->process.capabilities.bounding,
			 ground->input.available_capabilities);
	oci_runtime_config_free(config);
	/* By name it would be missed. */
	ground->spec->privileged = false;
	strlist_add(&ground->spec->cap_add, "sys_resource");
	assert_int_equal(plan_container(&ground->input, &config, &err), -EPERM);
	assert_non_null(strstr(err.text, "sys_resource"));
}

static void test_capability_added_and_dropped_is_an_error(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config;
	struct err err;

	strlist_add(&ground->spec->cap_add, "chown");
	strlist_add(&ground->spec->cap_drop, "CAP_CHOWN");
	assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
}

static void test_device_rules_are_read(void **state)
{
	static const char *const wrong[] = {
		"",	   "c",	     "c 1:3",	   "x 1:3 rwm", "c 1 rwm",
		"c 1:3 x", "c 1:3 ", "c 1:3 rrrr", "c -1:3 r",	"c 99999999999:1 r"
	};
	struct ground *ground = *state;
	struct err err;

	strlist_add(&ground->spec->device_rules, "c 189:* rw");
	struct oci_runtime_config *config = plan(ground);
	const struct cgroup_device_rule *rule =
		&config->resources.devices[config->resources.device_count - 1];
	assert_true(rule->allow);
	assert_int_equal(rule->type, 'c');
	assert_int_equal(rule->major, 189);
	assert_int_equal(rule->minor, -1);
	oci_runtime_config_free(config);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		strlist_clear(&ground->spec->device_rules);
		strlist_add(&ground->spec->device_rules, wrong[i]);
		assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
	}
}

static void test_hostname_is_in_the_environment(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config = plan(ground);

	assert_string_equal(strlist_env_get(&config->process.env, "HOSTNAME"), "0123456789ab");
	oci_runtime_config_free(config);
	strlist_env_set(&ground->spec->env, "HOSTNAME", "mine");
	config = plan(ground);
	assert_string_equal(strlist_env_get(&config->process.env, "HOSTNAME"), "mine");
	oci_runtime_config_free(config);
}

static void test_hosts_mqueue_is_shared_if_there_is_one(void **state)
{
	struct ground *ground = *state;

	ground->spec->ipc_mode = xstrdup("host");
	struct oci_runtime_config *config = plan(ground);
	assert_null(find_mount(config, "/dev/mqueue", NULL));
	oci_runtime_config_free(config);
}

static void test_shared_namespaces_are_joined_and_left_as_they_are(void **state)
{
	struct ground *ground = *state;
	struct shared_namespaces shared = SHARED_NAMESPACES_EMPTY;

	shared.of[OCI_NS_NETWORK].path = (char *)"/proc/self/fd/7";
	shared.of[OCI_NS_UTS].path = (char *)"/proc/self/fd/8";
	shared.of[OCI_NS_PID].is_host = true;
	ground->input.shared = &shared;
	ground->input.hostname = "theirs";
	struct oci_runtime_config *config = plan(ground);
	assert_true(config->namespaces[OCI_NS_NETWORK].wanted);
	assert_string_equal(config->namespaces[OCI_NS_NETWORK].path, "/proc/self/fd/7");
	assert_false(config->namespaces[OCI_NS_PID].wanted);
	assert_null(config->namespaces[OCI_NS_IPC].path);
	/* Neither a name nor a default sysctl is set in what others use too. */
	assert_null(config->hostname);
	assert_int_equal(config->sysctl_count, 0);
	assert_string_equal(strlist_env_get(&config->process.env, "HOSTNAME"), "theirs");
	oci_runtime_config_free(config);
}

static void test_shared_memory_comes_with_the_ipc_namespace(void **state)
{
	struct ground *ground = *state;
	struct shared_namespaces shared = SHARED_NAMESPACES_EMPTY;
	struct oci_runtime_config *config;

	ground->input.shared = &shared;
	config = plan(ground);
	assert_string_equal(find_mount(config, "/dev/shm", NULL)->type, "tmpfs");
	oci_runtime_config_free(config);
	shared.of[OCI_NS_IPC].path = (char *)"/proc/self/fd/7";
	shared.shm_fd = 9;
	config = plan(ground);
	assert_string_equal(find_mount(config, "/dev/shm", NULL)->type, "bind");
	assert_int_equal(find_mount(config, "/dev/shm", NULL)->mount_fd, 9);
	assert_string_equal(find_mount(config, "/dev/mqueue", NULL)->type, "mqueue");
	oci_runtime_config_free(config);
	shared.shm_fd = -1;
	shared.has_no_shm = true;
	config = plan(ground);
	assert_null(find_mount(config, "/dev/shm", NULL));
	assert_non_null(find_mount(config, "/dev/mqueue", NULL));
	oci_runtime_config_free(config);
}

static void test_a_time_offset_wants_a_time_namespace(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config = plan(ground);

	assert_false(config->namespaces[OCI_NS_TIME].wanted);
	oci_runtime_config_free(config);
	ground->spec->time_offset = xstrdup("boottime=1h");
	config = plan(ground);
	assert_true(config->namespaces[OCI_NS_TIME].wanted);
	assert_false(config->time_offsets[OCI_CLOCK_MONOTONIC].given);
	assert_int_equal(config->time_offsets[OCI_CLOCK_BOOTTIME].seconds, 3600);
	oci_runtime_config_free(config);
}

static void test_mounts_go_from_the_root_down(void **state)
{
	struct ground *ground = *state;
	size_t etc, hosts, deep, shallow;

	add_volume(ground, "/src/deep:/a/b/c");
	add_volume(ground, "/src/shallow:/a");
	add_volume(ground, "conf:/etc");
	struct oci_runtime_config *config = plan(ground);
	assert_string_equal(find_mount(config, "/etc", &etc)->source, "/root/volumes/conf/_data");
	assert_non_null(find_mount(config, "/etc/hosts", &hosts));
	assert_non_null(find_mount(config, "/a/b/c", &deep));
	assert_non_null(find_mount(config, "/a", &shallow));
	assert_true(etc < hosts);
	assert_true(shallow < deep);
	oci_runtime_config_free(config);
}

static void test_users_mount_replaces_a_default(void **state)
{
	struct ground *ground = *state;
	size_t count = 0;

	add_volume(ground, "/host/hosts:/etc/hosts:ro");
	struct oci_runtime_config *config = plan(ground);
	for (size_t i = 0; i < config->mount_count; i++)
		count += strcmp(config->mounts[i].destination, "/etc/hosts") == 0;
	assert_int_equal(count, 1);
	assert_string_equal(find_mount(config, "/etc/hosts", NULL)->source, "/host/hosts");
	oci_runtime_config_free(config);
}

static void test_host_network_keeps_the_hosts_sysctls(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config = NULL;
	struct err err;

	free(ground->spec->network_mode);
	ground->spec->network_mode = xstrdup("host");
	config = plan(ground);
	assert_false(config->namespaces[OCI_NS_NETWORK].wanted);
	assert_int_equal(config->sysctl_count, 0);
	oci_runtime_config_free(config);
	strlist_add(&ground->spec->sysctls, "net.ipv4.ip_forward=1");
	assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
}

static void test_init_stands_in_front_of_the_command(void **state)
{
	struct ground *ground = *state;

	ground->spec->init = true;
	struct oci_runtime_config *config = plan(ground);
	assert_int_equal(config->process.args.count, 3);
	assert_string_equal(config->process.args.items[2], "true");
	assert_string_equal(find_mount(config, config->process.args.items[0], NULL)->source,
			    "/libexec/davit-init");
	oci_runtime_config_free(config);
}

static void test_only_what_lasts_is_mounted_to_be_looked_at(void **state)
{
	static const char *const texts[] = { "data:/srv/data", "/etc:/host/etc:rslave",
					     "/nonexistent/directory:/gone" };
	struct ground *ground = *state;
	struct oci_runtime_config *config = NULL;
	struct mount_spec mount;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(mount_spec_parse_volume(texts[i], "/", &mount, &err), 0);
		strlist_take(&ground->spec->mounts, mount_spec_store(&mount));
		mount_spec_clear(&mount);
	}
	assert_int_equal(mount_spec_parse_tmpfs("/memory", &mount, &err), 0);
	strlist_take(&ground->spec->mounts, mount_spec_store(&mount));
	mount_spec_clear(&mount);
	ground->spec->read_only = true;

	assert_int_equal(plan_files_only(&ground->input, true, &config, &err), 0);
	assert_int_equal(config->mount_count, 2);
	assert_string_equal(find_mount(config, "/srv/data", NULL)->source,
			    "/root/volumes/data/_data");
	assert_false(strlist_contains(&find_mount(config, "/host/etc", NULL)->options, "rslave"));
	assert_true(config->no_devices);
	assert_false(config->root_readonly);
	assert_string_equal(config->overlay.upper, "/root/containers/x/upper");
	for (int i = 0; i < OCI_NS_COUNT; i++)
		assert_int_equal(config->namespaces[i].wanted, i == OCI_NS_MOUNT);
	oci_runtime_config_free(config);

	assert_int_equal(plan_files_only(&ground->input, false, &config, &err), 0);
	assert_int_equal(config->mount_count, 0);
	oci_runtime_config_free(config);
}

static void test_bad_wishes_are_told(void **state)
{
	struct ground *ground = *state;
	struct oci_runtime_config *config = NULL;
	struct err err;

	strlist_add(&ground->spec->ulimits, "nofile");
	assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
	strlist_clear(&ground->spec->ulimits);
	strlist_add(&ground->spec->devices, "/nonexistent/device");
	assert_int_equal(plan_container(&ground->input, &config, &err), -ENOENT);
	strlist_clear(&ground->spec->devices);
	strlist_clear(&ground->spec->command);
	assert_int_equal(plan_container(&ground->input, &config, &err), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults_confine),
		TEST(test_ordinary_user_holds_no_capabilities),
		TEST(test_an_image_may_ask_for_fewer_capabilities),
		TEST(test_all_is_the_ground_for_the_other_list),
		TEST(test_privileged_loosens_everything),
		TEST(test_users_limits_are_no_defaults),
		TEST(test_capabilities_are_those_davit_has),
		TEST(test_capability_added_and_dropped_is_an_error),
		TEST(test_device_rules_are_read),
		TEST(test_hostname_is_in_the_environment),
		TEST(test_hosts_mqueue_is_shared_if_there_is_one),
		TEST(test_shared_namespaces_are_joined_and_left_as_they_are),
		TEST(test_shared_memory_comes_with_the_ipc_namespace),
		TEST(test_a_time_offset_wants_a_time_namespace),
		TEST(test_mounts_go_from_the_root_down),
		TEST(test_users_mount_replaces_a_default),
		TEST(test_host_network_keeps_the_hosts_sysctls),
		TEST(test_init_stands_in_front_of_the_command),
		TEST(test_only_what_lasts_is_mounted_to_be_looked_at),
		TEST(test_bad_wishes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
