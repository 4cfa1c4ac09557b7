#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd-pass.h"
#include "base/fd.h"

static int pair[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
	(void)state;
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void test_what_arrives_is_the_same_file(void **state)
{
	(void)state;
	struct stat sent, received;
	autoclose int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(fd_send(pair[0], "x", 1, null_fd), 1);
	autoclose int fd = fd_receive(pair[1], MSG_DONTWAIT);
	assert_true(fd >= 0 && fd != null_fd);
	assert_int_equal(fstat(null_fd, &sent), 0);
	assert_int_equal(fstat(fd, &received), 0);
	assert_int_equal(sent.st_rdev, received.st_rdev);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void test_a_message_without_descriptor_is_told(void **state)
{
	(void)state;
	assert_int_equal(send(pair[0], "x", 1, 0), 1);
	assert_int_equal(fd_receive(pair[1], MSG_DONTWAIT), -ENOMSG);
	assert_int_equal(fd_receive(pair[1], MSG_DONTWAIT), -EAGAIN);
}

static void test_a_closed_end_is_told_without_a_signal(void **state)
{
	(void)state;
	fd_close(&pair[0]);
	assert_int_equal(fd_receive(pair[1], 0), -ENOMSG);
	assert_int_equal(fd_send(pair[1], "x", 1, STDERR_FILENO), -EPIPE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_arrives_is_the_same_file),
		TEST(test_a_message_without_descriptor_is_told),
		TEST(test_a_closed_end_is_told_without_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
