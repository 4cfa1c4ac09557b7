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
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "kernel/landlock.h"

/* In a child. Returns the number of the check that failed, 100 where there is no Landlock. */
static int check_confined(int place_fd)
{
	struct err err;
	int in_fd = openat(place_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = landlock_write_only_below(in_fd, &err);

	if (r == 0)
		return 100;
	if (r < 0)
		return 1;
	/* Inside: all that unpacking does. */
	if (mkdirat(in_fd, "a", 0755) < 0 || mkdirat(in_fd, "b", 0755) < 0)
		return 2;
	int fd = openat(in_fd, "a/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, 100) < 0 || write(fd, "x", 1) != 1)
		return 3;
	if (linkat(in_fd, "a/file", in_fd, "b/link", 0) < 0 || symlinkat("x", in_fd, "soft") < 0 ||
	    mknodat(in_fd, "fifo", S_IFIFO | 0600, 0) < 0)
		return 4;
	if (renameat(in_fd, "b", in_fd, "c") < 0 || unlinkat(in_fd, "soft", 0) < 0)
		return 5;
	/* Outside: nothing, by whatever way. */
	if (openat(place_fd, "out/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0 ||
	    errno != EACCES)
		return 6;
	if (openat(place_fd, "out/old", O_WRONLY | O_CLOEXEC) >= 0 ||
	    openat(in_fd, "../out/old", O_WRONLY | O_CLOEXEC) >= 0)
		return 7;
	if (unlinkat(place_fd, "out/old", 0) == 0 || mkdirat(place_fd, "out/dir", 0755) == 0 ||
	    linkat(in_fd, "a/file", place_fd, "out/link", 0) == 0 ||
	    renameat(in_fd, "a/file", place_fd, "out/moved") == 0)
		return 8;
	if (openat(place_fd, "out/old", O_RDONLY | O_CLOEXEC) < 0)
		return 9;
	execl("/bin/true", "true", NULL);
	return errno == EACCES ? 0 : 10;
}

static void test_writing_is_only_possible_below(void **state)
{
	(void)state;
	char place[] = "/tmp/davit-test-XXXXXX";
	struct err err;
	int status;

	assert_non_null(mkdtemp(place));
	int place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place_fd, "in", 0755), 0);
	assert_int_equal(mkdirat(place_fd, "out", 0755), 0);
	assert_int_equal(file_write(place_fd, "out/old", "x", 1, 0644, 0, &err), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(check_confined(place_fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(place_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, place, &err), 0);
	if (WEXITSTATUS(status) == 100)
		skip(); /* this kernel has no Landlock */
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writing_is_only_possible_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
