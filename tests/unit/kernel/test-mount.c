#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

/* Every test has DIR/root, the hostile root, and DIR/outside, where nothing may appear. */
struct ground {
	char path[64];
	int top_fd, root_fd;
};

static int set_up(void **state)
{
	struct ground *ground = calloc(1, sizeof(*ground));

	snprintf(ground->path, sizeof(ground->path), "/tmp/davit-test-mount-XXXXXX");
	if (!mkdtemp(ground->path))
		return -1;
	ground->top_fd = open(ground->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(ground->top_fd, "root", 0755);
	mkdirat(ground->top_fd, "outside", 0755);
	ground->root_fd = openat(ground->top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = ground;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *ground = *state;
	struct err err = { 0 };

	close(ground->top_fd);
	close(ground->root_fd);
	int r = file_remove_tree(AT_FDCWD, ground->path, &err);
	free(ground);
	return r;
}

static bool outside_is_empty(const struct ground *ground)
{
	bool empty = unlinkat(ground->top_fd, "outside", AT_REMOVEDIR) == 0;
	mkdirat(ground->top_fd, "outside", 0755);
	return empty;
}

/* Makes the target and checks that it is `where` below the root. */
static void assert_made(struct ground *ground, const char *path, enum mount_target kind,
			const char *where)
{
	struct stat made, expected;

	autoclose int fd = mount_make_target(ground->root_fd, path, kind);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &made), 0);
	assert_int_equal(fstatat(ground->root_fd, where, &expected, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(made.st_ino, expected.st_ino);
	assert_int_equal(S_ISDIR(made.st_mode), !!(kind & MOUNT_TARGET_DIRECTORY));
}

static void test_missing_parts_are_made(void **state)
{
	assert_made(*state, "/a/b/c", MOUNT_TARGET_DIRECTORY, "a/b/c");
	assert_made(*state, "a//b/file", 0, "a/b/file");
	assert_made(*state, "/a/b/", MOUNT_TARGET_DIRECTORY, "a/b");
}

static void test_absolute_link_stays_inside(void **state)
{
	struct ground *ground = *state;
	char target[128];

	snprintf(target, sizeof(target), "%s/outside", ground->path);
	assert_int_equal(symlinkat(target, ground->root_fd, "link"), 0);
	autoclose int fd = mount_make_target(ground->root_fd, "/link/x", MOUNT_TARGET_DIRECTORY);
	assert_true(fd >= 0);
	assert_true(outside_is_empty(ground));
	assert_int_equal(faccessat(ground->root_fd, target + 1, F_OK, 0), 0);
}

static void test_dots_end_at_the_root(void **state)
{
	struct ground *ground = *state;

	assert_int_equal(symlinkat("../../../../outside", ground->root_fd, "link"), 0);
	assert_made(ground, "/link/../../../x", MOUNT_TARGET_DIRECTORY, "x");
	assert_made(ground, "/link/y", 0, "outside/y");
	assert_true(outside_is_empty(ground));
}

static void test_dangling_file_link_is_followed_inside(void **state)
{
	struct ground *ground = *state;

	assert_int_equal(mkdirat(ground->root_fd, "etc", 0755), 0);
	assert_int_equal(symlinkat("../run/resolve/stub.conf", ground->root_fd, "etc/resolv.conf"),
			 0);
	assert_made(ground, "/etc/resolv.conf", 0, "run/resolve/stub.conf");
}

static void test_loop_of_links_is_an_error(void **state)
{
	struct ground *ground = *state;

	assert_int_equal(symlinkat("b", ground->root_fd, "a"), 0);
	assert_int_equal(symlinkat("a", ground->root_fd, "b"), 0);
	assert_int_equal(mount_make_target(ground->root_fd, "/a", 0), -ELOOP);
	assert_int_equal(mount_make_target(ground->root_fd, "/a/x", 0), -ELOOP);
	/* Each step longer than the last: no cycle that the kernel could see. */
	assert_int_equal(symlinkat("grow/x", ground->root_fd, "grow"), 0);
	assert_true(mount_make_target(ground->root_fd, "/grow", 0) < 0);
}

static void test_links_are_refused_where_asked(void **state)
{
	struct ground *ground = *state;

	assert_int_equal(mkdirat(ground->root_fd, "etc", 0755), 0);
	assert_int_equal(symlinkat("etc", ground->root_fd, "proc"), 0);
	assert_int_equal(mount_make_target(ground->root_fd, "/proc",
					   MOUNT_TARGET_DIRECTORY | MOUNT_TARGET_NO_SYMLINKS),
			 -ELOOP);
	assert_int_equal(symlinkat("nowhere", ground->root_fd, "sys"), 0);
	assert_true(mount_make_target(ground->root_fd, "/sys",
				      MOUNT_TARGET_DIRECTORY | MOUNT_TARGET_NO_SYMLINKS) < 0);
	assert_int_equal(faccessat(ground->root_fd, "nowhere", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void test_file_in_the_way_is_an_error(void **state)
{
	struct ground *ground = *state;
	struct err err = { 0 };

	assert_int_equal(file_write(ground->top_fd, "root/file", "x", 1, 0644, 0, &err), 0);
	assert_int_equal(mount_make_target(ground->root_fd, "/file/sub", MOUNT_TARGET_DIRECTORY),
			 -ENOTDIR);
}

static void test_only_plain_files_are_opened(void **state)
{
	struct ground *ground = *state;
	char text[8] = "";

	int fd = openat(ground->root_fd, "plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
	assert_int_equal(symlinkat("/../../plain", ground->root_fd, "link"), 0);
	fd = mount_open_plain_file(ground->root_fd, "/link");
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_string_equal(text, "text");
	close(fd);
	assert_int_equal(mkfifoat(ground->root_fd, "pipe", 0600), 0);
	assert_int_equal(mount_open_plain_file(ground->root_fd, "pipe"), -EINVAL);
	assert_int_equal(mount_open_plain_file(ground->root_fd, "/"), -EINVAL);
	assert_int_equal(mount_open_plain_file(ground->root_fd, "none"), -ENOENT);
	/* Plain by its mode only. */
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mount_open_plain_file(root_fd, "/proc/version"), -EINVAL);
	assert_int_equal(mount_open_plain_file(root_fd, "/dev/zero"), -EINVAL);
	close(root_fd);
}

#define WITH_GROUND(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUND(test_only_plain_files_are_opened),
		WITH_GROUND(test_missing_parts_are_made),
		WITH_GROUND(test_absolute_link_stays_inside),
		WITH_GROUND(test_dots_end_at_the_root),
		WITH_GROUND(test_dangling_file_link_is_followed_inside),
		WITH_GROUND(test_loop_of_links_is_an_error),
		WITH_GROUND(test_links_are_refused_where_asked),
		WITH_GROUND(test_file_in_the_way_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
