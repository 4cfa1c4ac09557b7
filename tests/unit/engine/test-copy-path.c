#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "engine/copy-path.h"

/* A root with /dir/file in it. */
static char place[] = "/tmp/davit-test-XXXXXX";
static struct copy_root root;
static struct err err;

static int setup(void **state)
{
	(void)state;
	memcpy(place + sizeof(place) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(place));
	root.root_fd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	root.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root.root_fd, "dir", 0755), 0);
	assert_int_equal(file_write(root.root_fd, "dir/file", "x", 1, 0644, 0, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(root.root_fd);
	close(root.proc_fd);
	return file_remove_tree(AT_FDCWD, place, &err);
}

static void link_to(const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, root.root_fd, name), 0);
}

/* Where the path leads: the inode of its directory is that of `parent`. */
static void assert_leads(const char *text, const char *parent, const char *name, bool exists)
{
	autocopypath struct copy_path path = COPY_PATH_EMPTY;
	struct stat is, expected;

	if (copy_path_resolve(&root, text, &path, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(path.name, name);
	assert_int_equal(path.exists, exists);
	assert_int_equal(fstat(path.parent_fd, &is), 0);
	assert_int_equal(fstatat(root.root_fd, parent, &expected, 0), 0);
	assert_int_equal(is.st_ino, expected.st_ino);
}

static void test_a_path_is_a_directory_and_a_name(void **state)
{
	(void)state;
	assert_leads("/dir/file", "dir", "file", true);
	assert_leads("dir/file", "dir", "file", true);
	assert_leads("//dir//", ".", "dir", true);
	assert_leads("/dir/new", "dir", "new", false);
	assert_leads("/dir/.", "dir", ".", true);
	assert_leads("/", ".", ".", true);
	assert_leads("/dir/../dir/file", "dir", "file", true);
}

static void test_links_stay_in_the_root(void **state)
{
	(void)state;
	link_to("/etc/passwd", "absolute");
	link_to("../../../../dir", "up");
	link_to("/dir/../../../dir/file", "both");
	link_to("dir/nothing", "dangling");
	link_to("/proc/self/root", "magic");
	autocopypath struct copy_path path = COPY_PATH_EMPTY;
	assert_int_equal(copy_path_resolve(&root, "/absolute", &path, &err), -ENOENT);
	assert_int_equal(copy_path_resolve(&root, "/magic/etc/passwd", &path, &err), -ENOENT);
	assert_leads("/up/file", "dir", "file", true);
	assert_leads("/both", "dir", "file", true);
	assert_leads("/dangling", "dir", "nothing", false);
	assert_leads("/../../..", ".", ".", true);
}

static void test_what_has_to_be_a_directory_is_one(void **state)
{
	autocopypath struct copy_path path = COPY_PATH_EMPTY;

	(void)state;
	assert_int_equal(copy_path_resolve(&root, "/dir/file/", &path, &err), -ENOTDIR);
	assert_int_equal(copy_path_resolve(&root, "/dir/new/", &path, &err), -ENOENT);
	assert_int_equal(copy_path_resolve(&root, "/new/file", &path, &err), -ENOENT);
	assert_int_equal(copy_path_resolve(&root, "/dir/file/x", &path, &err), -ENOTDIR);
}

static void test_links_in_a_circle_are_an_error(void **state)
{
	autocopypath struct copy_path path = COPY_PATH_EMPTY;

	(void)state;
	link_to("two", "one");
	link_to("one", "two");
	assert_int_equal(copy_path_resolve(&root, "/one", &path, &err), -ELOOP);
}

static void test_names_are_the_links_and_the_targets(void **state)
{
	autocopypath struct copy_path path = COPY_PATH_EMPTY;

	(void)state;
	link_to("dir", "link");
	assert_int_equal(copy_path_resolve(&root, "/link/", &path, &err), 0);
	assert_string_equal(path.given_name, "link");
	assert_string_equal(path.own_name, "dir");
	assert_true(path.is_directory && !path.is_content);
	copy_path_clear(&path);
	assert_int_equal(copy_path_resolve(&root, "/link/.", &path, &err), 0);
	assert_true(path.is_content);
	assert_string_equal(path.own_name, "dir");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_path_is_a_directory_and_a_name),
		TEST(test_links_stay_in_the_root),
		TEST(test_what_has_to_be_a_directory_is_one),
		TEST(test_links_in_a_circle_are_an_error),
		TEST(test_names_are_the_links_and_the_targets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
