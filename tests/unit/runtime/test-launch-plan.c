#include "runtime/launch-plan.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static struct oci_runtime_config *usual_config(void)
{
	struct oci_runtime_config *config = oci_runtime_config_new();

	config->root_path = xstrdup("/srv/root");
	for (int i = OCI_NS_MOUNT; i <= OCI_NS_CGROUP; i++)
		config->namespaces[i].wanted = true;
	strlist_add(&config->process.args, "sh");
	strlist_add(&config->process.env, "PATH=/bin::/opt/bin");
	return config;
}

static struct launch_plan *make(const struct oci_runtime_config *config)
{
	struct launch_plan *plan = NULL;
	struct err err = { 0 };

	assert_int_equal(launch_plan_make(config, false, &plan, &err), 0);
	return plan;
}

static void assert_refused(struct oci_runtime_config *config, int code, const char *word)
{
	struct launch_plan *plan;
	struct err err = { 0 };

	assert_int_equal(launch_plan_make(config, false, &plan, &err), -code);
	assert_non_null(strstr(err.text, word));
	oci_runtime_config_free(config);
}

static void test_namespaces_become_clone_flags(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	config->namespaces[OCI_NS_IPC].wanted = false;
	config->namespaces[OCI_NS_NETWORK].path = xstrdup("/run/netns/x");
	struct launch_plan *plan = make(config);
	assert_int_equal(plan->clone_flags,
			 CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWCGROUP);
	assert_false(plan->has_own_network_namespace);
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_a_time_namespace_is_no_clone_flag(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	config->namespaces[OCI_NS_TIME].wanted = true;
	config->time_offsets[OCI_CLOCK_BOOTTIME] =
		(struct oci_time_offset){ .given = true, .seconds = -2, .nanoseconds = 5 };
	struct launch_plan *plan = make(config);
	assert_true(plan->has_own_time_namespace);
	assert_int_equal(plan->clone_flags & CLONE_NEWTIME, 0);
	assert_string_equal(plan->time_offsets, "7 -2 5\n");
	launch_plan_free(plan);
	free(config->namespaces[OCI_NS_TIME].path);
	config->namespaces[OCI_NS_TIME].path = xstrdup("/proc/1/ns/time");
	plan = make(config);
	assert_false(plan->has_own_time_namespace);
	assert_null(plan->time_offsets);
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_shared_mount_namespace_is_refused(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	config->namespaces[OCI_NS_MOUNT].wanted = false;
	assert_refused(config, ENOTSUP, "mount namespace");
}

static void test_command_is_looked_for_in_the_containers_path(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();
	struct launch_plan *plan = make(config);

	assert_int_equal(plan->candidates.count, 3);
	assert_string_equal(plan->candidates.items[0], "/bin/sh");
	assert_string_equal(plan->candidates.items[1], "./sh");
	assert_string_equal(plan->candidates.items[2], "/opt/bin/sh");
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_words_for_a_missing_command(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();
	struct launch_plan *plan = make(config);
	struct child_report report = { .step = CHILD_EXEC, .code = ENOENT };
	struct err err = { 0 };

	assert_int_equal(launch_plan_explain(plan, &report, &err), -ENOENT);
	assert_string_equal(err.text,
			    "executable file 'sh' not found in $PATH: no such file or directory");
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_every_step_has_words(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	oci_runtime_config_add_mount(config, "/data", "bind", "/srv/data", "rbind,x-none");
	strlist_clear(&config->mounts[0].options);
	strlist_add(&config->mounts[0].options, "rbind");
	oci_runtime_config_add_mount(config, "/tmp", "tmpfs", "tmpfs", "size=1m");
	oci_runtime_config_add_sysctl(config, "net.ipv4.ip_forward", "1");
	strlist_add(&config->masked_paths, "/proc/kcore");
	strlist_add(&config->own_paths, "/files");
	strlist_add(&config->readonly_paths, "/proc/sys");
	config->hooks[OCI_HOOK_PRESTART].items = xcalloc(1, sizeof(struct oci_hook));
	config->hooks[OCI_HOOK_PRESTART].items[0].path = xstrdup("/bin/hook");
	config->hooks[OCI_HOOK_PRESTART].count = 1;
	struct launch_plan *plan = make(config);
	for (int step = 0; step < CHILD_STEP_COUNT; step++) {
		bool about_options = step == CHILD_MOUNT_OPTION;
		struct child_report report = { .step = (enum child_step)step,
					       .code = EPERM,
					       .index = about_options };
		struct err err = { 0 };
		if (step == CHILD_CLONED || step == CHILD_NAMESPACES || step == CHILD_READY ||
		    step == CHILD_HOOKS || step == CHILD_HELD)
			continue;
		if (launch_plan_explain(plan, &report, &err) != -EPERM || strlen(err.text) < 8)
			fail_msg("step %d: '%s'", step, err.text);
	}
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_sysctl_of_the_host_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"kernel.panic", "vm.swappiness", "net/../kernel/panic", "net.", "", "/net/x",
		"net//x",	"netx.y"
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct oci_runtime_config *config = usual_config();
		oci_runtime_config_add_sysctl(config, bad[i], "1");
		assert_refused(config, EINVAL, "sysctl");
	}
}

static void test_sysctl_needs_its_own_namespace(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	config->namespaces[OCI_NS_NETWORK].wanted = false;
	oci_runtime_config_add_sysctl(config, "net.ipv4.ip_forward", "1");
	assert_refused(config, EINVAL, "network namespace");
}

static void test_sysctl_part_may_hold_dots(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	oci_runtime_config_add_sysctl(config, "net.ipv4.conf.eth0/1.forwarding", "1");
	oci_runtime_config_add_sysctl(config, "net/ipv4/conf/eth0.1/forwarding", "1");
	struct launch_plan *plan = make(config);
	assert_string_equal(plan->sysctls[0].path, "net/ipv4/conf/eth0.1/forwarding");
	assert_string_equal(plan->sysctls[1].path, "net/ipv4/conf/eth0.1/forwarding");
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_proc_and_sys_are_never_put_on_links(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	oci_runtime_config_add_mount(config, "//proc", "proc", "proc", NULL);
	oci_runtime_config_add_mount(config, "/deep/proc", "proc", "proc", NULL);
	oci_runtime_config_add_mount(config, "/dev", "tmpfs", "tmpfs", NULL);
	oci_runtime_config_add_mount(config, "/tmp", "tmpfs", "tmpfs", NULL);
	struct launch_plan *plan = make(config);
	assert_true(plan->mounts[0].no_symlinks);
	assert_true(plan->mounts[1].no_symlinks);
	assert_true(plan->mounts[2].no_symlinks);
	assert_false(plan->mounts[3].no_symlinks);
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_hosts_own_dev_gets_no_nodes(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	oci_runtime_config_add_mount(config, "/dev", "bind", "/dev", "rbind");
	struct launch_plan *plan = make(config);
	assert_false(plan->make_default_devices);
	assert_int_equal(plan->device_count, 0);
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_unmapped_group_is_dropped_from_devpts(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();
	struct id_extent one = { 0, 1000, 1 };

	config->namespaces[OCI_NS_USER].wanted = true;
	config->uid_maps = xmemdup(&one, sizeof(one));
	config->gid_maps = xmemdup(&one, sizeof(one));
	config->uid_map_count = config->gid_map_count = 1;
	oci_runtime_config_add_mount(config, "/dev/pts", "devpts", "devpts",
				     "newinstance,gid=5,ptmxmode=0666,mode=0620");
	struct launch_plan *plan = make(config);
	assert_int_equal(plan->mounts[0].options.option_count, 3);
	assert_true(plan->clone_flags & CLONE_NEWUSER);
	assert_true(plan->is_in_user_namespace);
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_one_layer_without_upper_is_a_read_only_directory(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	strlist_add(&config->overlay.lowers, "/layers/a");
	struct launch_plan *plan = make(config);
	assert_false(plan->has_overlay);
	assert_true(plan->root_readonly);
	assert_string_equal(plan->root_source, "/layers/a");
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_fallback_string_escapes_paths(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();

	strlist_add(&config->overlay.lowers, "/l:1");
	strlist_add(&config->overlay.lowers, "/l,2");
	config->overlay.upper = xstrdup("/u");
	config->overlay.work = xstrdup("/w");
	config->overlay.is_volatile = true;
	struct launch_plan *plan = make(config);
	assert_non_null(strstr(plan->overlay_fallback,
			       "lowerdir=/l\\:1:/l\\,2,upperdir=/u,workdir=/w,volatile"));
	launch_plan_free(plan);
	oci_runtime_config_free(config);
}

static void test_nonsense_is_refused_by_name(void **state)
{
	(void)state;
	struct oci_runtime_config *config = usual_config();
	oci_runtime_config_add_mount(config, "relative", "tmpfs", "tmpfs", NULL);
	assert_refused(config, EINVAL, "relative");

	config = usual_config();
	oci_runtime_config_add_mount(config, "/", "tmpfs", "tmpfs", NULL);
	assert_refused(config, EINVAL, "root");

	config = usual_config();
	oci_runtime_config_add_mount(config, "/data", "bind", "/srv", "rbind,size=5");
	assert_refused(config, EINVAL, "size");

	config = usual_config();
	oci_runtime_config_add_rlimit(config, "RLIMIT_LUCK", 1, 1);
	assert_refused(config, EINVAL, "LUCK");

	config = usual_config();
	oci_runtime_config_add_rlimit(config, "RLIMIT_NOFILE", 2, 1);
	assert_refused(config, EINVAL, "NOFILE");

	config = usual_config();
	strlist_clear(&config->process.args);
	assert_refused(config, EINVAL, "command");

	config = usual_config();
	config->rootfs_propagation = xstrdup("ro");
	assert_refused(config, EINVAL, "propagation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces_become_clone_flags),
		cmocka_unit_test(test_a_time_namespace_is_no_clone_flag),
		cmocka_unit_test(test_shared_mount_namespace_is_refused),
		cmocka_unit_test(test_command_is_looked_for_in_the_containers_path),
		cmocka_unit_test(test_words_for_a_missing_command),
		cmocka_unit_test(test_every_step_has_words),
		cmocka_unit_test(test_sysctl_of_the_host_is_refused),
		cmocka_unit_test(test_sysctl_needs_its_own_namespace),
		cmocka_unit_test(test_sysctl_part_may_hold_dots),
		cmocka_unit_test(test_proc_and_sys_are_never_put_on_links),
		cmocka_unit_test(test_hosts_own_dev_gets_no_nodes),
		cmocka_unit_test(test_unmapped_group_is_dropped_from_devpts),
		cmocka_unit_test(test_one_layer_without_upper_is_a_read_only_directory),
		cmocka_unit_test(test_fallback_string_escapes_paths),
		cmocka_unit_test(test_nonsense_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
