/* Groups in use, in directories of plain files that look like those of the kernel. */
#include "kernel/cgroup-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

struct ground {
	char path[64];
	struct cgroup group;
};

static void add_directory(struct ground *ground, const char *name,
			  enum cgroup_controller controller)
{
	autofree char *path = path_join(ground->path, name);

	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	assert_int_equal(cgroup_add_directory(&ground->group, path, controller), 0);
}

static void write_file(struct ground *ground, const char *name, const char *text)
{
	autofree char *path = path_join(ground->path, name);
	struct err err;

	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, 0, &err), 0);
}

static void expect_file(struct ground *ground, const char *name, const char *expected)
{
	autofree char *path = path_join(ground->path, name);
	autostrbuf struct strbuf text = STRBUF_EMPTY;
	struct err err;

	assert_int_equal(file_read(AT_FDCWD, path, &text, 4096, &err), 0);
	assert_string_equal(strbuf_text(&text), expected);
}

static int set_up(void **state)
{
	struct ground *ground = xcalloc(1, sizeof(*ground));

	strncpy(ground->path, "/tmp/davit-test-cgroup-XXXXXX", sizeof(ground->path) - 1);
	assert_non_null(mkdtemp(ground->path));
	ground->group.name = xstrdup("x");
	*state = ground;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *ground = *state;
	struct err err;

	for (size_t i = 0; i < ground->group.count; i++) {
		free(ground->group.directories[i].path);
		fd_close(&ground->group.directories[i].fd);
	}
	free(ground->group.name);
	assert_int_equal(file_remove_tree(AT_FDCWD, ground->path, &err), 0);
	free(ground);
	return 0;
}

static void test_numbers_of_v2(void **state)
{
	struct ground *ground = *state;
	struct cgroup_statistics use;

	ground->group.ops = &cgroup_v2_ops;
	add_directory(ground, "g", CGROUP_CONTROLLER_COUNT);
	write_file(
		ground, "g/cpu.stat",
		"usage_usec 70\nuser_usec 40\nsystem_usec 30\nnr_throttled 3\nthrottled_usec 9\n");
	write_file(ground, "g/memory.current", "1000\n");
	write_file(ground, "g/memory.stat", "anon 500\ninactive_file 400\nactive_file 1\n");
	write_file(ground, "g/memory.max", "max\n");
	write_file(ground, "g/memory.events", "low 0\noom 2\noom_kill 1\n");
	write_file(ground, "g/pids.current", "5\n");
	write_file(ground, "g/pids.max", "77\n");
	write_file(ground, "g/io.stat",
		   "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=99\n8:16 rbytes=1 wbytes=2\n");
	cgroup_read_statistics(&ground->group, &use);
	assert_true(use.has_cpu && use.has_memory && use.has_pids && use.has_io);
	assert_int_equal(use.cpu_usec, 70);
	assert_int_equal(use.cpu_system_usec, 30);
	assert_int_equal(use.throttled_periods, 3);
	assert_int_equal(use.memory_bytes, 600);
	assert_true(use.memory_limit_bytes == UINT64_MAX);
	assert_int_equal(use.oom_kills, 1);
	assert_int_equal(use.pids, 5);
	assert_int_equal(use.pids_limit, 77);
	assert_int_equal(use.read_bytes, 11);
	assert_int_equal(use.write_bytes, 22);
}

static void test_numbers_of_v1(void **state)
{
	struct ground *ground = *state;
	struct cgroup_statistics use;

	ground->group.ops = &cgroup_v1_ops;
	add_directory(ground, "memory", CGROUP_MEMORY);
	add_directory(ground, "cpu", CGROUP_CPU);
	add_directory(ground, "blkio", CGROUP_IO);
	write_file(ground, "cpu/cpuacct.usage", "70000\n");
	write_file(ground, "cpu/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 9000\n");
	write_file(ground, "memory/memory.usage_in_bytes", "1000\n");
	write_file(ground, "memory/memory.stat", "cache 1\ntotal_inactive_file 400\n");
	write_file(ground, "memory/memory.limit_in_bytes", "9223372036854771712\n");
	write_file(ground, "memory/memory.oom_control",
		   "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
	write_file(ground, "blkio/blkio.throttle.io_service_bytes",
		   "8:0 Read 10\n8:0 Write 20\n8:0 Sync 3\n8:16 Read 1\nTotal 34\n");
	cgroup_read_statistics(&ground->group, &use);
	assert_true(use.has_cpu && use.has_memory && use.has_io);
	assert_false(use.has_pids);
	assert_int_equal(use.cpu_usec, 70);
	assert_int_equal(use.throttled_usec, 9);
	assert_int_equal(use.memory_bytes, 600);
	assert_true(use.memory_limit_bytes == UINT64_MAX);
	assert_int_equal(use.oom_kills, 4);
	assert_int_equal(use.read_bytes, 11);
	assert_int_equal(use.write_bytes, 20);
}

static void test_what_is_not_there_is_not_counted(void **state)
{
	struct ground *ground = *state;
	struct cgroup_statistics use;

	ground->group.ops = &cgroup_v2_ops;
	add_directory(ground, "g", CGROUP_CONTROLLER_COUNT);
	write_file(ground, "g/cpu.stat", "nonsense\n");
	write_file(ground, "g/memory.current", "x\n");
	cgroup_read_statistics(&ground->group, &use);
	assert_false(use.has_cpu || use.has_memory || use.has_pids || use.has_io);
}

static void test_processes_of_groups_below_are_found(void **state)
{
	struct ground *ground = *state;
	autofree pid_t *pids = NULL;
	struct err err = { 0 };
	size_t count;

	ground->group.ops = &cgroup_v2_ops;
	add_directory(ground, "g", CGROUP_CONTROLLER_COUNT);
	autofree char *below = path_join(ground->path, "g/inner");
	assert_int_equal(mkdir(below, 0755), 0);
	write_file(ground, "g/cgroup.procs", "12\n0\n345\n");
	write_file(ground, "g/inner/cgroup.procs", "6789\n");
	assert_int_equal(cgroup_processes(&ground->group, &pids, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_int_equal(pids[0], 12);
	assert_int_equal(pids[2], 6789);
}

static void test_an_update_writes_what_is_given(void **state)
{
	struct ground *ground = *state;
	struct cgroup_resources resources = { .memory_swappiness = -1, .pids_limit = 9 };
	struct err err = { 0 };

	ground->group.ops = &cgroup_v2_ops;
	add_directory(ground, "g", CGROUP_CONTROLLER_COUNT);
	write_file(ground, "g/pids.max", "max\n");
	write_file(ground, "g/memory.max", "max\n");
	assert_int_equal(cgroup_update(&ground->group, &resources, &err), 0);
	expect_file(ground, "g/pids.max", "9ax\n"); /* the kernel's files take a write as a whole */
	expect_file(ground, "g/memory.max", "max\n");

	ground->group.ops = &cgroup_v1_ops;
	ground->group.directories[0].controller = CGROUP_PIDS;
	resources.pids_limit = 8;
	assert_int_equal(cgroup_update(&ground->group, &resources, &err), 0);
	expect_file(ground, "g/pids.max", "8ax\n");
	resources.pids_limit = 0;
	resources.unified = &(struct key_value){ (char *)"memory.high", (char *)"1" };
	resources.unified_count = 1;
	assert_true(cgroup_update(&ground->group, &resources, &err) < 0);
	assert_non_null(strstr(err.text, "memory.high"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_numbers_of_v2, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers_of_v1, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_not_there_is_not_counted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_processes_of_groups_below_are_found, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_update_writes_what_is_given, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
