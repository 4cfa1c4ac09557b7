#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/strlist.h"

static char place[] = "/tmp/davit-directory-XXXXXX";
static int place_fd;

static int setup(void **state)
{
	(void)state;
	place_fd = mkdtemp(place) ? open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return place_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	struct err err;

	fd_close(&place_fd);
	return file_remove_tree(AT_FDCWD, place, &err);
}

static void test_names_are_listed_each_time_from_the_first(void **state)
{
	(void)state;
	assert_int_equal(directory_is_empty(place_fd), 1);
	assert_int_equal(mkdirat(place_fd, "b", 0700), 0);
	assert_int_equal(mkdirat(place_fd, ".a", 0700), 0);
	assert_int_equal(directory_is_empty(place_fd), 0);
	for (int round = 0; round < 2; round++) {
		autostrlist struct strlist names = STRLIST_EMPTY;
		assert_int_equal(directory_list(place_fd, &names), 0);
		strlist_sort(&names);
		assert_int_equal(names.count, 2);
		assert_string_equal(names.items[0], ".a");
		assert_string_equal(names.items[1], "b");
	}
}

static void test_what_cannot_be_read_is_told(void **state)
{
	(void)state;
	autostrlist struct strlist names = STRLIST_EMPTY;
	autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(directory_list(fd, &names), -ENOTDIR);
	assert_int_equal(directory_is_empty(-1), -EBADF);
	assert_int_equal(names.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_listed_each_time_from_the_first),
		cmocka_unit_test(test_what_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
