#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strlist.h"

typedef int plan_function(const struct cgroup_resources *resources,
			  struct cgroup_settings *ret_settings, struct err *err);

/* "FILE=VALUE" of all settings, one a line. */
static void expect_plan(plan_function *plan, const struct cgroup_resources *resources,
			const char *expected)
{
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct cgroup_settings settings;
	struct err err = { 0 };

	if (plan(resources, &settings, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < settings.count; i++)
		strbuf_addf(&text, "%s=%s\n", settings.items[i].file, settings.items[i].value);
	assert_string_equal(strbuf_text(&text), expected);
	cgroup_settings_clear(&settings);
}

static void expect_refusal(plan_function *plan, const struct cgroup_resources *resources,
			   const char *word)
{
	struct cgroup_settings settings;
	struct err err = { 0 };

	assert_true(plan(resources, &settings, &err) < 0);
	if (!strstr(err.text, word))
		fail_msg("'%s' is not in '%s'", word, err.text);
}

static const struct cgroup_resources nothing = { .memory_swappiness = -1 };

static void test_nothing_asked_for_sets_nothing(void **state)
{
	(void)state;
	expect_plan(cgroup_settings_plan_v1, &nothing, "");
	expect_plan(cgroup_settings_plan_v2, &nothing, "");
}

static void test_memory_and_swap(void **state)
{
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.pids_limit = -1;
	resources.memory_limit = 1 << 20;
	resources.memory_swap = 3 << 20;
	resources.memory_reservation = 1 << 19;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "pids.max=max\nmemory.limit_in_bytes=1048576\n"
		    "memory.memsw.limit_in_bytes=3145728\nmemory.soft_limit_in_bytes=524288\n");
	/* v2 counts swap alone. */
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "pids.max=max\nmemory.max=1048576\nmemory.swap.max=2097152\n"
		    "memory.low=524288\n");
	resources.memory_swap = -1;
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "pids.max=max\nmemory.max=1048576\nmemory.swap.max=max\nmemory.low=524288\n");
	resources.memory_swap = 1 << 20;
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "pids.max=max\nmemory.max=1048576\nmemory.swap.max=0\nmemory.low=524288\n");
}

static void test_a_swap_limit_below_the_memory_limit_is_refused(void **state)
{
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.memory_limit = 2 << 20;
	resources.memory_swap = 1 << 20;
	expect_refusal(cgroup_settings_plan_v1, &resources, "below the memory limit");
	expect_refusal(cgroup_settings_plan_v2, &resources, "below the memory limit");
	resources.memory_limit = 0;
	expect_refusal(cgroup_settings_plan_v1, &resources, "give a memory limit");
}

static void test_shares_and_quotas(void **state)
{
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.cpu_shares = 1024;
	resources.cpu_quota = 50000;
	resources.cpuset_cpus = (char *)"0-1";
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "cpu.shares=1024\ncpu.cfs_quota_us=50000\ncpuset.cpus=0-1\n");
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "cpu.weight=39\ncpu.max=50000 100000\ncpuset.cpus=0-1\n");
	resources = nothing;
	resources.cpu_period = 20000;
	expect_plan(cgroup_settings_plan_v1, &resources, "cpu.cfs_period_us=20000\n");
	expect_plan(cgroup_settings_plan_v2, &resources, "cpu.max=max 20000\n");
	resources = nothing;
	resources.cpu_shares = 2;
	expect_plan(cgroup_settings_plan_v2, &resources, "cpu.weight=1\n");
	resources.cpu_shares = 262144;
	expect_plan(cgroup_settings_plan_v2, &resources, "cpu.weight=10000\n");
}

static void test_block_devices(void **state)
{
	struct cgroup_throttle read_rate = { 8, 0, 1000 }, write_count = { 8, 16, 7 };
	struct cgroup_weight weight = { 8, 0, 500 };
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.blkio_weight = 1000;
	resources.weight_devices = &weight;
	resources.weight_device_count = 1;
	resources.throttle[0] = &read_rate;
	resources.throttle_count[0] = 1;
	resources.throttle[3] = &write_count;
	resources.throttle_count[3] = 1;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "blkio.bfq.weight=1000\nblkio.bfq.weight_device=8:0 500\n"
		    "blkio.throttle.read_bps_device=8:0 1000\n"
		    "blkio.throttle.write_iops_device=8:16 7\n");
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "io.weight=10000\nio.weight=8:0 4950\nio.max=8:0 rbps=1000\n"
		    "io.max=8:16 wiops=7\n");
}

static void test_huge_pages_and_raw_settings(void **state)
{
	struct cgroup_hugepage_limit pages = { (char *)"2MB", 4 << 20 };
	struct key_value raw = { (char *)"memory.high", (char *)"1G" };
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.hugepage_limits = &pages;
	resources.hugepage_limit_count = 1;
	expect_plan(cgroup_settings_plan_v1, &resources, "hugetlb.2MB.limit_in_bytes=4194304\n");
	expect_plan(cgroup_settings_plan_v2, &resources, "hugetlb.2MB.max=4194304\n");
	resources = nothing;
	resources.unified = &raw;
	resources.unified_count = 1;
	expect_plan(cgroup_settings_plan_v2, &resources, "memory.high=1G\n");
	expect_refusal(cgroup_settings_plan_v1, &resources, "cgroup v2");
	raw.key = (char *)"../memory.max";
	expect_refusal(cgroup_settings_plan_v2, &resources, "not a setting");
	raw.key = (char *)"cgroup.procs";
	expect_refusal(cgroup_settings_plan_v2, &resources, "not a setting");
	assert_int_equal(cgroup_controller_of_file("io.max"), CGROUP_IO);
	assert_int_equal(cgroup_controller_of_file("cpu.max"), CGROUP_CPU);
	assert_int_equal(cgroup_controller_of_file("cgroup.max.depth"), CGROUP_CONTROLLER_COUNT);
}

static void test_adapters_and_networks(void **state)
{
	struct cgroup_rdma_limit adapter = { (char *)"mlx5_0", 3, UINT32_MAX };
	struct key_value priority = { (char *)"eth0", (char *)"5" };
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.rdma = &adapter;
	resources.rdma_count = 1;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "rdma.max=mlx5_0 hca_handle=3 hca_object=max\n");
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "rdma.max=mlx5_0 hca_handle=3 hca_object=max\n");
	resources = nothing;
	resources.network_class = 1048577;
	resources.network_priorities = &priority;
	resources.network_priority_count = 1;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "net_cls.classid=1048577\nnet_prio.ifpriomap=eth0 5\n");
	expect_refusal(cgroup_settings_plan_v2, &resources, "network traffic");
}

static void test_bursts_and_idling(void **state)
{
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.cpu_quota = 50000;
	resources.cpu_burst = 1000;
	resources.has_cpu_idle = true;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "cpu.cfs_quota_us=50000\ncpu.cfs_burst_us=1000\ncpu.idle=0\n");
	expect_plan(cgroup_settings_plan_v2, &resources,
		    "cpu.max=50000 100000\ncpu.max.burst=1000\ncpu.idle=0\n");
}

static void test_what_only_v1_has_is_refused_on_v2(void **state)
{
	struct cgroup_resources resources = nothing;

	(void)state;
	resources.memory_swappiness = 0;
	expect_plan(cgroup_settings_plan_v1, &resources, "memory.swappiness=0\n");
	expect_refusal(cgroup_settings_plan_v2, &resources, "swappiness");
	resources = nothing;
	resources.memory_kernel = 4096;
	resources.memory_kernel_tcp = 8192;
	expect_plan(cgroup_settings_plan_v1, &resources,
		    "memory.kmem.limit_in_bytes=4096\nmemory.kmem.tcp.limit_in_bytes=8192\n");
	expect_refusal(cgroup_settings_plan_v2, &resources, "kernel memory");
	resources = nothing;
	resources.memory_disable_oom_killer = true;
	expect_plan(cgroup_settings_plan_v1, &resources, "memory.oom_control=1\n");
	expect_refusal(cgroup_settings_plan_v2, &resources, "OOM killer");
}

static void test_defaults_are_left_out_and_wishes_are_errors(void **state)
{
	autostrlist struct strlist left_out = STRLIST_EMPTY;
	struct cgroup_resources resources = nothing;
	struct cgroup_settings settings;
	struct err err = { 0 };

	(void)state;
	resources.pids_limit = 2048;
	resources.pids_limit_is_default = true;
	resources.memory_limit = 1 << 20;
	assert_int_equal(cgroup_settings_plan_v2(&resources, &settings, &err), 0);
	assert_int_equal(cgroup_leave_out(&settings.items[0], EACCES, NULL, &left_out, &err), 0);
	assert_int_equal(left_out.count, 1);
	assert_string_equal(left_out.items[0], "pids");
	assert_int_equal(cgroup_leave_out(&settings.items[1], EACCES, "do this", &left_out, &err),
			 -EACCES);
	assert_string_equal(err.text, "memory limit '1048576': do this");
	cgroup_settings_clear(&settings);
}

static void test_paths_lead_nowhere_else(void **state)
{
	static const char *const bad[] = {
		"", "/", "..", "davit/../x", "davit//x", "davit/", "./x"
	};
	struct cgroup *group = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cgroup_open(bad[i], &group, &err), -EINVAL);
	assert_int_equal(cgroup_open("davit/no-such-group", &group, &err), -ENOENT);
	assert_int_equal(cgroup_open("/davit/no-such-group", &group, &err), -ENOENT);
}

static void test_a_parent_that_was_given_is_taken(void **state)
{
	autofree char *given = cgroup_path("/mine", "abc"), *none = cgroup_path(NULL, "abc"),
		      *empty = cgroup_path("", "abc");

	(void)state;
	assert_string_equal(given, "/mine/abc");
	assert_string_equal(none, empty);
	assert_true(strcmp(none, "davit/abc") == 0 || strcmp(none, "davit-abc") == 0);
}

/* ---- devices ---- */

static void test_rules_are_written_as_v1_takes_them(void **state)
{
	static const struct cgroup_device_rule rules[] = {
		{ false, 'a', -1, -1, "rwm" },
		{ true, 'c', 136, -1, "rw" },
		{ true, 'b', -1, -1, "m" },
		{ true, 'c', 1, 3, "rwm" },
	};
	static const char *const texts[] = { "a", "c 136:* rw", "b *:* m", "c 1:3 rwm" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		cgroup_device_rule_text(&rules[i], text);
		assert_string_equal(text, texts[i]);
	}
}

/* A machine for the few instructions that device programs use. */
static int run_program(const struct bpf_insn *code, size_t count,
		       const struct bpf_cgroup_dev_ctx *context)
{
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < count; pc++) {
		const struct bpf_insn *at = &code[pc];
		uint64_t *to = &r[at->dst_reg], from = r[at->src_reg];
		uint32_t word;
		switch (at->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_true(at->src_reg == 1 && at->off >= 0 && at->off <= 8);
			memcpy(&word, (const char *)context + at->off, 4);
			*to = word;
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*to = (uint32_t)from;
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			*to = (uint32_t)at->imm;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*to = (uint32_t)*to & (uint32_t)at->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*to = (uint32_t)*to >> at->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += *to != (uint64_t)at->imm ? (size_t)at->off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += *to == (uint64_t)at->imm ? (size_t)at->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			fail_msg("unexpected instruction %x", at->code);
		}
	}
	fail_msg("the program has no end");
	return -1;
}

#define READ  BPF_DEVCG_ACC_READ
#define WRITE BPF_DEVCG_ACC_WRITE
#define MKNOD BPF_DEVCG_ACC_MKNOD
#define BLOCK BPF_DEVCG_DEV_BLOCK
#define CHAR  BPF_DEVCG_DEV_CHAR

static int allowed(const struct cgroup_device_rule *rules, size_t count, unsigned type,
		   unsigned access, unsigned major, unsigned minor)
{
	const struct bpf_cgroup_dev_ctx context = { (access << 16) | type, major, minor };
	autofree struct bpf_insn *code = NULL;

	size_t size = cgroup_devices_compile(rules, count, &code);
	return run_program(code, size, &context);
}

static void test_programs_decide_as_rules_say(void **state)
{
	static const struct cgroup_device_rule rules[] = {
		{ false, 'a', -1, -1, "rwm" }, { true, 'c', -1, -1, "m" },
		{ true, 'b', -1, -1, "m" },    { true, 'c', 1, 3, "rwm" },
		{ true, 'c', 136, -1, "rw" },  { true, 'b', 8, 1, "r" },
		{ true, 'c', 10, -1, "rwm" },  { false, 'c', 10, 200, "w" },
	};
	const size_t count = ARRAY_SIZE(rules);

	(void)state;
	assert_int_equal(allowed(rules, count, CHAR, READ | WRITE, 1, 3), 1);
	assert_int_equal(allowed(rules, count, BLOCK, READ, 1, 3), 0);
	assert_int_equal(allowed(rules, count, CHAR, READ, 1, 1), 0);
	assert_int_equal(allowed(rules, count, CHAR, MKNOD, 1, 1), 1);
	assert_int_equal(allowed(rules, count, BLOCK, MKNOD, 8, 0), 1);
	assert_int_equal(allowed(rules, count, CHAR, READ | WRITE, 136, 77), 1);
	assert_int_equal(allowed(rules, count, BLOCK, READ, 8, 1), 1);
	assert_int_equal(allowed(rules, count, BLOCK, READ | WRITE, 8, 1), 0);
	assert_int_equal(allowed(rules, count, CHAR, READ, 10, 200), 1);
	assert_int_equal(allowed(rules, count, CHAR, READ | WRITE, 10, 200), 0);
	assert_int_equal(allowed(rules, count, CHAR, READ | WRITE, 10, 201), 1);
	/* Without rules nothing is allowed. */
	assert_int_equal(allowed(rules, 0, CHAR, READ, 1, 3), 0);
}

static void test_rules_that_leave_nothing_out_are_seen(void **state)
{
	static struct cgroup_device_rule rules[] = {
		{ false, 'a', -1, -1, "rwm" },
		{ true, 'c', 1, 3, "rwm" },
		{ true, 'a', -1, -1, "rwm" },
	};
	struct cgroup_resources resources = nothing;

	(void)state;
	assert_false(cgroup_devices_are_limited(&resources));
	resources.devices = rules;
	resources.device_count = 2;
	assert_true(cgroup_devices_are_limited(&resources));
	resources.device_count = 3;
	assert_false(cgroup_devices_are_limited(&resources));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked_for_sets_nothing),
		cmocka_unit_test(test_memory_and_swap),
		cmocka_unit_test(test_a_swap_limit_below_the_memory_limit_is_refused),
		cmocka_unit_test(test_shares_and_quotas),
		cmocka_unit_test(test_block_devices),
		cmocka_unit_test(test_huge_pages_and_raw_settings),
		cmocka_unit_test(test_adapters_and_networks),
		cmocka_unit_test(test_bursts_and_idling),
		cmocka_unit_test(test_what_only_v1_has_is_refused_on_v2),
		cmocka_unit_test(test_defaults_are_left_out_and_wishes_are_errors),
		cmocka_unit_test(test_paths_lead_nowhere_else),
		cmocka_unit_test(test_a_parent_that_was_given_is_taken),
		cmocka_unit_test(test_rules_are_written_as_v1_takes_them),
		cmocka_unit_test(test_programs_decide_as_rules_say),
		cmocka_unit_test(test_rules_that_leave_nothing_out_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
