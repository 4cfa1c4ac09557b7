/* What a container is, by its row, its run directory and who has its lock. */
#include "engine/container.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/container-end.h"
#include "engine/container-repair.h"
#include "engine/engine.h"

static char directory[] = "/tmp/davit-test-container-state-XXXXXX";
static struct engine *engine;
static struct container_spec *spec;
static struct container *made;

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	memcpy(strrchr(directory, '-'), "-XXXXXX", 8);
	if (!mkdtemp(directory))
		return -1;
	autofree char *root = path_join(directory, "root");
	autofree char *runroot = path_join(directory, "run");
	struct engine_options options = { .root = root, .runroot = runroot };
	spec = container_spec_new();
	spec->network_mode = xstrdup("none");
	spec->cgroups = xstrdup("disabled");
	if (engine_open(&options, &engine, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct err err = { 0 };

	(void)state;
	container_free(made);
	made = NULL;
	container_spec_free(spec);
	engine_close(engine);
	return file_remove_tree(AT_FDCWD, directory, &err);
}

static void make(enum create_flags flags)
{
	struct err err = { 0 };

	if (container_create(engine, spec, "c", flags, &made, &err) < 0)
		fail_msg("%s", err.text);
}

static struct container *found(void)
{
	struct container *container;
	struct err err = { 0 };

	if (container_find(engine, "c", CONTAINER_WITH_SPEC, &container, &err) < 0)
		fail_msg("%s", err.text);
	return container;
}

static void expect(enum container_state state, int exit_code, bool needs_cleanup)
{
	autocontainer struct container *container = found();

	assert_int_equal(container->state, state);
	assert_int_equal(container->exit_code, exit_code);
	assert_int_equal(container->needs_cleanup, needs_cleanup);
}

static void write_run_file(const char *name, const char *text)
{
	autofree char *run_dir = container_run_directory(engine, made->id);
	autofree char *path = path_join(run_dir, name);
	struct err err = { 0 };

	assert_int_equal(file_make_dirs(AT_FDCWD, run_dir, 0700, &err), 0);
	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &err), 0);
}

static void test_created_is_created(void **state)
{
	(void)state;
	make(0);
	assert_int_equal(made->lock_fd, -1);
	expect(CONTAINER_CREATED, 0, false);
}

static void test_made_to_start_is_seen_as_starting(void **state)
{
	(void)state;
	make(CREATE_TO_START);
	assert_true(made->lock_fd >= 0);
	assert_int_equal(made->state, CONTAINER_CREATED); /* for whoever made it */
	assert_false(made->needs_cleanup);
	expect(CONTAINER_STARTING, 0, false);
}

static void test_killed_start_is_created_again(void **state)
{
	struct err err = { 0 };

	(void)state;
	make(CREATE_TO_START);
	fd_close(&made->lock_fd); /* as the kernel does for who is killed */
	expect(CONTAINER_CREATED, 0, true);
	assert_int_equal(container_cleanup(engine, made->id, &err), 0);
	expect(CONTAINER_CREATED, 0, false);
	autocontainer struct container *container = found();
	assert_int_equal(container->started_nsec, 0);
}

static void test_killed_start_with_rm_is_gone(void **state)
{
	autocontainer struct container *container = NULL;
	struct err err = { 0 };

	(void)state;
	spec->auto_remove = true;
	make(CREATE_TO_START);
	fd_close(&made->lock_fd);
	container = found();
	assert_int_equal(container_repair(engine, container), -ENOENT);
	autofree char *path = container_directory(engine, made->id);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(container_find(engine, "c", 0, &container, &err), -ENOENT);
}

static void test_killed_start_with_rm_leaves_its_name(void **state)
{
	autocontainer struct container *other = NULL;
	struct err err = { 0 };

	(void)state;
	spec->auto_remove = true;
	make(CREATE_TO_START);
	fd_close(&made->lock_fd);
	assert_int_equal(container_create(engine, spec, "c", 0, &other, &err), 0);
	assert_string_not_equal(other->id, made->id);
	container_free(other);
	other = NULL;
	assert_int_equal(container_create(engine, spec, "c", 0, &other, &err), -EEXIST);
}

static void test_killed_later_start_keeps_the_last_end(void **state)
{
	struct err err = { 0 };

	(void)state;
	make(0);
	assert_int_equal(container_set_exited(engine, made->id, 3, false, 1000, &err), 0);
	expect(CONTAINER_EXITED, 3, false);
	write_run_file("hostname", "c\n");
	assert_int_equal(container_set_running(engine, made->id, 2000, 0, &err), 0);
	expect(CONTAINER_EXITED, 3, true);
	assert_int_equal(container_cleanup(engine, made->id, &err), 0);
	expect(CONTAINER_EXITED, 3, false);
}

static void test_reboot_leaves_an_unknown_end(void **state)
{
	struct err err = { 0 };

	(void)state;
	make(0);
	assert_int_equal(container_set_running(engine, made->id, 2000, 0, &err), 0);
	expect(CONTAINER_EXITED, -1, true);
}

static void test_exit_file_tells_the_end(void **state)
{
	struct err err = { 0 };

	(void)state;
	make(CREATE_TO_START);
	write_run_file("pid", "1 1 1 1 5000\n"); /* process 1 did not start at tick 1 */
	write_run_file("exit", "1792 1 6000\n");
	fd_close(&made->lock_fd);
	expect(CONTAINER_EXITED, 7, true);
	assert_int_equal(container_cleanup(engine, made->id, &err), 0);
	autocontainer struct container *container = found();
	assert_true(container->oom_killed);
	assert_int_equal(container->finished_nsec, 6000);
}

static void test_settle_waits_for_the_start(void **state)
{
	autocontainer struct container *container = NULL;
	struct err err = { 0 };

	(void)state;
	make(CREATE_TO_START);
	container = found();
	/* The child has the lock, too, and fails to start the container. */
	pid_t pid = fork();
	if (pid == 0) {
		const struct engine_options options = { .root = engine->root,
							.runroot = engine->runroot };
		struct engine *own; /* a database is not to be used on both sides of a fork */
		_exit(engine_open(&options, &own, &err) == 0 &&
				      container_set_created(own, made->id, &err) == 0
			      ? 0
			      : 1);
	}
	fd_close(&made->lock_fd);
	assert_int_equal(container_settle(engine, container, &err), 0);
	assert_int_equal(container->state, CONTAINER_CREATED);
	assert_false(container->needs_cleanup);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_sweep_takes_what_has_no_row(void **state)
{
	struct err err = { 0 };

	(void)state;
	make(CREATE_TO_START);
	autofree char *path = container_directory(engine, made->id);
	assert_int_equal(container_delete_row(engine, made->id, &err), 0);
	container_sweep(engine, NULL, 0);
	assert_int_equal(access(path, F_OK), 0); /* somebody is at it */
	fd_close(&made->lock_fd);
	container_sweep(engine, NULL, 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_sweep_leaves_what_has_been_made_since(void **state)
{
	(void)state;
	make(0);
	autofree char *path = container_directory(engine, made->id);
	container_sweep(engine, NULL, 0);
	assert_int_equal(access(path, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_created_is_created),
		TEST(test_made_to_start_is_seen_as_starting),
		TEST(test_killed_start_is_created_again),
		TEST(test_killed_start_with_rm_is_gone),
		TEST(test_killed_start_with_rm_leaves_its_name),
		TEST(test_killed_later_start_keeps_the_last_end),
		TEST(test_reboot_leaves_an_unknown_end),
		TEST(test_exit_file_tells_the_end),
		TEST(test_settle_waits_for_the_start),
		TEST(test_sweep_takes_what_has_no_row),
		TEST(test_sweep_leaves_what_has_been_made_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
