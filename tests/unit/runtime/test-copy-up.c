#include "runtime/copy-up.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

static char top[] = "/tmp/davit-test-copy-up-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	struct err err = { 0 };
	return file_remove_tree(AT_FDCWD, top, &err);
}

static void test_tree_arrives_with_modes_and_links(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct stat st;
	char said[16];
	char big[40000];
	autostrbuf struct strbuf back = STRBUF_EMPTY;
	autoclose int top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(big, 'x', sizeof(big));
	assert_int_equal(file_make_dirs(top_fd, "from/a/b", 0755, &err), 0);
	assert_int_equal(mkdirat(top_fd, "to", 0700), 0);
	assert_int_equal(file_write(top_fd, "from/a/b/file", big, sizeof(big), 0640, 0, &err), 0);
	assert_int_equal(symlinkat("../../../../etc", top_fd, "from/a/link"), 0);
	assert_int_equal(mkfifoat(top_fd, "from/fifo", 0600), 0);
	assert_int_equal(fchmodat(top_fd, "from/a", 0555, 0), 0);
	assert_int_equal(fchmodat(top_fd, "from", 01711, 0), 0);

	autoclose int from_fd = openat(top_fd, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int to_fd = openat(top_fd, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(copy_up_directory(from_fd, to_fd, true), 0);

	assert_int_equal(file_read(top_fd, "to/a/b/file", &back, 1 << 20, &err), 0);
	assert_int_equal(back.size, sizeof(big));
	assert_int_equal(fstatat(top_fd, "to/a/b/file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fstatat(top_fd, "to/a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(fstatat(top_fd, "to", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01711);
	assert_int_equal(readlinkat(top_fd, "to/a/link", said, sizeof(said)), 15);
	assert_int_equal(fstatat(top_fd, "to/fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	fchmodat(top_fd, "from/a", 0755, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_arrives_with_modes_and_links),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
