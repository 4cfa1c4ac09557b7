#include "oci/runtime-config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

static const char whole[] =
	"{\"ociVersion\":\"1.2.0\","
	"\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":25,\"width\":80},"
	"\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,\"additionalGids\":[3,4]},\"args\":[\"sh\",\"-"
	"c\"],\"env\":[\"A=b\"],"
	"\"cwd\":\"/"
	"tmp\",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\"],\"effective\":[\"CAP_"
	"KILL\"],"
	"\"permitted\":[\"CAP_KILL\"],\"inheritable\":[],\"ambient\":[]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":5,\"hard\":18446744073709551615}],"
	"\"noNewPrivileges\":true,\"oomScoreAdj\":-3,\"apparmorProfile\":\"\","
	"\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":7,\"flags\":[\"SCHED_FLAG_RESET_ON_"
	"FORK\"]},"
	"\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6},\"execCPUAffinity\":{"
	"\"initial\":\"0-1\"}},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"box\","
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/data\",\"source\":\"data\",\"options\":[\"rbind\",\"ro\"]}],"
	"\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/"
	"hook\",\"args\":[\"hook\",\"x\"],\"env\":[\"K=v\"],\"timeout\":3}],"
	"\"poststop\":[{\"path\":\"/bin/stop\"}]},"
	"\"annotations\":{\"key\":\"a=b\"},\"unknown\":{\"is\":[\"ignored\"]},"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"user\"},{"
	"\"type\":\"time\"},"
	"{\"type\":\"network\",\"path\":\"/run/netns/x\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":20}],"
	"\"timeOffsets\":{\"boottime\":{\"secs\":-5,\"nanosecs\":6}},"
	"\"devices\":[{\"type\":\"c\",\"path\":\"/dev/"
	"fuse\",\"major\":10,\"minor\":229,\"fileMode\":432,\"uid\":7}],"
	"\"sysctl\":{\"net.core.somaxconn\":\"9\"},\"cgroupsPath\":\"/x/"
	"y\",\"rootfsPropagation\":\"slave\","
	"\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":"
	"\"c\",\"major\":1,\"minor\":3}],"
	"\"memory\":{\"limit\":1000,\"swap\":-1,\"swappiness\":0},\"cpu\":{\"shares\":2,\"quota\":-"
	"1,\"period\":3,\"cpus\":\"0\"},"
	"\"pids\":{\"limit\":12},\"blockIO\":{\"weight\":10,\"throttleReadBpsDevice\":[{\"major\":"
	"8,\"minor\":0,\"rate\":99}]},"
	"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}],\"unified\":{\"memory.high\":"
	"\"5\"},\"rdma\":{\"mlx5_0\":{\"hcaHandles\":3}},\"network\":{\"classID\":7,"
	"\"priorities\":[{\"name\":\"eth0\",\"priority\":2}]}},"
	"\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/"
	"sys\"],\"personality\":{\"domain\":\"LINUX32\"},"
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],"
	"\"action\":\"SCMP_ACT_ERRNO\"}]}"
	"}}";

static struct oci_runtime_config *parse(const char *text)
{
	struct oci_runtime_config *config = NULL;
	struct err err = { 0 };

	if (oci_runtime_config_parse(text, strlen(text), "/bundle", &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void test_process_is_read(void **state)
{
	(void)state;
	struct oci_runtime_config *config = parse(whole);
	const struct oci_process *process = &config->process;

	assert_true(process->terminal && process->no_new_privileges && process->has_oom_score_adj);
	assert_int_equal(process->console_rows, 25);
	assert_int_equal(process->uid, 1);
	assert_int_equal(process->gid, 2);
	assert_int_equal(process->umask, 077);
	assert_int_equal(process->additional_gid_count, 2);
	assert_int_equal(process->additional_gids[1], 4);
	assert_string_equal(process->args.items[1], "-c");
	assert_string_equal(process->cwd, "/tmp");
	assert_int_equal(process->capabilities.bounding, 1 | 1 << 5);
	assert_int_equal(process->capabilities.effective, 1 << 5);
	assert_int_equal(process->rlimits[0].soft, 5);
	assert_true(process->rlimits[0].hard == RLIM_INFINITY);
	assert_int_equal(process->oom_score_adj, -3);
	assert_null(process->apparmor_profile);
	assert_int_equal(process->scheduler.policy, 1);
	assert_int_equal(process->scheduler.priority, 7);
	assert_int_equal(process->scheduler.flags, 1);
	assert_int_equal(process->io_priority, 2 << 13 | 6);
	assert_string_equal(process->initial_cpu_affinity, "0-1");
	oci_runtime_config_free(config);
}

static void test_document_is_read(void **state)
{
	(void)state;
	struct oci_runtime_config *config = parse(whole);

	assert_string_equal(config->root_path, "/bundle/rootfs");
	assert_true(config->root_readonly);
	assert_string_equal(config->hostname, "box");
	assert_int_equal(config->mount_count, 2);
	assert_string_equal(config->mounts[0].source, "proc");
	assert_string_equal(config->mounts[1].source, "/bundle/data");
	assert_string_equal(config->mounts[1].options.items[1], "ro");
	assert_int_equal(config->hooks[OCI_HOOK_CREATE_RUNTIME].count, 1);
	assert_string_equal(config->hooks[OCI_HOOK_CREATE_RUNTIME].items[0].args.items[1], "x");
	assert_int_equal(config->hooks[OCI_HOOK_CREATE_RUNTIME].items[0].timeout_seconds, 3);
	assert_int_equal(config->hooks[OCI_HOOK_POSTSTOP].count, 1);
	assert_int_equal(config->hooks[OCI_HOOK_PRESTART].count, 0);
	assert_string_equal(config->annotations.items[0], "key=a=b");
	oci_runtime_config_free(config);
}

static void test_linux_is_read(void **state)
{
	(void)state;
	struct oci_runtime_config *config = parse(whole);

	assert_true(config->namespaces[OCI_NS_PID].wanted && !config->namespaces[OCI_NS_PID].path);
	assert_string_equal(config->namespaces[OCI_NS_NETWORK].path, "/run/netns/x");
	assert_false(config->namespaces[OCI_NS_IPC].wanted);
	assert_int_equal(config->uid_maps[0].outside, 1000);
	assert_int_equal(config->gid_maps[0].size, 20);
	assert_true(config->time_offsets[OCI_CLOCK_BOOTTIME].given);
	assert_false(config->time_offsets[OCI_CLOCK_MONOTONIC].given);
	assert_int_equal(config->time_offsets[OCI_CLOCK_BOOTTIME].seconds, -5);
	assert_int_equal(config->time_offsets[OCI_CLOCK_BOOTTIME].nanoseconds, 6);
	assert_int_equal(config->devices[0].file_mode, 0660);
	assert_int_equal(config->devices[0].uid, 7);
	assert_string_equal(config->sysctls[0].key, "net.core.somaxconn");
	assert_string_equal(config->cgroups_path, "/x/y");
	assert_string_equal(config->rootfs_propagation, "slave");
	assert_string_equal(config->masked_paths.items[0], "/proc/kcore");
	assert_true(config->has_personality && config->personality == PER_LINUX32);
	assert_non_null(strstr(config->seccomp_profile, "mkdir"));
	oci_runtime_config_free(config);
}

static void test_resources_are_read(void **state)
{
	(void)state;
	struct oci_runtime_config *config = parse(whole);
	const struct cgroup_resources *resources = &config->resources;

	assert_int_equal(resources->device_count, 2);
	assert_int_equal(resources->devices[0].type, 'a');
	assert_int_equal(resources->devices[0].major, -1);
	assert_string_equal(resources->devices[1].access, "rwm");
	assert_int_equal(resources->devices[1].minor, 3);
	assert_int_equal(resources->memory_limit, 1000);
	assert_int_equal(resources->memory_swap, -1);
	assert_int_equal(resources->memory_swappiness, 0);
	assert_int_equal(resources->cpu_shares, 2);
	assert_int_equal(resources->cpu_quota, -1);
	assert_int_equal(resources->pids_limit, 12);
	assert_int_equal(resources->blkio_weight, 10);
	assert_int_equal(resources->throttle[0][0].rate, 99);
	assert_int_equal(resources->hugepage_limits[0].limit_bytes, 4);
	assert_string_equal(resources->unified[0].value, "5");
	assert_string_equal(resources->rdma[0].device, "mlx5_0");
	assert_int_equal(resources->rdma[0].handles, 3);
	assert_int_equal(resources->rdma[0].objects, UINT32_MAX);
	assert_int_equal(resources->network_class, 7);
	assert_string_equal(resources->network_priorities[0].value, "2");
	oci_runtime_config_free(config);
}

#define START	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}"
#define PROCESS ",\"process\":{\"args\":[\"a\"],\"cwd\":\"/\""
#define OPEN	START PROCESS "}"
#define LINUX	OPEN ",\"linux\":{"
#define USER	"\"namespaces\":[{\"type\":\"user\"}],"
#define MAPS	"[{\"containerID\":0,\"hostID\":0,\"size\":1}]"

static void test_what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "{", "config.json: invalid JSON" },
		{ "[]", "config.json: not an object" },
		{ "{}", "config.json: ociVersion: missing" },
		{ "{\"ociVersion\":\"2.0.0\"}",
		  "config.json: ociVersion: '2.0.0' is not supported" },
		{ "{\"ociVersion\":\"1.0\"}",
		  "config.json: ociVersion: '1.0' is not MAJOR.MINOR.PATCH" },
		{ "{\"ociVersion\":\"1.0.0\"}", "config.json: root: missing" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{}}", "config.json: root.path: missing" },
		{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":7}}",
		  "config.json: root.path: not a string" },
		{ START "}", "config.json: process: missing" },
		{ START ",\"process\":{\"cwd\":\"/\"}}",
		  "config.json: process.args: missing or empty" },
		{ START ",\"process\":{\"args\":[\"a\",1],\"cwd\":\"/\"}}",
		  "config.json: process.args[1]: not a string" },
		{ START ",\"process\":{\"args\":[\"a\"]}}", "config.json: process.cwd: missing" },
		{ START ",\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}",
		  "process.cwd: 'x' is not an absolute path" },
		{ START ",\"process\":{\"args\":[\"a\\u0000b\"],\"cwd\":\"/\"}}",
		  "process.args[0]: has a NUL" },
		{ START PROCESS ",\"env\":[\"A\"]}}", "process.env[0]: 'A' is not NAME=VALUE" },
		{ START PROCESS ",\"user\":{\"uid\":-1,\"gid\":0}}}",
		  "process.user.uid: not from 0 to" },
		{ START PROCESS ",\"user\":{\"uid\":0}}}", "process.user.gid: missing" },
		{ START PROCESS ",\"user\":{\"uid\":0.5,\"gid\":0}}}",
		  "process.user.uid: not a whole number" },
		{ START PROCESS ",\"oomScoreAdj\":1001}}",
		  "process.oomScoreAdj: not from -1000 to 1000" },
		{ START PROCESS ",\"rlimits\":[{\"type\":\"RLIMIT_FOO\",\"soft\":1,\"hard\":1}]}}",
		  "process.rlimits[0].type: unknown limit 'RLIMIT_FOO'" },
		{ START PROCESS ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]}}",
		  "process.rlimits[0].soft: is above 'hard'" },
		{ START PROCESS ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
				"{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]}}",
		  "process.rlimits[1].type: 'RLIMIT_CPU' is given twice" },
		{ START PROCESS ",\"capabilities\":{\"effective\":[\"CAP_KILL\"]}}}",
		  "process.capabilities.effective: " },
		{ START PROCESS ",\"scheduler\":{\"policy\":\"SCHED_FAIR\"}}}",
		  "process.scheduler.policy: unknown policy" },
		{ START PROCESS ",\"ioPriority\":{\"class\":\"X\"}}}",
		  "process.ioPriority.class: unknown class 'X'" },
		{ OPEN ",\"hostname\":\"x\"}", "hostname: would change the host's" },
		{ OPEN ",\"mounts\":[{\"destination\":\"x\",\"type\":\"tmpfs\"}]}",
		  "mounts[0].destination: 'x' is not" },
		{ OPEN ",\"mounts\":[{\"destination\":\"/x\"}]}", "mounts[0].type: missing" },
		{ OPEN ",\"mounts\":[{\"destination\":\"/x\",\"options\":[\"bind\"]}]}",
		  "mounts[0].source: missing" },
		{ OPEN ",\"mounts\":[7]}", "mounts[0]: not an object" },
		{ OPEN ",\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}}",
		  "hooks.poststop[0].path: 'x' is not an absolute path" },
		{ OPEN ",\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":0}]}}",
		  "hooks.prestart[0].timeout: not from 1" },
		{ OPEN ",\"annotations\":{\"a\":1}}", "annotations.a: not a string" },
		{ LINUX
		  "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"foo\"}]}}",
		  "config.json: linux.namespaces[2].type: unknown namespace 'foo'" },
		{ LINUX "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
		  "linux.namespaces[1].type: 'pid' is given twice" },
		{ LINUX "\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]}}",
		  "linux.namespaces[0].path: 'x' is not" },
		{ LINUX "\"uidMappings\":" MAPS "}}", "linux.uidMappings: needs a user namespace" },
		{ LINUX USER "\"gidMappings\":" MAPS "}}", "linux.uidMappings: missing" },
		{ LINUX USER "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]}}",
		  "linux.uidMappings[0].size: not from 1" },
		{ LINUX USER
		  "\"uidMappings\":[{\"containerID\":9,\"hostID\":0,\"size\":4294967295}]}}",
		  "linux.uidMappings[0].size: reaches beyond" },
		{ LINUX "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}}}",
		  "linux.timeOffsets: needs a new time namespace" },
		{ LINUX "\"timeOffsets\":{\"realtime\":{\"secs\":1}}}}",
		  "linux.timeOffsets.realtime: unknown clock" },
		{ LINUX "\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]}}",
		  "linux.devices[0].type: 'x' is none of" },
		{ LINUX "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\"}]}}",
		  "linux.devices[0].major: missing" },
		{ LINUX "\"rootfsPropagation\":\"x\"}}",
		  "linux.rootfsPropagation: 'x' is none of" },
		{ LINUX "\"maskedPaths\":[\"x\"]}}",
		  "linux.maskedPaths[0]: 'x' is not an absolute path" },
		{ LINUX "\"personality\":{\"domain\":\"BSD\"}}}",
		  "linux.personality.domain: 'BSD' is neither" },
		{ LINUX "\"intelRdt\":{\"closID\":\"x\"}}}", "linux.intelRdt: not supported" },
		{ LINUX "\"seccomp\":{\"defaultAction\":\"X\"}}}",
		  "linux.seccomp.defaultAction: unknown action 'X'" },
		{ LINUX "\"resources\":{\"pids\":{}}}}", "linux.resources.pids.limit: missing" },
		{ LINUX "\"resources\":{\"memory\":{\"limit\":2,\"swap\":1}}}}",
		  "linux.resources.memory.swap: is below" },
		{ LINUX "\"resources\":{\"memory\":{\"swappiness\":101}}}}",
		  "linux.resources.memory.swappiness: not from 0 to 100" },
		{ LINUX "\"resources\":{\"devices\":[{\"type\":\"c\"}]}}}",
		  "linux.resources.devices[0].allow: missing" },
		{ LINUX "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}}}",
		  "linux.resources.devices[0].access: 'x'" },
		{ LINUX "\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2\",\"limit\":1}]}}}",
		  "linux.resources.hugepageLimits[0].pageSize: '2' is not a size" },
		{ LINUX "\"resources\":{\"unified\":{\"../x\":\"1\"}}}}",
		  "linux.resources.unified.../x: not a file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct oci_runtime_config *config = NULL;
		struct err err = { 0 };
		int r = oci_runtime_config_parse(cases[i].text, strlen(cases[i].text), "/b",
						 &config, &err);
		if (r == 0 || !strstr(err.text, cases[i].error))
			fail_msg("case %zu: '%s' instead of '%s'", i, err.text, cases[i].error);
		assert_null(config);
	}
}

static void test_unknown_capability_is_gone_without(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	struct oci_runtime_config *config = parse(
		START PROCESS ",\"capabilities\":{\"bounding\":[\"CAP_FOO\",\"CAP_KILL\"]}}}");

	assert_int_equal(config->process.capabilities.bounding, 1 << 5);
	oci_runtime_config_free(config);
}

static void test_process_document_alone(void **state)
{
	static const char text[] =
		"{\"args\":[\"id\"],\"cwd\":\"/\",\"user\":{\"uid\":5,\"gid\":6}}";
	struct oci_process *process;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(oci_process_parse(text, strlen(text), "p.json", &process, &err), 0);
	assert_int_equal(process->uid, 5);
	assert_int_equal(process->umask, -1);
	oci_process_free(process);
	assert_int_equal(oci_process_parse("{}", 2, "p.json", &process, &err), -EINVAL);
	assert_string_equal(err.text, "p.json: args: missing or empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process_is_read),
		cmocka_unit_test(test_document_is_read),
		cmocka_unit_test(test_linux_is_read),
		cmocka_unit_test(test_resources_are_read),
		cmocka_unit_test(test_what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(test_unknown_capability_is_gone_without),
		cmocka_unit_test(test_process_document_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
